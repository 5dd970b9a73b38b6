"""What a network costs, from its sizes: exact parameters, counted FLOPs, estimated memory and latency."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from metagen_jax.synth import named_axes
from metagen_jax.synth.modalities.base import CostTerms
from metagen_jax.synth.named_axes import Leaf

FLOAT_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Device:
    """What a kind of device is assumed to sustain on small networks in float32.

    The figures are deliberately round and low: they serve to sort candidates by an estimate before anything is built,
    and are never shown as a measurement.
    """

    flops_per_s: float
    bytes_per_s: float
    overhead_s: float  # of one layer


DEVICES = {
    "cpu": Device(flops_per_s=3e10, bytes_per_s=1e10, overhead_s=5e-5),
    "gpu": Device(flops_per_s=1e13, bytes_per_s=5e11, overhead_s=2e-5),
    "tpu": Device(flops_per_s=2e13, bytes_per_s=5e11, overhead_s=2e-5),
}


class Costs(NamedTuple):
    """Costs of N networks, every field `(N,)`; the estimates are for float32, also where products are in bfloat16.

    Attributes:
      params: int32, exact.
      flops: float32, of one forward pass over one example; a multiply and an add are two.
      memory_bytes: float32, estimate for one training step: weights and their updates, gradients, AdamW's
        moments, kept activations.
      inference_bytes: float32, estimate for one answer: weights, activations of one layer, and for a causal network the
        keys and values of a full context.
      latency_ms: float32, estimate for one example on the spec's device.
    """

    params: Any
    flops: Any
    memory_bytes: Any
    inference_bytes: Any
    latency_ms: Any


@dataclasses.dataclass(frozen=True)
class CostModel:
    """The costs of one structure as a function of its sizes.

    Attributes:
      leaves: the parameters at the largest sizes of the space.
      terms: what its family adds to the products with the parameters.
      num_positions: T, positions of one example.
      num_outputs: positions at which the head is applied.
      batch_size: examples in a training step.
      device: a key of `DEVICES`.
      causal: whether keys and values of earlier positions are kept between answers.
    """

    leaves: tuple[Leaf, ...]
    terms: CostTerms
    num_positions: int
    num_outputs: int
    batch_size: int
    device: str
    causal: bool

    @functools.cached_property
    def layer_axes(self) -> tuple[str, ...]:
        """The axes that count layers."""
        return tuple(dict.fromkeys(axis for leaf in self.leaves for axis, _ in leaf.layers))

    def __call__(self, sizes: Mapping[str, Any]) -> Costs:
        """Returns the costs; every entry of `sizes` is `(N,)` int32."""
        params = named_axes.param_count(self.leaves, sizes)
        real = {axis: jnp.asarray(length, jnp.float32) for axis, length in sizes.items()}
        flops = self.terms.flops(real, self.num_positions)
        for leaf in self.leaves:
            if leaf.fan_in:
                positions = self.num_outputs if leaf.path[0] == "head" else self.num_positions
                flops = flops + 2.0 * positions * named_axes.param_count((leaf,), real)
        activations = self.batch_size * self.num_positions * self.terms.kept(real, self.num_positions)
        layers = sum(real[axis] for axis in self.layer_axes)
        one_layer = real | dict.fromkeys(self.layer_axes, 1.0)
        answering = self.num_positions * self.terms.kept(one_layer, self.num_positions)
        if self.causal:
            answering = answering + 2 * self.num_positions * layers * real["num_heads"] * real["head_dim"]
        weights = jnp.asarray(params, jnp.float32)
        device = DEVICES[self.device]
        busy = jnp.maximum(flops / device.flops_per_s, FLOAT_BYTES * weights / device.bytes_per_s)
        return Costs(
            params=params,
            flops=flops,
            memory_bytes=FLOAT_BYTES * (5 * weights + activations),
            inference_bytes=FLOAT_BYTES * (weights + answering),
            latency_ms=1000.0 * (busy + layers * device.overhead_s),
        )
