"""Runs from files: memories, and what `metagen history export` has written."""

from collections.abc import Callable
from pathlib import Path

from metagen_jax.errors import MemoryFileError
from metagen_jax.memory.records import RunRecord
from metagen_jax.memory.store import Memory

SQLITE_BEGINS = b"SQLite format 3\0"


def read_runs(file: Path, note: Callable[[str], None] = print) -> list[RunRecord]:
    """All runs of a memory, in the order of their dates, or of an export, in the order of its lines.

    Args:
      note: told in a sentence when a memory is damaged and is set aside.
    Raises:
      MemoryFileError: there is no such file, or a line of it holds no run.

    Examples:
      >>> import tempfile
      >>> run = RunRecord("digits", "2026-11-27", "image -> label", "name: digits", {"log_examples": 7.0}, (), {}, ())
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = Path(folder) / "runs.jsonl"
      ...     _ = file.write_text(run.to_json(), encoding="utf-8")
      ...     read_runs(file) == [run]
      True
    """
    if not file.is_file():
        raise MemoryFileError(f"{file}: no such file\n  `metagen history export FILE` writes one.")
    with file.open("rb") as opened:
        is_memory = opened.read(len(SQLITE_BEGINS)) == SQLITE_BEGINS
    if is_memory:
        with Memory(file, note) as memory:
            return [memory.load(run.id) for run in memory.overview()]
    runs = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            runs.append(RunRecord.from_json(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MemoryFileError(
                f"{file}, line {number}: no run ({type(error).__name__}: {error})\n  `metagen history export` writes what is read."
            ) from None
    return runs
