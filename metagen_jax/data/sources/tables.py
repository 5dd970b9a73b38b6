"""Rows with named columns, from a file of comma-separated values or a Parquet file, whatever they are used for."""

import csv
import hashlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import HubOrigin
from metagen_jax.data.sources.parquet import read_parquet
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.text_file import read_text
from metagen_jax.errors import DataError

PARQUET = ".parquet"
RENAMED = "If yours are called otherwise, say so in data.columns."
Read = TypeVar("Read")


class Picture(NamedTuple):
    """A picture that a row holds, or the path of one.

    Attributes:
      name: for messages.
      path: of its file; None where `content` is its bytes.
    """

    name: str
    path: Path | None
    content: bytes | None = None

    @property
    def identity(self) -> str:
        """What two rows with the same picture have in common."""
        return os.path.normpath(self.file) if self.content is None else hashlib.sha256(self.content).hexdigest()

    @property
    def file(self) -> Path:
        """Its file, or what stands for one in messages."""
        return self.path or Path(self.name)

    @property
    def is_gray(self) -> bool:
        return pixels.is_gray(self.file, self.content)

    def read(self, channels: int, image_size: int | None) -> np.ndarray:
        """Returns `(H, W, channels)` uint8."""
        return pixels.read_picture(self.file, channels, image_size, self.content)


class Row(NamedTuple):
    """One row: where it stands, such as `line 7`, and what is in the cells that are read; only a line may be empty."""

    place: str
    cells: dict[str, Any]

    @property
    def picture(self) -> Picture:
        return self.cells["image"]

    @property
    def text(self) -> str:
        return self.cells["text"]

    @property
    def label(self) -> str:
        return self.cells["label"]


class Given(NamedTuple):
    """The rows of what was given.

    Attributes:
      rows: of each split that they come divided into; of "train" alone if they do not.
      notes: on what was changed or passed over.
      origin: where on the Hugging Face Hub they are from; None for files.
    """

    rows: dict[str, list[Row]]
    notes: list[str]
    origin: HubOrigin | None = None


def read_table(
    request: DataRequest, roles: Sequence[str], problems: list[DataError] | None = None, are_lines: bool = False
) -> Given:
    """Reads the columns of a table that are used.

    Args:
      roles: what the columns hold, each of `image`, `text` and `label`; they are called so unless `request.columns` says
        otherwise.
      problems: to which what is wrong with single rows is added; None: it is raised.
      are_lines: whether texts are lines, which may be empty and keep the spaces that they begin with.
    Raises:
      DataError: it is no table, a column or a cell is missing or of another kind, or a path leads to no file; the message
        names file and row.
    """
    path = request.path
    names = {role: request.columns.get(role, role) for role in roles}
    notes: list[str] = []
    if path.suffix.lower() == PARQUET:
        columns, raw = read_parquet(path, names.values())
        places = [f"row {i}" for i in range(1, len(raw) + 1)]
    else:
        columns, numbered, notes = read_csv(path)
        places, raw = [f"line {line}" for line, _ in numbered], [row for _, row in numbered]
    check_columns(str(path), columns, names.values())
    if not raw:
        raise DataError(f"{path}: no rows\n  Write one row for each example.")
    rows = checked_rows(str(path), zip(places, raw, strict=True), names, path.parent, problems, are_lines)
    return Given({"train": rows}, [*notes, *passed_over(columns, names.values())])


def columns_of(path: Path) -> list[str]:
    """The names of the columns of a table."""
    return read_parquet(path, ())[0] if path.suffix.lower() == PARQUET else read_csv(path)[0]


def check_columns(table: str, columns: Sequence[str], needed: Iterable[str], advice: str = RENAMED) -> None:
    """Refuses a table that lacks a column, or has two of its name; `advice` is added to the remedy."""
    for name in needed:
        if columns.count(name) > 1:
            raise DataError(f"{table}: several columns are called '{name}'\n  Rename all of them but one.")
        if name not in columns:
            found = ", ".join(columns) or "nothing"
            remedy = f"It needs the columns {', '.join(needed)}. {advice}".rstrip()
            if len(columns) == 1 and re.search("[;\t|]", found):
                remedy = "Its first line has to name the columns, parted by commas."
            raise DataError(f"{table}: no column '{name}'; found {found}\n  {remedy}")


