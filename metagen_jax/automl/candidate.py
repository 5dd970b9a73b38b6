"""A Candidate: one blueprint of a run with everything that was measured on it."""

import dataclasses
import math
from typing import Any

import numpy as np

from metagen_jax.automl.keys import InitialKey
from metagen_jax.synth.architecture import Blueprint

# Stopped at a rung: measured, but not for as long as those that were trained.
PROPOSED, TRAINED, STOPPED, FAILED = "proposed", "trained", "stopped", "failed"


@dataclasses.dataclass(frozen=True)
class Score:
    """Validation metrics after so many training steps."""

    step: int
    metrics: dict[str, float]


@dataclasses.dataclass
class Candidate:
    """One member of the search.

    Attributes:
      number: its position in the run.
      round: the round that proposed it.
      genotype: `(D,)` int32.
      blueprint: what it is.
      costs: params, flops, memory_bytes, latency_ms.
      status: `PROPOSED`, `TRAINED`, `STOPPED` or `FAILED`.
      reason: why it failed, in words.
      losses: training loss of every prototype step.
      scores: validation metrics, in the order of the steps.
      initial_key: of its initial weights; None: `fold_in(run_key, number)`.
      guesses: what the zero-cost proxies of the spec read off its prototype before any training; more promises more.
      shrunk: the smaller network that is trained in its place; None where it is trained itself.
    """

    number: int
    round: int
    genotype: np.ndarray
    blueprint: Blueprint
    costs: dict[str, Any]
    status: str = PROPOSED
    reason: str = ""
    losses: list[float] = dataclasses.field(default_factory=list)
    scores: list[Score] = dataclasses.field(default_factory=list)
    shrunk: Blueprint | None = None
    initial_key: InitialKey | None = None
    guesses: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def prototype(self) -> Blueprint:
        """What is trained."""
        return self.shrunk or self.blueprint

    def proxy(self, name: str) -> float:
        """What a proxy says; more promises more. NaN where it says nothing."""
        return float(self.costs[name] if name in self.costs else self.guesses.get(name, math.nan))

    @property
    def metrics(self) -> dict[str, float]:
        """The last validation metrics; empty where there are none."""
        return self.scores[-1].metrics if self.scores else {}
