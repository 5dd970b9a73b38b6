"""Which labels the winner takes for which, counted on the test data."""

import csv
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metagen_jax.automl.questions import questions
from metagen_jax.data import Dataset

CONFUSION = "confusion.csv"  # in a run's folder, where labels come out
BATCH_SIZE = 64


def confusion_counts(labels: np.ndarray, given: np.ndarray, num_classes: int) -> np.ndarray:
    """How often an example of a label was given each label.

    Args:
      labels: `(N,)`, the right ones.
      given: `(N,)`, what the model answers.
      num_classes: how many labels there are.
    Returns:
      `(num_classes, num_classes)` counts: row the right label, column the one that is given.

    Examples:
      >>> confusion_counts(np.array([0, 1, 2]), np.array([0, 1, 1]), 3).tolist()
      [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    """
    counts = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(counts, (labels, given), 1)
    return counts


def write_confusion(dataset: Dataset, model: Any, folder: Path) -> None:
    """Leaves the counts as `confusion.csv` in a run's folder, a row for each right label, if labels come out."""
    first = questions(dataset, model, slice(1))
    if first is None:
        return
    answer, names = jax.jit(model), first.class_names
    counts = np.zeros((len(names), len(names)), np.int64)
    for start in range(0, len(dataset.test), BATCH_SIZE):
        asked = questions(dataset, model, slice(start, start + BATCH_SIZE))
        assert asked is not None
        counts += confusion_counts(asked.labels, np.asarray(answer(asked.inputs)).argmax(-1), len(names))
    with (folder / CONFUSION).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["label", *names], *([n, *row] for n, row in zip(names, counts, strict=True))])


def read_confusion(path: Path) -> tuple[list[str], np.ndarray]:
    """The names of the labels, and the counts as `confusion_counts` gives them."""
    with path.open(newline="", encoding="utf-8") as file:
        (_, *names), *rows = csv.reader(file)
    return names, np.array([[int(count) for count in row] for _, *row in rows])
