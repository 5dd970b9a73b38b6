"""Which labels the winner takes for which, counted on the test data."""

import csv
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from metagen_jax.data import AudioDataset, Dataset, DrawnImageDataset, ImageDataset, LabelledTextDataset

CONFUSION = "confusion.csv"  # in a run's folder, where labels come out
BATCH_SIZE = 64


class Questions(NamedTuple):
    """What a model reads of each test example, first axis: examples, and the right label of each."""

    inputs: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]


@functools.singledispatch
def questions(dataset: Dataset, model: Any) -> Questions | None:
    """What is asked of a model that answers with labels; None where others come out."""
    return None


@questions.register
def _(dataset: ImageDataset, model: Any) -> Questions | None:
    return Questions(dataset.test.images / np.float32(255), dataset.test.labels, dataset.class_names)


@questions.register
def _(dataset: DrawnImageDataset, model: Any) -> Questions | None:
    return None  # labels go in


@questions.register
def _(dataset: AudioDataset, model: Any) -> Questions | None:
    return Questions(dataset.test.audio / np.float32(32768), dataset.test.labels, dataset.class_names)


@questions.register
def _(dataset: LabelledTextDataset, model: Any) -> Questions | None:
    context = model.embed.position.shape[0] * model.embed.stride
    tokens = dataset.test.tokens[:, :context].astype(np.int32)
    return Questions(tokens, dataset.test.labels, dataset.class_names)


def confusion_counts(
    answer: Callable[[np.ndarray], Any], inputs: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """How often an example of a label was given each label.

    Args:
      answer: logits `(B, num_classes)` of a batch of inputs.
      inputs: `(N, ...)`.
      labels: `(N,)`, the right ones.
      num_classes: how many labels there are.
    Returns:
      `(num_classes, num_classes)` counts: row the right label, column the one that is given.

    Examples:
      >>> confusion_counts(lambda batch: batch, np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]), 3).tolist()
      [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    """
    parts = [inputs[start : start + BATCH_SIZE] for start in range(0, len(inputs), BATCH_SIZE)]
    given = np.concatenate([np.asarray(answer(part)).argmax(-1) for part in parts])
    counts = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(counts, (labels, given), 1)
    return counts


def write_confusion(folder: Path, model: Any, dataset: Dataset) -> None:
    """Leaves the counts as `confusion.csv` in a run's folder, a row for each right label, if labels come out."""
    asked = questions(dataset, model)
    if asked is not None:
        names = asked.class_names
        counts = confusion_counts(jax.jit(model), asked.inputs, asked.labels, len(names))
        with (folder / CONFUSION).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["label", *names], *([n, *row] for n, row in zip(names, counts, strict=True))])


def read_confusion(path: Path) -> tuple[list[str], np.ndarray]:
    """The names of the labels, and the counts as `confusion_counts` gives them."""
    with path.open(newline="", encoding="utf-8") as file:
        (_, *names), *rows = csv.reader(file)
    return names, np.array([[int(count) for count in row] for _, *row in rows])
