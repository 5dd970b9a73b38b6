"""What a model that answers with labels is asked about the test data."""

import functools
from typing import Any, NamedTuple

import numpy as np

from metagen_jax.data import (
    AudioDataset,
    Dataset,
    DrawnImageDataset,
    ImageDataset,
    LabelledTextDataset,
    VideoDataset,
)

Which = slice | np.ndarray  # of the test examples: a range, or their numbers


class Questions(NamedTuple):
    """What a model reads of some test examples, first axis: examples, and the right label of each."""

    inputs: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]


@functools.singledispatch
def questions(dataset: Dataset, model: Any, which: Which) -> Questions | None:
    """What a model is asked about `which` test examples; None where no labels come out."""
    return None


@questions.register
def _(dataset: ImageDataset, model: Any, which: Which) -> Questions | None:
    return Questions(dataset.test.images[which] / np.float32(255), dataset.test.labels[which], dataset.class_names)


@questions.register
def _(dataset: DrawnImageDataset, model: Any, which: Which) -> Questions | None:
    return None  # labels go in


@questions.register
def _(dataset: AudioDataset, model: Any, which: Which) -> Questions | None:
    return Questions(dataset.test.audio[which] / np.float32(32768), dataset.test.labels[which], dataset.class_names)


@questions.register
def _(dataset: VideoDataset, model: Any, which: Which) -> Questions | None:
    return Questions(dataset.test.video[which] / np.float32(255), dataset.test.labels[which], dataset.class_names)


@questions.register
def _(dataset: LabelledTextDataset, model: Any, which: Which) -> Questions | None:
    context = model.embed.position.shape[0] * model.embed.stride
    tokens = dataset.test.tokens[which, :context].astype(np.int32)
    return Questions(tokens, dataset.test.labels[which], dataset.class_names)
