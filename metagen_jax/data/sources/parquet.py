"""Parquet files, read by pyarrow where it is installed."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from metagen_jax.errors import DataError


def read_parquet(path: Path, wanted: Collection[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Returns the names of all columns, and the rows as Python values of those that are wanted and there.

    Whole numbers for which the file has names, as `datasets` of Hugging Face writes them, are read as these names.

    Raises:
      DataError: pyarrow is not installed, or the file is none that it reads.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file\n  data.path has to name a table.")
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        remedy = "Install it, pip install pyarrow, or save the table as CSV."
        raise DataError(f"{path}: Parquet is read by pyarrow, which is not installed\n  {remedy}") from error
    try:
        file = parquet.ParquetFile(path)
        columns = file.schema_arrow.names
        table = file.read(columns=[name for name in columns if name in wanted])
        values = table.to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as Parquet ({reason})\n  Write the file again.") from error
    names = _names_of_numbers(table.schema.metadata or {})
    rows = [
        {
            column: names[column][value] if _is_named(names.get(column), value) else value
            for column, value in row.items()
        }
        for row in values
    ]
    return columns, rows


def _is_named(names: list[str] | None, value: Any) -> bool:
    return names is not None and isinstance(value, int) and 0 <= value < len(names)


def _names_of_numbers(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """What the whole numbers of columns stand for."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        return {name: each["names"] for name, each in features.items() if each.get("_type") == "ClassLabel"}
    except (ValueError, AttributeError, KeyError):
        return {}  # written by something else
