"""Clips of video in, one label out."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import VideoDataset, majority_accuracy, nearest_clip_accuracy
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import SIZE, STRUCTURE, Array, Dataset, Dimension, Family, Field, Grid
from metagen_jax.synth.modalities.images import OfImages, image_shape
from metagen_jax.synth.modalities.parts import MAJORITY
from metagen_jax.synth.modalities.transformer import (
    ANCHORS,
    BLOCK_FRAGMENTS,
    DIMENSIONS,
    PARALLEL,
    PARAMETER,
    WIDTH,
    with_grouped_queries,
)

TUBELET_FRAMES = "tubelet_frames"
MOMENTS = Grid(TUBELET_FRAMES, smallest=1, fewest=2, usual=4)  # time is divided as a side of an image is


def _depths(dimension: Dimension) -> tuple[Dimension, ...]:
    """A family's dimensions with two depths in the place of the one."""
    if dimension.name != "num_layers":
        return (dimension,)
    return (
        Dimension("space_layers", SIZE, (1, 2, 3), "number of blocks over the patches of a moment"),
        Dimension("time_layers", SIZE, (1, 2, 3), "number of blocks over the moments of a clip"),
    )


def _anchor(lengths: Mapping[str, int]) -> dict[str, int]:
    """A transformer whose blocks look over space, with a third as many after them that look over time.

    Arnab et al. (2021) put 4 of these on the 12 of ViT-Base.
    """
    others = {axis: length for axis, length in lengths.items() if axis != "num_layers"}
    return others | {"space_layers": lengths["num_layers"], "time_layers": -(-lengths["num_layers"] // 3)}


VIDEO_TRANSFORMER = Family(
    name="video_transformer",
    title="video transformer",
    model_class="VideoTransformer",
    dimensions=(
        Dimension(TUBELET_FRAMES, STRUCTURE, (), "frames of a moment"),
        Dimension("patch_size", STRUCTURE, (), "pixels along each side of a patch"),
        *(depth for dimension in DIMENSIONS for depth in _depths(dimension)),
    ),
    fragments=(
        *BLOCK_FRAGMENTS,
        "fragments/embeddings/tubelet.py.j2",
        "fragments/encoders/video_transformer.py.j2",
    ),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    anchors=tuple(_anchor(lengths) for lengths in ANCHORS),
    grid=Grid("patch_size", smallest=2, fewest=2, usual=4),
)


class VideoClassification(OfImages):
    """Names what happens in a clip of video."""

    name = "video_classification"
    inputs = ("video",)
    outputs = ("label",)
    task_type = "classification"
    families: ClassVar = {"video_transformer": with_grouped_queries(VIDEO_TRANSFORMER)}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/classification.py.j2",
        "fragments/data/clip_batches.py.j2",
    )
    recipe_words: ClassVar = {
        "inputs": "video",
        "shape": "(B, T, H, W, C) uint8",
        "read": "video / 255.0",
        "one": "clip",
    }
    evaluation_batch_size = 64
    try_it = "python infer.py example"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, VideoDataset)
        return (
            Field("frames", dataset.num_frames, "of a clip"),
            *super().fixed_fields(spec, dataset),
            Field("num_classes", dataset.num_classes, "labels"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        lengths = MOMENTS.sides(fixed["frames"])
        return tuple(
            dataclasses.replace(dimension, values=lengths) if dimension.name == TUBELET_FRAMES else dimension
            for dimension in super().dimensions(family, spec, fixed)
        )

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        if dimension.name == TUBELET_FRAMES:
            return (MOMENTS.usual_side(fixed["frames"]),)
        return super().default_structure(family, fixed, dimension)

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        clips = Array((batch_size, *clip_shape(fixed)), np.dtype(np.uint8))
        return clips, Array((batch_size,), np.dtype(np.int32))

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return (Array((1, *clip_shape(fixed)), np.dtype(np.float32)),)

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, VideoDataset)
        return dataset.train.video, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.video, examples.labels

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "accuracy")}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, VideoDataset)
        return {
            MAJORITY: {"accuracy": majority_accuracy(dataset)},
            "the class with the nearest mean clip": {"accuracy": nearest_clip_accuracy(dataset)},
        }


def clip_shape(fixed: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Frames, height, width and channels."""
    return fixed["frames"], *image_shape(fixed)
