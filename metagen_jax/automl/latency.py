"""How long plain models take to answer, measured on the device at hand."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from flax import nnx

from metagen_jax.population.devices import accelerator
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth.modalities.base import Array

ROUNDS = 25  # over all models, so that a machine which slows down or speeds up does so for all of them
WARM_UP = 2  # calls that do not count, in each round
MOST_CALLS, ROUND_S = 20, 0.01  # of a model in a round, whichever is reached first

# Else operations of one program are handed to a second thread, and to wake it takes longer than a small network does.
IN_ORDER = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}

Answer = Callable[[], None]  # returns when the answer is there


@dataclasses.dataclass(frozen=True)
class Timing:
    """What calls of one model took.

    Attributes:
      median_ms: of all calls.
      low_ms, high_ms: the quartiles.
      batch_size: examples of a call.
      calls: how many were timed.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    batch_size: int
    calls: int

    @property
    def throughput_per_s(self) -> float:
        """Examples a second."""
        return 1000.0 * self.batch_size / self.median_ms

    @property
    def written(self) -> str:
        return f"{self.median_ms:.3g} ms ({self.low_ms:.3g}-{self.high_ms:.3g})"


def answering(
    structure: Structure, sizes: Mapping[str, int], weights: Weights, example: tuple[Array, ...], batch_size: int = 1
) -> Answer:
    """Compiles the forward pass of a plain model for a batch; what it reads is on the device already.

    Args:
      example: what the model is called with, as batches of one.
    """
    graph, params = nnx.split(structure.apply(sizes, weights))
    arrays, layout = jax.tree.flatten(params)  # flat, since walking through a state takes longer than a small network
    batch = tuple(np.zeros((batch_size, *each.shape[1:]), each.dtype) for each in example)
    batch = jax.device_put(batch, accelerator())

    @functools.partial(jax.jit, compiler_options=IN_ORDER if jax.default_backend() == "cpu" else None)
    def forward(arrays: list[jax.Array], *batch: jax.Array) -> jax.Array:
        return nnx.merge(graph, jax.tree.unflatten(layout, arrays))(*batch)

    def answer() -> None:
        forward(arrays, *batch).block_until_ready()

    answer()
    return answer


def time_interleaved(
    answers: Sequence[tuple[Answer, int]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Times compiled models in turns.

    Args:
      answers: models, each with the size of its batch.
      rounds: in which every model is called several times.
      clock: seconds.
    """
    taken: list[list[float]] = [[] for _ in answers]
    for _ in range(rounds):
        for (answer, _), seconds in zip(answers, taken, strict=True):
            for _ in range(WARM_UP):
                answer()
            seconds += _round(answer, clock)
    return [_timing(seconds, batch_size) for seconds, (_, batch_size) in zip(taken, answers, strict=True)]


def _round(answer: Answer, clock: Callable[[], float]) -> list[float]:
    first, seconds = clock(), list[float]()
    while len(seconds) < MOST_CALLS and (not seconds or clock() - first < ROUND_S):
        started = clock()
        answer()
        seconds.append(clock() - started)
    return seconds


def _timing(seconds: list[float], batch_size: int) -> Timing:
    low, median, high = (float(1000 * value) for value in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return Timing(median, low, high, batch_size, len(seconds))
