"""What a network costs, as JAX functions of its sizes, derived from the program that it is trained with."""

from metagen_jax.synth.costs.latency import DEVICES, Device
from metagen_jax.synth.costs.model import FLOAT_BYTES, CostModel, Costs, Program, build_cost_model
from metagen_jax.synth.costs.wide import Wide, exact

__all__ = ["DEVICES", "FLOAT_BYTES", "CostModel", "Costs", "Device", "Program", "Wide", "build_cost_model", "exact"]
