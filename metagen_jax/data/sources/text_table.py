"""A table of texts and their labels, as comma-separated values."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from metagen_jax.data.datasets import LabelledTextDataset
from metagen_jax.data.sources.labelled_texts import divided
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.text_file import read_text
from metagen_jax.errors import DataError

COLUMNS = ("text", "label")


def read_text_table(request: DataRequest) -> LabelledTextDataset:
    """Reads a CSV file in UTF-8 with the columns `text` and `label`; other columns are passed over."""
    rows, notes = read_rows(request.path)
    return divided(request, {"train": rows}, notes)


def read_rows(path: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Returns the text and the label of every row, and notes on what was changed or passed over.

    Raises:
      DataError: a column is missing, a row has no text or no label, or there is one label only.
    """
    columns, rows, notes = read_table(path, COLUMNS)
    notes += passed_over(columns, COLUMNS)
    cells = [_cells(path, number, row) for number, row in enumerate(rows, start=1)]
    labels = sorted({label for _, label in cells})
    if len(labels) < 2:
        known = f"one label only, '{labels[0]}'" if labels else "no rows"
        raise DataError(f"{path}: {known}\n  To classify, it takes two labels or more.")
    return cells, notes


def passed_over(columns: Sequence[str], used: Sequence[str]) -> list[str]:
    """A note on the columns that are not read; none if there are none."""
    others = [name for name in columns if name not in used]
    return [f"columns passed over: {len(others)}, such as {others[0]}"] if others else []


Row = dict[str, str | None]  # a cell for each column; None where the row ends before it


def read_table(path: Path, needed: Sequence[str]) -> tuple[list[str], list[Row], list[str]]:
    """Reads comma-separated values in UTF-8 whose first line names the columns.

    Returns:
      The names of all columns, the rows, and notes on what was changed.
    Raises:
      DataError: it is no such file, or a needed column is missing.
    """
    columns, rows, notes = read_numbered_table(path, needed)
    return columns, [row for _, row in rows], notes


def read_numbered_table(path: Path, needed: Sequence[str]) -> tuple[list[str], list[tuple[int, Row]], list[str]]:
    """Does what `read_table` does, and tells of each row in which line of the file it ends, from 1."""
    content, notes = read_text(path)
    csv.field_size_limit(sys.maxsize)  # a text may be longer than the 128 kB of the default
    table = csv.DictReader(io.StringIO(content), strict=True)
    try:
        columns = list(table.fieldnames or ())
        rows = [(table.line_num, row) for row in table]
    except csv.Error as error:
        found = f"cannot be read as CSV after line {table.line_num} ({error})"
        raise DataError(f"{path}: {found}\n  Write quotes in a text twice, and the text in quotes.") from error
    for column in needed:
        if column not in columns:
            found = ", ".join(columns) or "nothing"
            remedy = f"The first line has to name the columns, parted by commas, among them {','.join(needed)}."
            raise DataError(f"{path}: no column '{column}'; found {found}\n  {remedy}")
    return columns, rows, notes


def _cells(path: Path, number: int, row: Row) -> tuple[str, str]:
    text, label = ((row[column] or "").strip() for column in COLUMNS)
    if not text or not label:
        raise DataError(f"{path}: row {number} has no {'label' if text else 'text'}\n  Fill it in, or remove the row.")
    return text, label
