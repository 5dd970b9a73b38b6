"""What a network costs, as JAX functions of its sizes, derived from the program that it is trained with."""

from metagen_jax.synth.costs.effort import Effort
from metagen_jax.synth.costs.latency import Predictor, predictor_of
from metagen_jax.synth.costs.model import FLOAT_BYTES, CostModel, Costs, Program, build_cost_model, effort_of
from metagen_jax.synth.costs.wide import Wide, exact

__all__ = [
    "FLOAT_BYTES",
    "CostModel",
    "Costs",
    "Effort",
    "Predictor",
    "Program",
    "Wide",
    "build_cost_model",
    "effort_of",
    "exact",
    "predictor_of",
]
