"""`search.sqlite`: every candidate, every measurement, every failure of a run. Holds no time of day."""

import json
import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metagen_jax.automl.candidate import Candidate, Score
from metagen_jax.errors import OutputError

SCHEMA_VERSION = 1
TABLES = """
CREATE TABLE candidates (
  number INTEGER PRIMARY KEY, round INTEGER NOT NULL, id TEXT NOT NULL, genotype TEXT NOT NULL, blueprint TEXT NOT NULL,
  params INTEGER NOT NULL, flops REAL NOT NULL, memory_bytes REAL NOT NULL, latency_ms REAL NOT NULL,
  status TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE measurements (
  candidate INTEGER NOT NULL REFERENCES candidates (number), stage TEXT NOT NULL, split TEXT NOT NULL,
  step INTEGER NOT NULL, metric TEXT NOT NULL, value REAL,
  PRIMARY KEY (candidate, stage, split, step, metric)
) WITHOUT ROWID;
CREATE TABLE curves (
  candidate INTEGER NOT NULL REFERENCES candidates (number), stage TEXT NOT NULL, losses BLOB NOT NULL,
  PRIMARY KEY (candidate, stage)
) WITHOUT ROWID;
"""
ORDERS = {"candidates": ("number", 11), "measurements": ("1, 2, 3, 4, 5", 6), "curves": ("1, 2", 3)}


class RunDatabase:
    """One writer; readers may look at any time (write-ahead log). One transaction a chunk of candidates.

    A context manager: however the run ends, the connection is closed.

    Args:
      path: the file; what an interrupted run has stored in it is kept, except for the finalists.
    Raises:
      OutputError: there is a file that is not the database of a run of this version.
    """

    def __init__(self, path: Path):
        self._path = path
        self._connection = sqlite3.connect(path)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # a full disk, a file that may not be written
                raise
            raise OutputError(f"{path} cannot be read: {error}\n  Add --fresh to start the run over.") from None

    def _open(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise OutputError(
                f"{self._path} has version {version}, this program writes {SCHEMA_VERSION}\n"
                "  Add --fresh to start the run over."
            )
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")  # the tables and their version appear at once or not at all
            for statement in _statements() if version == 0 else []:
                self._connection.execute(statement)
            for table in ("measurements", "curves"):
                self._connection.execute(f"DELETE FROM {table} WHERE stage = 'final'")

    def __enter__(self) -> "RunDatabase":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def recall(self, candidate: Candidate, stage: str) -> bool:
        """Fills in what is stored of a candidate, bit for bit; False where nothing is, or another one has its number."""
        row = self._connection.execute(
            "SELECT blueprint, status, reason FROM candidates WHERE number = ?", (candidate.number,)
        ).fetchone()
        if row is None or row[0] != candidate.blueprint.to_json():
            return False
        candidate.status, candidate.reason = row[1:]
        curve = self._connection.execute(
            "SELECT losses FROM curves WHERE candidate = ? AND stage = ?", (candidate.number, stage)
        ).fetchone()
        candidate.losses = np.frombuffer(curve[0], "<f4").tolist() if curve else []
        scores: dict[int, dict[str, float]] = {}
        for step, metric, value in self._connection.execute(
            "SELECT step, metric, value FROM measurements WHERE candidate = ? AND stage = ? AND split = 'validation' "
            "ORDER BY step, metric",
            (candidate.number, stage),
        ):
            scores.setdefault(step, {})[metric] = math.nan if value is None else value
        candidate.scores = [Score(step, metrics) for step, metrics in scores.items()]
        return True

    def record(self, candidates: Sequence[Candidate], stage: str) -> None:
        """Stores candidates, or what another stage measured on stored ones, in one transaction."""
        with self._connection:
            for candidate in candidates:
                if stage == "prototype":
                    self._record_candidate(candidate)
                self._connection.executemany(
                    "INSERT OR REPLACE INTO measurements VALUES (?, ?, 'validation', ?, ?, ?)",
                    [
                        (candidate.number, stage, score.step, metric, value)
                        for score in candidate.scores
                        for metric, value in score.metrics.items()
                    ],
                )
                if candidate.losses:
                    losses = np.asarray(candidate.losses, "<f4").tobytes()
                    self._connection.execute(
                        "INSERT OR REPLACE INTO curves VALUES (?, ?, ?)", (candidate.number, stage, losses)
                    )

    def record_test(self, candidate: Candidate, step: int, metrics: dict[str, float]) -> None:
        """Stores what the winner scored on the test data."""
        with self._connection:
            self._connection.executemany(
                "INSERT INTO measurements VALUES (?, 'final', 'test', ?, ?, ?)",
                [(candidate.number, step, metric, value) for metric, value in metrics.items()],
            )

    def _record_candidate(self, candidate: Candidate) -> None:
        costs = candidate.costs
        self._connection.execute(
            "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (number) DO UPDATE SET status = excluded.status, reason = excluded.reason",
            (
                candidate.number,
                candidate.round,
                candidate.blueprint.id,
                json.dumps(candidate.genotype.tolist()),
                candidate.blueprint.to_json(),
                int(costs["params"]),
                float(costs["flops"]),
                float(costs["memory_bytes"]),
                float(costs["latency_ms"]),
                candidate.status,
                candidate.reason,
            ),
        )

    def finish(self) -> None:
        """Closes the database and leaves one file whose bytes depend on its content alone, not on how often the run was interrupted.

        Written anew in a fixed order, because the header of a database counts the transactions it has seen.
        """
        part = self._path.with_name(self._path.name + ".part")
        part.unlink(missing_ok=True)
        copy = sqlite3.connect(part)
        for statement in _statements():
            copy.execute(statement)
        for table, (order, columns) in ORDERS.items():
            rows = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
            copy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)
        copy.commit()
        copy.close()
        # Somebody may be reading: the old file and its log stay whole for who has them open. The log goes first, since
        # a log beside a file that it does not belong to would be applied to it.
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._connection.close()
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        part.replace(self._path)


def _statements() -> list[str]:
    """What makes an empty database, one statement each."""
    return [*(s for s in TABLES.split(";") if s.strip()), f"PRAGMA user_version={SCHEMA_VERSION}"]
