"""The time of one answer: predicted from what is computed, moved and launched."""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Device:
    """What a kind of device is assumed to sustain on small networks in float32.

    The figures are deliberately round and low: they serve to sort candidates by an estimate before anything is built,
    and are never shown as a measurement.
    """

    flops_per_s: float
    bytes_per_s: float
    overhead_s: float  # of one kernel


DEVICES = {
    "cpu": Device(flops_per_s=3e10, bytes_per_s=1e10, overhead_s=2e-6),
    "gpu": Device(flops_per_s=1e13, bytes_per_s=5e11, overhead_s=4e-6),
    "tpu": Device(flops_per_s=2e13, bytes_per_s=5e11, overhead_s=4e-6),
}


class Effort(NamedTuple):
    """What one answer takes, `(N,)` float32 each.

    Attributes:
      kernels: values that are stored, each by a kernel of its own.
      product_flops: FLOPs of matrix products.
      other_flops: those of everything else.
      transcendentals: evaluations of exponentials and the like.
      moved_bytes: of the weights and of what products read and write.
    """

    kernels: Any
    product_flops: Any
    other_flops: Any
    transcendentals: Any
    moved_bytes: Any


def predicted_ms(effort: Effort, device: Device) -> Any:
    """`(N,)` float32: the longer of computing and moving, and what starting kernels takes."""
    busy = jnp.maximum(
        (effort.product_flops + effort.other_flops + effort.transcendentals) / device.flops_per_s,
        effort.moved_bytes / device.bytes_per_s,
    )
    return 1000.0 * (busy + effort.kernels * device.overhead_s)
