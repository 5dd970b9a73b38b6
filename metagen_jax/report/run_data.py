"""Reads a run folder back: what `result.json` and `search.sqlite` hold, as plain records."""

import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from metagen_jax.automl.objectives import measured_by

COSTS = ("params", "flops", "memory_bytes", "latency_ms")


@dataclasses.dataclass(frozen=True)
class Record:
    """One candidate as it was stored.

    Attributes:
      costs: by name.
      scores: validation metrics of the prototype by metric: `(step, value)` in ascending steps.
      final: the same for a finalist's long training; empty for others.
      losses: training loss of every prototype step.
    """

    number: int
    round: int
    status: str
    costs: dict[str, float]
    scores: dict[str, list[tuple[int, float]]]
    final: dict[str, list[tuple[int, float]]]
    losses: np.ndarray

    def objective(self, name: str) -> float:
        """The value that the search saw for an objective; NaN where there is none."""
        if name in COSTS:
            return self.costs[name]
        measured = self.scores.get(measured_by(name), [])
        return measured[-1][1] if measured and self.status == "trained" else float("nan")


@dataclasses.dataclass(frozen=True)
class RunData:
    """A run folder in memory: the content of `result.json`, and every candidate."""

    result: dict[str, Any]
    records: tuple[Record, ...]


def read_run(folder: Path) -> RunData:
    """Reads a run folder; nothing is written to it."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    connection = sqlite3.connect(f"file:{folder / 'search.sqlite'}?mode=ro", uri=True)
    try:
        return RunData(result, tuple(_records(connection)))
    finally:
        connection.close()


def _records(connection: sqlite3.Connection) -> list[Record]:
    measured: dict[tuple[int, str], dict[str, list[tuple[int, float]]]] = {}
    rows = connection.execute(
        "SELECT candidate, stage, metric, step, value FROM measurements WHERE split = 'validation' ORDER BY step"
    )
    for number, stage, metric, step, value in rows:
        measured.setdefault((number, stage), {}).setdefault(metric, []).append((step, value))
    curves = {
        number: np.frombuffer(blob, "<f4")
        for number, blob in connection.execute("SELECT candidate, losses FROM curves WHERE stage = 'prototype'")
    }
    candidates = connection.execute(f"SELECT number, round, status, {', '.join(COSTS)} FROM candidates ORDER BY number")
    return [
        Record(
            number=number,
            round=round_,
            status=status,
            costs=dict(zip(COSTS, costs, strict=True)),
            scores=measured.get((number, "prototype"), {}),
            final=measured.get((number, "final"), {}),
            losses=curves.get(number, np.zeros(0, np.float32)),
        )
        for number, round_, status, *costs in candidates
    ]
