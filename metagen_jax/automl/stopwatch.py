"""What candidates of a run take when they are measured: each once, and kept in its folder."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.latency import Answer, Timing, time_interleaved
from metagen_jax.automl.run_folder import LATENCY, write_json
from metagen_jax.synth.costs import Predictor

SCHEMA_VERSION = 1
MOST_MEASURED = 5  # members of the front, best in the first objective first; finalists are measured in any case
LARGE_BATCH = 64  # of the winner's throughput

Compile = Callable[[Candidate, int], Answer]  # a candidate and a batch size to its compiled plain model


class Stopwatch:
    """Measures candidates at batch 1, and remembers.

    Args:
      folder: of the run, where `latency.json` is written after every measurement.
      predictor: of the latencies in the candidates' costs.
      compiled: makes what is timed; called in turns with the timing, for a handful of candidates.
      recorded: the content of a `latency.json` whose measurements count as made; None: nothing was measured before.
      time_all: for tests.
    """

    def __init__(
        self,
        folder: Path,
        predictor: Predictor,
        compiled: Compile,
        recorded: Mapping[str, Any] | None = None,
        time_all: Callable[[Sequence[tuple[Answer, int]]], list[Timing]] = time_interleaved,
    ):
        self._file, self._predictor, self._compiled, self._time_all = folder / LATENCY, predictor, compiled, time_all
        rows = [] if recorded is None else recorded["candidates"]
        self._recorded = {row["id"]: Timing(**row["timing"]) for row in rows}
        self._content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "device": jax.devices()[0].device_kind,
            "backend": jax.default_backend(),
            "predicted_for": predictor.device,
            "predictions": predictor.says,
            "candidates": rows,
        }

    def measure(self, candidates: Sequence[Candidate]) -> dict[int, Timing]:
        """What each takes, by its number; measured unless it was before."""
        new = [candidate for candidate in candidates if candidate.blueprint.id not in self._recorded]
        timings = self._time_all([(self._compiled(candidate, 1), 1) for candidate in new]) if new else []
        self._recorded |= {c.blueprint.id: timing for c, timing in zip(new, timings, strict=True)}
        found = {candidate.number: self._recorded[candidate.blueprint.id] for candidate in candidates}
        rows = {row["number"]: row for row in self._content["candidates"]}
        rows |= {c.number: _row(c, found[c.number]) for c in candidates}
        self._write(candidates=[rows[number] for number in sorted(rows)])
        return found

    def measure_winner(self, winner: Candidate) -> dict[str, Any]:
        """Adds the throughput of the winner, one by one and in a large batch; returns all that is measured of it."""
        single = self.measure([winner])[winner.number]
        (large,) = self._time_all([(self._compiled(winner, LARGE_BATCH), LARGE_BATCH)])
        self._write(
            winner={
                **_row(winner, single),
                "throughput_per_s": {str(each.batch_size): each.throughput_per_s for each in (single, large)},
            }
        )
        return self._content

    def _write(self, **more: Any) -> None:
        self._content |= more
        write_json(self._file, self._content)


def read_latency(folder: Path) -> dict[str, Any] | None:
    """What was measured in a run's folder; None where nothing was."""
    file = folder / LATENCY
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _row(candidate: Candidate, timing: Timing) -> dict[str, Any]:
    return {
        "number": candidate.number,
        "id": candidate.blueprint.id,
        "timing": dataclasses.asdict(timing),
        "predicted_ms": candidate.costs["latency_ms"],
    }
