"""Images in, one label out."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import ImageDataset, majority_accuracy
from metagen_jax.errors import DataError
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import STRUCTURE, Array, Dataset, Dimension, Family, Field, Grid, Modality
from metagen_jax.synth.modalities.cnn import CNN
from metagen_jax.synth.modalities.parts import MAJORITY
from metagen_jax.synth.modalities.resnet import RESNET
from metagen_jax.synth.modalities.transformer import ANCHORS, BLOCK_FRAGMENTS, DIMENSIONS, PARALLEL, PARAMETER, WIDTH

VIT = Family(
    name="vit",
    title="vision transformer",
    model_class="VisionTransformer",
    dimensions=(Dimension("patch_size", STRUCTURE, (), "pixels along each side of a patch"), *DIMENSIONS),
    fragments=(*BLOCK_FRAGMENTS, "fragments/embeddings/patch.py.j2", "fragments/encoders/vit.py.j2"),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    anchors=ANCHORS,
    grid=Grid("patch_size", smallest=2, fewest=2, usual=4),
)


class ImageClassification(Modality):
    """Names what is in an image."""

    name = "image_classification"
    inputs = ("image",)
    outputs = ("label",)
    task_type = "classification"
    families: ClassVar = {"vit": VIT, "cnn": CNN, "resnet": RESNET}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/classification.py.j2",
        "fragments/data/image_batches.py.j2",
    )
    recipe_words: ClassVar = {
        "inputs": "images",
        "shape": "(B, H, W, C) uint8",
        "read": "images / 255.0",
        "one": "image",
    }
    evaluation_batch_size = 128
    try_it = "python infer.py example.png"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, ImageDataset)
        height, width, channels = dataset.image_shape
        if height != width:
            raise DataError(
                f"{dataset.name}: images of {height} x {width} pixels are not square.\n"
                "  Give data.image_size for a folder of images, or crop the arrays."
            )
        return (
            Field("image_size", height, "pixels along each side"),
            Field("channels", channels, "values of a pixel"),
            Field("num_classes", dataset.num_classes, "labels"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        grid = _grid(family)
        sides = grid.sides(fixed["image_size"])
        return tuple(dataclasses.replace(d, values=sides) if d.name == grid.name else d for d in family.dimensions)

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        grid = _grid(family)
        return (grid.usual_side(fixed["image_size"]),) if dimension.name == grid.name else dimension.values

    def prototype_structure(
        self, family: Family, dimension: Dimension, target: Mapping[str, int], fixed: Mapping[str, int]
    ) -> tuple[Any, ...]:
        """Squares of an image of another size: as nearly as many of them along a side."""
        grid = _grid(family)
        if dimension.name != grid.name:
            return dimension.values
        size, sides = fixed["image_size"], grid.sides(fixed["image_size"])
        squares = [target["image_size"] / side for side in dimension.values]
        return tuple(sides[int(np.argmin([abs(size / side - wanted) for side in sides]))] for wanted in squares)

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        side, channels = fixed["image_size"], fixed["channels"]
        return Array((batch_size, side, side, channels), np.dtype(np.uint8)), Array((batch_size,), np.dtype(np.int32))

    def abstract_example(self, fixed: Mapping[str, int]) -> Array:
        side = fixed["image_size"]
        return Array((1, side, side, fixed["channels"]), np.dtype(np.float32))

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, ImageDataset)
        return dataset.train.images, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.images, examples.labels

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "accuracy")}

    def baselines(self, dataset: Dataset) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, ImageDataset)
        return {MAJORITY: {"accuracy": majority_accuracy(dataset)}}


def _grid(family: Family) -> Grid:
    assert family.grid is not None
    return family.grid
