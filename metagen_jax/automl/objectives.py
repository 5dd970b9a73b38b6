"""The objectives of a spec as losses: every one minimised, NaN where a candidate has no number."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.automl.candidate import STOPPED, TRAINED, Candidate
from metagen_jax.search import pareto_mask
from metagen_jax.spec import Objective
from metagen_jax.spec.tasks import COSTS


def measured_by(metric: str) -> str:
    """The name under which a modality reports what an objective reads.

    Examples:
      >>> measured_by("validation_accuracy"), measured_by("bits_per_character")
      ('accuracy', 'bits_per_character')
    """
    return metric.removeprefix("validation_")


def value(candidate: Candidate, metric: str) -> float:
    """What a candidate has for the metric of an objective, as the user counts it; NaN if it was not measured."""
    if metric in COSTS:
        return float(candidate.costs[metric])
    return candidate.metrics.get(measured_by(metric), math.nan)


def losses(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> np.ndarray:
    """`(N, M)` float32, every objective minimised; the whole row of a candidate that failed is NaN.

    A candidate that was stopped at a rung has what it had reached there.
    """
    rows = [
        [
            value(c, o.metric) * (-1 if o.direction == "maximize" else 1)
            if c.status in (TRAINED, STOPPED)
            else math.nan
            for o in objectives
        ]
        for c in candidates
    ]
    return np.array(rows, np.float32).reshape(len(candidates), len(objectives))


def front(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> list[Candidate]:
    """The trained candidates that no other beats in all objectives, best in the first objective first."""
    table, _ = padded(losses(candidates, objectives))
    trained, _ = padded(np.array([candidate.status == TRAINED for candidate in candidates], bool))
    on_front = np.asarray(pareto_mask(table, trained))
    return [candidates[i] for i in best_first(candidates, objectives) if on_front[i]]


def padded(rows: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """`(N, ...)` rows with zeros behind them up to a power of two, so that few sizes are compiled; which are real.

    Examples:
      >>> rows, valid = padded(np.ones((3, 2), np.float32))
      >>> rows.shape, valid.tolist()
      ((4, 2), [True, True, True, False])
    """
    size = 1 << max(len(rows) - 1, 0).bit_length()
    filled = np.zeros((size, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    return jnp.asarray(filled), jnp.arange(size) < len(rows)


def best_first(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> list[int]:
    """Positions of the trained candidates, sorted by the first objective, then the others, then their number."""
    table = losses(candidates, objectives)
    order = sorted(range(len(candidates)), key=lambda i: (*table[i].tolist(), candidates[i].number))
    return [i for i in order if candidates[i].status == TRAINED]


def finalists(candidates: Sequence[Candidate], objectives: Sequence[Objective], count: int) -> list[Candidate]:
    """The `count` members of the front that are best in the first objective; if it is shorter, the next best."""
    chosen = front(candidates, objectives)[:count]
    rest = (candidates[i] for i in best_first(candidates, objectives))
    return (chosen + [candidate for candidate in rest if candidate not in chosen])[:count]


def promoted(candidates: Sequence[Candidate], objectives: Sequence[Objective], step: int, count: int) -> set[int]:
    """Numbers of the `count` candidates that go on after a rung, chosen like finalists by what they had at that step."""
    there = [
        dataclasses.replace(c, status=TRAINED, scores=[score for score in c.scores if score.step <= step])
        for c in candidates
        if any(score.step == step for score in c.scores)
    ]
    return {candidate.number for candidate in finalists(there, objectives, count)}
