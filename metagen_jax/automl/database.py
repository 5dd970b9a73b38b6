"""`search.sqlite`: every candidate, every measurement, every failure of a run. Holds no time of day."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metagen_jax.automl.candidate import Candidate

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


class RunDatabase:
    """One writer; readers may look at any time (write-ahead log). One transaction a round.

    Args:
      path: the file; must not exist yet.
    """

    def __init__(self, path: Path):
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        self._connection.executescript(TABLES)

    def record(self, candidates: Sequence[Candidate], stage: str) -> None:
        """Stores candidates, or what another stage measured on stored ones, in one transaction."""
        with self._connection:
            for candidate in candidates:
                self._record_candidate(candidate)
                self._connection.executemany(
                    "INSERT INTO measurements VALUES (?, ?, 'validation', ?, ?, ?)",
                    [
                        (candidate.number, stage, score.step, metric, value)
                        for score in candidate.scores
                        for metric, value in score.metrics.items()
                    ],
                )
                if candidate.losses:
                    losses = np.asarray(candidate.losses, "<f4").tobytes()
                    self._connection.execute("INSERT INTO curves VALUES (?, ?, ?)", (candidate.number, stage, losses))

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
            "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO NOTHING",
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

    def close(self) -> None:
        """Leaves one file whose bytes depend on its content alone."""
        self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.execute("VACUUM")
        self._connection.close()
