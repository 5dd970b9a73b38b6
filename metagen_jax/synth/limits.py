"""The limits of a spec, each as a question to the costs of a candidate."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from metagen_jax.spec import ModelSpec
from metagen_jax.spec.devices import memory_of
from metagen_jax.synth.costs import Costs, Predictor, Wide, exact

SHOWN_DIGITS = 3  # of a number that is no count


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limit: `measure` must not be above `bound` (or, for a lower limit, below it).

    Attributes:
      path: where the spec has it.
      label: what is limited.
      bound: in the unit of `measure`.
      upper: whether more is worse.
      measure: costs to the limited quantity.
      show: a number of that quantity as text with its unit.
      written_bound: the limit as the spec has it; empty where that is `bound`.
      margin: what the spec has to say for a bound of one: it leaves room for the error of a prediction.
    """

    path: str
    label: str
    bound: float
    upper: bool
    measure: Callable[[Costs], Any]
    show: Callable[[float], str]
    written_bound: str = ""
    margin: float = 1.0

    def measured(self, costs: Costs) -> np.ndarray:
        """The limited quantity of each candidate, outside of JAX: exact where it is a count."""
        value = self.measure(costs)
        return exact(value) if isinstance(value, Wide) else np.asarray(value, np.float64)

    @property
    def written(self) -> str:
        return f"{self.label} {'at most' if self.upper else 'at least'} {self.written_bound or self.show(self.bound)}"

    def excess(self, costs: Costs, bound: Any = None) -> Any:
        """By how much each candidate breaks the limit, relative to it: 0 where it is kept.

        Args:
          bound: in the place of its own, `()`, traced or not: a `Wide` for a count, else a float.
        Returns:
          `(N,)` float32, an array of NumPy where the costs are.
        """
        value = self.measure(costs)
        if isinstance(value, Wide):
            xp = value.high.__array_namespace__()
            exact_bound = Wide.of(int(self.bound)) if bound is None else bound
            broken = value.exceeds(exact_bound) if self.upper else exact_bound.exceeds(value)
            bound = exact_bound.rounded()
            beyond = xp.where(broken, xp.maximum(xp.abs(value.rounded() - bound), 1.0), 0.0)
        else:
            xp = value.__array_namespace__()
            bound = np.float32(self.bound) if bound is None else bound
            beyond = xp.maximum(value - bound if self.upper else bound - value, 0.0)
        return beyond.astype(np.float32) / xp.maximum(bound, 1e-9)

    def nearest(self, measured: np.ndarray) -> str:
        """What the spec would have to say for the nearest to the bound of candidates that break it.

        It is rounded to the side on which that candidate keeps it.
        """
        closest = float(measured[np.argmin(np.abs(measured - self.bound))])
        if self.margin == 1.0:
            return self.show(self._rounded(closest))
        return f"{self.show(self._rounded(closest * self.margin))} (predicted {self.show(closest)})"

    def _rounded(self, number: float) -> float:
        if number <= 0 or self.show is show_params:
            return number
        step = 10.0 ** (math.floor(math.log10(number)) + 1 - SHOWN_DIGITS)
        return (math.ceil if self.upper else math.floor)(number / step) * step


def show_params(count: float) -> str:
    return f"{int(count):,} parameters"


def show_bytes(count: float) -> str:
    return f"{count / 1e6:,.3g} MB" if count < 1e9 else f"{count / 1e9:,.3g} GB"


def show_ms(duration: float) -> str:
    return f"{duration:,.0f} ms" if duration >= 1000 else f"{duration:.3g} ms"


def show_rate(rate: float) -> str:
    return f"{rate:,.0f} a second" if rate >= 1000 else f"{rate:.4g} a second"


def limits_of(spec: ModelSpec, predictor: Predictor) -> tuple[Limit, ...]:
    """Returns the limits that a spec sets, in the order of the spec language.

    Those on time are kept by predictions, with room for what the predictor errs by.
    """
    limits = spec.constraints
    section = "constraints"
    found = []
    if limits.min_params:
        low = functools.partial(Limit, f"{section}.parameter_budget.min", "parameters:", limits.min_params, False)
        found.append(low(lambda costs: costs.params, show_params))
    if limits.max_params is not None:
        high = functools.partial(Limit, f"{section}.parameter_budget.max", "parameters:", limits.max_params, True)
        found.append(high(lambda costs: costs.params, show_params))
    if limits.memory_bytes is not None:
        memory = functools.partial(
            Limit, f"{section}.memory_budget", "training memory, estimated:", limits.memory_bytes
        )
        found.append(memory(True, lambda costs: costs.memory_bytes, show_bytes))
    if limits.inference_memory_bytes is not None:
        implied = limits.inference_memory_bytes == memory_of(limits.device)
        path = f"{section}.{'device' if implied else 'inference_memory'}"
        answering = functools.partial(Limit, path, "inference memory, estimated:", limits.inference_memory_bytes)
        found.append(answering(True, lambda costs: costs.inference_bytes, show_bytes))
    if limits.latency_ms is not None:
        most = limits.latency_ms / (1.0 + predictor.error)
        written = _with_margin(show_ms(limits.latency_ms), f"at most {show_ms(most)}", predictor)
        latency = functools.partial(Limit, f"{section}.latency", "latency", most, True)
        found.append(latency(lambda costs: costs.latency_ms, show_ms, written, 1.0 + predictor.error))
    if limits.throughput_per_s is not None:
        least = limits.throughput_per_s * (1.0 + predictor.error)
        written = _with_margin(show_rate(limits.throughput_per_s), f"at least {show_rate(least)}", predictor)
        rate = functools.partial(Limit, f"{section}.throughput", "throughput", least, False)
        found.append(rate(lambda costs: 1000.0 / costs.latency_ms, show_rate, written, 1.0 / (1.0 + predictor.error)))
    return tuple(found)


def longest_ms(spec: ModelSpec) -> float | None:
    """The longest that one answer may take when it is measured; None where the spec does not limit time."""
    limits = spec.constraints
    longest = [] if limits.latency_ms is None else [limits.latency_ms]
    longest += [] if limits.throughput_per_s is None else [1000.0 / limits.throughput_per_s]
    return min(longest, default=None)


def _with_margin(limit: str, bound: str, predictor: Predictor) -> str:
    origin = "a predictor" if predictor.calibrated else "a table, not calibrated,"
    return f"{limit} (predicted {bound}, for {origin} that errs by {predictor.error:.0%})"
