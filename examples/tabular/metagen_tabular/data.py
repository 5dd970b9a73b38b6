"""Rows of numbers with labels: what they are once read, how they are read from a file, checked and described."""

import dataclasses
import math
from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.export import dataset_arrays, labelled_arrays
from metagen_jax.data.loading import check, check_classes, class_line, facts
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.tables import check_columns, read_csv
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError
from metagen_jax.spec import ModelSpec

LABEL = "label"


@dataclasses.dataclass(frozen=True, eq=False)
class TableSplit:
    """N labelled rows.

    Attributes:
      rows: `(N, F)` float64, as the file has them.
      labels: `(N,)` int32, positions in the dataset's `class_names`.
    """

    rows: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class TableDataset:
    """Labelled rows in three splits that share none.

    Attributes:
      class_names: one name for each label, in the order of the labels.
      columns: the names of the F columns of numbers.
      notes: what was done to the data while it was read, in plain sentences.
    """

    name: str
    class_names: tuple[str, ...]
    columns: tuple[str, ...]
    train: TableSplit
    validation: TableSplit
    test: TableSplit
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def mean(self) -> np.ndarray:
        """Of each column of the training rows: `(F,)`."""
        return self.train.rows.mean(axis=0)

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each column of the training rows, 1 where it does not vary: `(F,)`."""
        deviation = self.train.rows.std(axis=0)
        return np.where(deviation > 0, deviation, 1.0)

    def standardised(self, split: str) -> np.ndarray:
        """The rows of a split as a network reads them: `(N, F)` float32."""
        return ((getattr(self, split).rows - self.mean) / self.deviation).astype(np.float32)


def read_table_of_numbers(request: DataRequest) -> TableDataset:
    """Reads a CSV file with a column `label` and otherwise numbers.

    Raises:
      DataError: it is no such file; the message names row and column.
    """
    names, numbered, notes = read_csv(request.path)
    check_columns(str(request.path), names, [LABEL], advice="")
    table = [row for _, row in numbered]
    columns = tuple(name for name in names if name != LABEL)
    if not columns:
        raise DataError(f"{request.path}: no columns of numbers\n  Write some beside the column {LABEL}.")
    cells = [(number, row) for number, row in enumerate(table, start=1)]
    rows = np.array([[_number(request.path, i, name, row[name]) for name in columns] for i, row in cells])
    texts = [_label(request.path, i, row[LABEL]) for i, row in cells]
    class_names = tuple(sorted(set(texts)))
    labels = np.array([class_names.index(text) for text in texts], np.int32)
    assigned = assign_splits(
        {"train": labels},
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=request.max_examples,
    )
    for split in SPLITS:
        if not len(assigned[split][1]):
            raise DataError(f"{request.path}: no rows for {split}\n  Add rows: three of a label at least.")
    splits = {split: TableSplit(rows[chosen], labels[chosen]) for split, (_, chosen) in assigned.items()}
    return TableDataset(request.path.stem, class_names, columns, notes=tuple(notes), **splits)


def _number(path: Path, row: int, column: str, text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not abs(number) < 1e30:
        raise DataError(f"{path}: row {row}, column '{column}': {text!r} is no number\n  Write one, or remove the row.")
    return number


def _label(path: Path, row: int, text: str | None) -> str:
    if not (text or "").strip():
        raise DataError(f"{path}: row {row} has no {LABEL}\n  Fill it in, or remove the row.")
    return text.strip()


@dataset_arrays.register
def _(dataset: TableDataset) -> dict[str, np.ndarray]:
    names = {"class_names": np.array(dataset.class_names), "columns": np.array(dataset.columns)}
    return labelled_arrays(dataset, "rows") | names


@check.register
def _(dataset: TableDataset, spec: ModelSpec, path: Path) -> None:
    check_classes(dataset, path, spec.task.num_classes)


@facts.register
def _(dataset: TableDataset, sizes: str) -> list[str]:
    return [f"{dataset.name}: rows of {len(dataset.columns)} numbers; {sizes}", class_line(dataset.class_names)]
