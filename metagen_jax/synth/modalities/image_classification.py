"""Images in, one label out."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metagen_jax.data import ImageDataset, majority_accuracy
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import STRUCTURE, Array, Dataset, Dimension, Family, Field, Grid
from metagen_jax.synth.modalities.cnn import CNN
from metagen_jax.synth.modalities.images import OfImages, image_shape
from metagen_jax.synth.modalities.parts import MAJORITY
from metagen_jax.synth.modalities.resnet import RESNET
from metagen_jax.synth.modalities.transformer import (
    ANCHORS,
    BLOCK_FRAGMENTS,
    DIMENSIONS,
    PARALLEL,
    PARAMETER,
    WIDTH,
    with_grouped_queries,
)

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


class ImageClassification(OfImages):
    """Names what is in an image."""

    name = "image_classification"
    inputs = ("image",)
    outputs = ("label",)
    task_type = "classification"
    families: ClassVar = {"vit": with_grouped_queries(VIT), "cnn": CNN, "resnet": RESNET}
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
        "labelled": True,
        "has_seeds": False,
    }
    evaluation_batch_size = 128
    try_it = "python infer.py example.png"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, ImageDataset)
        return *super().fixed_fields(spec, dataset), Field("num_classes", dataset.num_classes, "labels")

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        images = Array((batch_size, *image_shape(fixed)), np.dtype(np.uint8))
        return images, Array((batch_size,), np.dtype(np.int32))

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, ImageDataset)
        return dataset.train.images, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.images, examples.labels

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "accuracy")}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, ImageDataset)
        return {MAJORITY: {"accuracy": majority_accuracy(dataset)}}
