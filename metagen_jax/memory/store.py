"""The database of what earlier runs have measured: many writers, nothing lost that was acknowledged."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import platformdirs

from metagen_jax.errors import MemoryFileError
from metagen_jax.memory.records import Measured, RunRecord

WAIT_S = 60.0  # for another process that writes
ADVICE = "Give another file with --memory, or go without one with --no-memory."
STEPS = (  # each makes one version of the file the next; an empty file has version 0
    """
    CREATE TABLE runs (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, date TEXT NOT NULL, task TEXT NOT NULL, spec TEXT NOT NULL,
      features TEXT NOT NULL, objectives TEXT NOT NULL, versions TEXT NOT NULL
    );
    CREATE TABLE candidates (
      run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, number INTEGER NOT NULL, blueprint TEXT NOT NULL,
      costs TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, place INTEGER, measurements TEXT NOT NULL,
      PRIMARY KEY (run, number)
    ) WITHOUT ROWID;
    CREATE INDEX best ON candidates (run, place);
    """,
    "ALTER TABLE runs ADD COLUMN space TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE candidates ADD COLUMN initial_key TEXT",
)
OF_RUN = ("name", "date", "task", "spec", "features", "objectives", "versions", "space")
OF_CANDIDATE = ("number", "blueprint", "costs", "status", "reason", "place", "measurements", "initial_key")


def user_file() -> Path:
    """Where runs are remembered if nobody says otherwise."""
    return Path(platformdirs.user_data_dir("metagen_jax")) / "memory.sqlite"


class Remembered(NamedTuple):
    """A run in one line."""

    id: str
    date: str
    name: str
    task: str
    num_candidates: int


class Task(NamedTuple):
    """What a run was about, to be compared with what another one is."""

    run: str  # its id
    task: str
    features: Mapping[str, float]


class Memory:
    """Runs that are remembered. A context manager; any number of processes may use one file at once.

    A file that is no database, or a broken one, is set aside under another name, and a new one is begun.

    Args:
      path: the file; it is made where there is none, with its folder.
      note: told in a sentence when a file is set aside.
    Raises:
      MemoryFileError: the file cannot be opened or made, or a newer program wrote it.

    Examples:
      >>> import tempfile
      >>> run = RunRecord("digits", "2026-11-27", "image -> label", "name: digits", {"log_examples": 7.0}, (), {}, ())
      >>> with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.sqlite") as memory:
      ...     memory.remember(run), memory.remember(run), len(memory.overview()), memory.load(run.id) == run
      (True, False, 1, True)
    """

    def __init__(self, path: Path, note: Callable[[str], None] = print):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(path.with_name(path.name + ".lock"), timeout=WAIT_S):  # one at a time makes or mends
                self._connection = self._opened(note)
        except (OSError, filelock.Timeout) as error:
            raise self._unusable(error) from None

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def remember(self, run: RunRecord) -> bool:
        """Stores a run for good; False where it is remembered already, with as many measurements."""
        return self.merge([run]) == 1

    def overview(self) -> list[Remembered]:
        """All runs, in the order of their dates."""
        counted = "(SELECT count(*) FROM candidates WHERE run = id)"
        rows = self._read(f"SELECT id, date, name, task, {counted} FROM runs ORDER BY date, name, id")
        return [Remembered(*row) for row in rows]

    def tasks(self) -> list[Task]:
        """What every run was about, in the order of their ids."""
        rows = self._read("SELECT id, task, features FROM runs ORDER BY id")
        features = json.loads(f"[{', '.join(row[2] for row in rows)}]")  # one call for all: there may be many
        return [Task(run, task, own) for (run, task, _), own in zip(rows, features, strict=True)]

    def load(self, run: str, best: int | None = None) -> RunRecord:
        """One run with all its candidates, or with the `best` few of those that have a place, best first.

        Raises:
          KeyError: there is none with this id.
        """
        rows = self._read(f"SELECT {', '.join(OF_RUN)} FROM runs WHERE id = ?", run)
        if not rows:
            raise KeyError(run)
        chosen = f"SELECT {', '.join(OF_CANDIDATE)} FROM candidates WHERE run = ?"
        if best is None:
            return _run_of(rows[0], self._read(f"{chosen} ORDER BY number", run))
        return _run_of(rows[0], self._read(f"{chosen} AND place < ? ORDER BY place", run, best))

    def forget(self, runs: Sequence[str]) -> int:
        """Removes runs with their candidates, and returns how many there were."""
        with self._writing() as connection:
            return sum(connection.execute("DELETE FROM runs WHERE id = ?", (run,)).rowcount for run in runs)

    def merge(self, runs: Iterable[RunRecord]) -> int:
        """Stores runs, all of them or none, and returns how many were new."""
        with self._writing() as connection:
            return sum(_insert(connection, run) for run in runs)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which is on the disk when the context has ended."""
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _read(self, query: str, *values: Any) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> MemoryFileError:
        return MemoryFileError(f"{self.path} cannot be used as a memory: {error}\n  {ADVICE}")

    def _opened(self, note: Callable[[str], None]) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.OperationalError as error:  # a full disk, a file that may not be written
            raise self._unusable(error) from None
        except sqlite3.DatabaseError as error:
            aside = _set_aside(self.path)
            note(f"{self.path} is damaged ({error}); it is kept as {aside.name}, and a new memory is begun")
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged outlives a loss of power
            connection.execute("PRAGMA foreign_keys=ON")
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(STEPS):
            raise MemoryFileError(
                f"{self.path} has version {version}, and this program knows {len(STEPS)} at most\n  {ADVICE}"
            )
        for number, step in enumerate(STEPS[version:], start=version + 1):
            connection.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version={number}; COMMIT;")
        connection.execute("SELECT * FROM runs LIMIT 1").fetchone()


