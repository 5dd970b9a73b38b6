"""A rough forecast of a run, before it: programs and time. Never shown as a measurement."""

import dataclasses
from typing import TYPE_CHECKING

import jax
import numpy as np

from metagen_jax.synth.costs import DEVICES

if TYPE_CHECKING:
    from metagen_jax.automl.pipeline import Options, Prepared

COMPILE_S = 8.0  # of one training program on a CPU core
TRAINING_FACTOR = 3.0  # forward and backward, in forward passes


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The forecast.

    Attributes:
      programs: compiled training programs, one a structure and one for the finalists.
      seconds: of the whole run.
      text: both in words.
    """

    programs: int
    seconds: float
    text: str


def estimate(prepared: "Prepared", options: "Options") -> Estimate:
    """Forecasts a run from the FLOPs of the largest network that a program has to hold."""
    space, spec = prepared.space, prepared.spec
    budget = spec.search.budget if options.search else 1
    devices = options.num_devices or len(jax.devices())
    largest = {axis: np.array([length]) for axis, length in space.allocated.items()}
    flops = max(float(model(largest).flops[0]) for model in space.cost_models.values())
    step_s = TRAINING_FACTOR * flops * spec.training.batch_size / DEVICES[jax.default_backend()].flops_per_s
    prototypes = budget * spec.search.prototype_steps if options.train_prototypes else 0
    finalists = spec.search.finalists * spec.training.steps
    programs = len(space.sources) * options.train_prototypes + 1
    seconds = programs * COMPILE_S + step_s * (prototypes + finalists) / devices
    about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    text = (
        f"{budget} candidates for {spec.search.prototype_steps} steps in {programs - 1} program(s), "
        f"{min(budget, spec.search.finalists)} finalist(s) for {spec.training.steps} steps in 1 more; roughly {about}"
    )
    return Estimate(programs, seconds, text)
