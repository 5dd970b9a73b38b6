"""How long a training step and a compilation take on a backend, as a linear function of counted work.

The figures are measured once, by `metagen calibrate`, and kept; no clock is read while a plan is made.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metagen_jax.synth import machine
from metagen_jax.synth.fitting import relative_least_squares

SHIPPED = Path(__file__).with_name("coefficients.json")


@dataclasses.dataclass(frozen=True)
class Coefficients:
    """Seconds of one mode of a backend.

    Attributes:
      step_s: of a training step of a chunk on one device, whatever it computes.
      candidate_s: of a training step, for each candidate.
      flop_s: for each floating-point operation of a training step.
      byte_s: for each byte that a training step keeps.
      compile_s: of compiling a program.
      compile_leaf_s: of compiling it, for each parameter array.
    """

    step_s: float
    candidate_s: float
    flop_s: float
    byte_s: float
    compile_s: float
    compile_leaf_s: float

    def candidate_step_s(self, flops: Any, memory_bytes: Any) -> Any:
        """Seconds of one step of a candidate: FLOPs and bytes of it."""
        return self.candidate_s + flops * self.flop_s + memory_bytes * self.byte_s

    def compilation_s(self, num_leaves: int) -> float:
        """Seconds of compiling a program with so many parameter arrays."""
        return self.compile_s + self.compile_leaf_s * num_leaves


@dataclasses.dataclass(frozen=True)
class Sample:
    """One measured program: its counted work and its seconds.

    Attributes:
      width: candidates of a chunk on the device.
      flops, memory_bytes: of one candidate as it was executed, in a training step.
      num_leaves: parameter arrays.
      step_s: of one step of the chunk.
      compile_s: of compiling.
    """

    width: int
    flops: float
    memory_bytes: float
    num_leaves: int
    step_s: float
    compile_s: float


def fit(samples: Sequence[Sample]) -> Coefficients:
    """Coefficients with the least relative error, none of them negative.

    Examples:
      >>> slow, fast = Sample(1, 1e9, 0, 10, 1.0, 5.0), Sample(1, 1e8, 0, 10, 0.1, 5.0)
      >>> round(fit([slow, fast]).flop_s, 12)
      1e-09
    """
    work = [(1.0, s.width, s.width * s.flops, s.width * s.memory_bytes) for s in samples]
    step = relative_least_squares(work, [s.step_s for s in samples])
    compilation = relative_least_squares([(1.0, s.num_leaves) for s in samples], [s.compile_s for s in samples])
    return Coefficients(*step, *compilation)


def coefficients(backend: str) -> dict[str, Coefficients]:
    """The coefficients of a backend by mode: the user's own if there are any, else the shipped ones."""
    modes = machine.measured(backend, "modes", SHIPPED)
    if modes is None:
        raise ValueError(f"no coefficients for the backend {backend!r}; `metagen calibrate` measures them.")
    return {mode: Coefficients(**values) for mode, values in modes.items()}


def to_keep(modes: Mapping[str, Coefficients], source: str) -> dict[str, Any]:
    """The parts of a backend that `coefficients` reads."""
    return {"source": source, "modes": {mode: dataclasses.asdict(c) for mode, c in modes.items()}}