def _insert(connection: sqlite3.Connection, run: RunRecord) -> bool:
    measured = "SELECT total(json_array_length(measurements)) FROM candidates WHERE run = id"
    known = connection.execute(f"SELECT ({measured}) FROM runs WHERE id = ?", (run.id,)).fetchone()
    if known is not None and known[0] >= sum(len(candidate.measurements) for candidate in run.candidates):
        return False
    connection.execute("DELETE FROM runs WHERE id = ?", (run.id,))
    values = [run.id, *(_written(getattr(run, name)) for name in OF_RUN)]
    connection.execute(f"INSERT INTO runs VALUES ({_marks(values)})", values)
    rows = [[run.id, *(_written(getattr(each, name)) for name in OF_CANDIDATE)] for each in run.candidates]
    connection.executemany(f"INSERT INTO candidates VALUES ({_marks(['run', *OF_CANDIDATE])})", rows)
    return True


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _written(value: Any) -> Any:
    """Text and whole numbers as they are, everything else as JSON."""
    return value if isinstance(value, str | int | None) else json.dumps(value, sort_keys=True, allow_nan=False)


def _run_of(row: Sequence[Any], candidates: Sequence[Sequence[Any]]) -> RunRecord:
    name, date, task, spec, features, objectives, versions, space = row
    return RunRecord(
        name=name,
        date=date,
        task=task,
        spec=spec,
        features=json.loads(features),
        objectives=tuple(json.loads(objectives)),
        versions=json.loads(versions),
        candidates=tuple(
            Measured(
                number, blueprint, json.loads(costs), status, reason, place, tuple(json.loads(measurements)), _key(key)
            )
            for number, blueprint, costs, status, reason, place, measurements, key in candidates
        ),
        space=json.loads(space),
    )


def _key(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    seed, number = json.loads(written)
    return seed, number


def _set_aside(path: Path) -> Path:
    """Renames a file, and what SQLite keeps beside it, to a name that is free."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        if (part := path.with_name(path.name + suffix)).exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