def passed_over(columns: Sequence[str], used: Iterable[str]) -> list[str]:
    """A note on the columns that are not read; none if there are none."""
    others = [name for name in columns if name not in set(used)]
    return [f"columns passed over: {len(others)}, such as {others[0]}"] if others else []


def checked_rows(
    table: str,
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    names: Mapping[str, str],
    folder: Path,
    problems: list[DataError] | None = None,
    are_lines: bool = False,
) -> list[Row]:
    """The cells of rows by what they hold, each checked.

    Args:
      table: for messages.
      rows: the place and the cells of each, by the name of the column.
      names: of the columns that are used, by what they hold.
      folder: that paths of pictures are relative to.
      problems: to which what is wrong with a row is added; None: it is raised.
      are_lines: whether texts are lines, which may be empty and keep the spaces that they begin with.
    """
    checked = []
    for place, cells in rows:
        here = f"{table}, {place}"
        try:
            _check_width(here, cells)
            read = {role: _cell(here, role, cells.get(name), folder, are_lines) for role, name in names.items()}
            checked.append(Row(place, read))
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
    return checked


def _check_width(here: str, cells: Mapping[Any, Any]) -> None:
    """Refuses a row that goes on after the last column, as one with a comma in an unquoted text does."""
    if None in cells:
        raise DataError(f"{here}: more cells than there are columns\n  Put a text that has commas in quotes.")


def of_row(table: Path, row: Row, read: Callable[[Picture], Read]) -> Read:
    """Reads the picture of a row; an error names the row."""
    try:
        return read(row.picture)
    except DataError as error:
        raise DataError(f"{table}, {row.place}: {error}") from error


def _cell(here: str, role: str, value: Any, folder: Path, is_line: bool) -> Any:
    if isinstance(value, str):
        if is_line:
            return value.rstrip("\r\n")
        value = value.strip()
    if value is None or value == "" or value == b"":
        raise DataError(f"{here}: no {role}\n  Fill it in, or remove the row.")
    if role == "image":
        return _picture(here, value, folder)
    if role == "label" and isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        remedy = "Save the column as text, one for each row."
        raise DataError(f"{here}: the {role} is no text but of type {type(value).__name__}\n  {remedy}")
    return value


def _picture(here: str, value: Any, folder: Path) -> Picture:
    """A path, bytes, or both as columns of pictures of Hugging Face have them."""
    if isinstance(value, Mapping) and value.get("bytes"):
        return Picture(str(value.get("path") or "image"), None, bytes(value["bytes"]))
    if isinstance(value, Mapping):
        value = value.get("path")
    if isinstance(value, bytes):
        return Picture("image", None, value)
    if not isinstance(value, str):
        raise DataError(f"{here}: the image is neither a path nor bytes\n  Write the path of a picture.")
    if not os.path.isfile(folder / value):  # noqa: PTH113  a text that is no path is not an error
        remedy = f"Paths are relative to the folder of the table, which is {folder.resolve()}."
        raise DataError(f"{here}: there is no file '{value[:200]}'\n  {remedy}")
    return Picture(value, folder / value)


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str | None]]], list[str]]:
    """Comma-separated values in UTF-8 whose first line names the columns; spaces around a name are dropped.

    Returns:
      The names of all columns, the rows, each with the line of the file that it ends in, from 1, and notes.
    """
    content, notes = read_text(path)
    csv.field_size_limit(sys.maxsize)  # a text may be longer than the 128 kB of the default
    table = csv.DictReader(io.StringIO(content), strict=True)
    try:
        columns = table.fieldnames = [name.strip() for name in table.fieldnames or ()]
        rows = [(table.line_num, row) for row in table]
    except csv.Error as error:
        found = f"cannot be read as CSV after line {table.line_num} ({error})"
        raise DataError(f"{path}: {found}\n  Write quotes in a text twice, and the text in quotes.") from error
    return columns, rows, notes
