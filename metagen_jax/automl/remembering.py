"""What a run leaves for the next ones."""

import math
from collections.abc import Sequence
from typing import Any

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import PROPOSED, Candidate
from metagen_jax.automl.pipeline import Prepared, Run
from metagen_jax.automl.run_folder import versions
from metagen_jax.memory import Measured, RunRecord, features_of
from metagen_jax.spec.tasks import arrow

COSTS = ("params", "flops", "memory_bytes", "latency_ms")


def record_of(prepared: Prepared, run: Run, date: str) -> RunRecord:
    """Everything that a finished run has measured, as the memory has it.

    Args:
      date: of today, such as `2026-11-27`.
    """
    spec = prepared.spec
    task, features = task_of(prepared)
    finished = [candidate for candidate in run.candidates if candidate.status != PROPOSED]
    measured = [each for each in finished if not math.isnan(objectives.value(each, spec.search.objectives[0].metric))]
    order = [measured[i].number for i in objectives.best_first(measured, spec.search.objectives)]
    places = {number: place for place, number in enumerate(order)}
    later = {finalist.number: _measurements("final", finalist) for finalist in run.finalists}
    return RunRecord(
        name=spec.name,
        date=date,
        task=task,
        spec=spec.to_yaml(),
        features=features,
        objectives=tuple({"metric": each.metric, "direction": each.direction} for each in spec.search.objectives),
        versions=versions(),
        candidates=tuple(
            Measured(
                number=candidate.number,
                blueprint=candidate.blueprint.to_json(),
                costs={name: float(candidate.costs[name]) for name in COSTS},
                status=candidate.status,
                reason=candidate.reason,
                place=places.get(candidate.number),
                measurements=(*_measurements("prototype", candidate), *later.get(candidate.number, ())),
                initial_key=candidate.initial_key or (spec.seed, candidate.number),
            )
            for candidate in finished
        ),
        space={dimension.name: list(dimension.values) for dimension in prepared.space.dimensions},
    )


def task_of(prepared: Prepared) -> tuple[str, dict[str, float]]:
    """What a run is about: inputs and outputs in words, and the features of its spec and its data."""
    spec = prepared.spec
    words = arrow(spec.modality.inputs, spec.modality.outputs)
    return words, features_of(spec, prepared.modality.train_arrays(prepared.dataset))


def _measurements(stage: str, candidate: Candidate) -> Sequence[dict[str, Any]]:
    """What was measured at each length of training; numbers that are none are left out."""
    return [
        {
            "stage": stage,
            "step": score.step,
            "metrics": {name: float(value) for name, value in score.metrics.items() if math.isfinite(value)},
        }
        for score in candidate.scores
    ]
