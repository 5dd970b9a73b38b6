"""What a predictor is told of a search before anything is trained: how candidates of similar tasks ranked."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from metagen_jax.search import Prior

STRATEGIES_WITH_PRIOR = ("predictor_guided",)


@dataclasses.dataclass(frozen=True)
class Known:
    """A remembered candidate as a noisy measurement.

    Attributes:
      genotype: indices into the dimensions of the new space.
      targets: for each objective the normal quantile of its rank in its own run: below 0 is better than the middle.
      noise: variance of a target beyond that of what is measured; more counts less.
      run: id of the run that it is from.
      name: that of its spec.
      candidate: its number there.
      similarity: of the two tasks, from 0 to 1.
    """

    genotype: tuple[int, ...]
    targets: tuple[float, ...]
    noise: float
    run: str
    name: str
    candidate: int
    similarity: float

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Known":
        own = {"genotype": tuple(content["genotype"]), "targets": tuple(content["targets"])}
        return cls(**{**content, **own})


def read_prior(origin: Mapping[str, Any]) -> tuple[Known, ...]:
    """What the predictor of a run was told, from the origin of the run or from its manifest."""
    return tuple(Known.from_json(content) for content in origin.get("prior", ()))


def rows_of(prior: Sequence[Known]) -> Prior:
    """As the strategies take it."""
    return Prior(
        jnp.array([known.genotype for known in prior], jnp.int32),
        jnp.array([known.targets for known in prior], jnp.float32),
        jnp.array([known.noise for known in prior], jnp.float32),
    )


def describe(prior: Iterable[Known]) -> list[str]:
    """One line for each run that it is from.

    Examples:
      >>> describe([Known((0, number), (0.5,), 1.0, "1f3a", "digits", number, 0.93) for number in (3, 7)])
      ['memory   the predictor knows 2 candidates of digits (1f3a), similarity 0.93']
    """
    by_run: dict[str, list[Known]] = {}
    for known in prior:
        by_run.setdefault(known.run, []).append(known)
    return [
        f"memory   the predictor knows {len(own)} candidates of {own[0].name} ({run}), similarity {own[0].similarity:.2f}"
        for run, own in by_run.items()
    ]
