"""Test problems with several objectives and known fronts, as pure JAX functions: ZDT1-4, ZDT6 and DTLZ2.

References:
  Zitzler, Deb and Thiele, Comparison of Multiobjective Evolutionary Algorithms: Empirical Results, 2000 (ZDT).
  Deb, Thiele, Laumanns and Zitzler, Scalable Test Problems for Evolutionary Multiobjective Optimization, 2005 (DTLZ).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search import Continuous, Space

REFERENCE = 1.1  # in every objective


class Problem(NamedTuple):
    """A function to minimise. N: rows, D: dimensions, M: objectives."""

    name: str
    space: Space
    num_objectives: int
    evaluate: Callable[[jax.Array], jax.Array]  # (N, D) -> losses (N, M)
    front_hypervolume: float  # of the whole true front below the reference point (1.1, ...)


def zdt1(x: jax.Array) -> jax.Array:
    """A convex front: f1 = 1 - sqrt(f0)."""
    g = 1.0 + 9.0 * x[:, 1:].mean(axis=1)
    return jnp.stack([x[:, 0], g * (1.0 - jnp.sqrt(x[:, 0] / g))], axis=1)


def zdt2(x: jax.Array) -> jax.Array:
    """A front that is not convex: f1 = 1 - f0^2."""
    g = 1.0 + 9.0 * x[:, 1:].mean(axis=1)
    return jnp.stack([x[:, 0], g * (1.0 - (x[:, 0] / g) ** 2)], axis=1)


def zdt3(x: jax.Array) -> jax.Array:
    """A front of five pieces."""
    g = 1.0 + 9.0 * x[:, 1:].mean(axis=1)
    share = x[:, 0] / g
    wave = share * jnp.sin(10.0 * jnp.pi * x[:, 0])
    return jnp.stack([x[:, 0], g * (1.0 - jnp.sqrt(share) - wave)], axis=1)


def zdt4(x: jax.Array) -> jax.Array:
    """The front of ZDT1 behind 21^9 local ones."""
    tail = x[:, 1:]
    g = 1.0 + 10.0 * tail.shape[1] + (tail**2 - 10.0 * jnp.cos(4.0 * jnp.pi * tail)).sum(axis=1)
    return jnp.stack([x[:, 0], g * (1.0 - jnp.sqrt(x[:, 0] / g))], axis=1)


def zdt6(x: jax.Array) -> jax.Array:
    """A front that is not convex, which random points reach rarely and unevenly."""
    f0 = 1.0 - jnp.exp(-4.0 * x[:, 0]) * jnp.sin(6.0 * jnp.pi * x[:, 0]) ** 6
    g = 1.0 + 9.0 * x[:, 1:].mean(axis=1) ** 0.25
    return jnp.stack([f0, g * (1.0 - (f0 / g) ** 2)], axis=1)


def dtlz2(x: jax.Array) -> jax.Array:
    """The positive part of a sphere around 0; three objectives."""
    radius = 1.0 + ((x[:, 2:] - 0.5) ** 2).sum(axis=1)
    sine, cosine = (jnp.sin(share * (jnp.pi / 2)) for share in (x[:, :2], 1.0 - x[:, :2]))
    # The cosine is the sine of the complement, so that it is 0 and not -4e-8 at the end of the range: a negative value
    # would make a larger radius a better loss.
    return radius[:, None] * jnp.stack(
        [cosine[:, 0] * cosine[:, 1], cosine[:, 0] * sine[:, 1], sine[:, 0]],
        axis=1,
    )


def _zdt3_front_hypervolume() -> float:
    """Integrates over a fine grid what the lower envelope of the front leaves below the reference point."""
    f0 = np.linspace(0.0, 1.0, 1_000_001)
    lowest = np.minimum.accumulate(1.0 - np.sqrt(f0) - f0 * np.sin(10.0 * np.pi * f0))
    return float(np.trapezoid(REFERENCE - lowest, f0) + (REFERENCE - 1.0) * (REFERENCE - lowest[-1]))


def _zdt6_front_hypervolume() -> float:
    """The area below 1.1 and above f1 = 1 - f0^2, which starts at the smallest f0 that exists."""
    x = np.linspace(0.0, 0.2, 1_000_001)
    start = float((1.0 - np.exp(-4.0 * x) * np.sin(6.0 * np.pi * x) ** 6).min())  # 0.2808
    return 0.1 * (1.0 - start) + (1.0 - start**3) / 3 + 0.1 * REFERENCE


def _box(num_dimensions: int) -> Space:
    return Space((Continuous(0.0, 1.0),) * num_dimensions)


PROBLEMS = (
    Problem("ZDT1", _box(30), 2, zdt1, REFERENCE**2 - 1 / 3),
    Problem("ZDT2", _box(30), 2, zdt2, REFERENCE**2 - 2 / 3),
    Problem("ZDT3", _box(30), 2, zdt3, _zdt3_front_hypervolume()),
    Problem("ZDT4", Space((Continuous(0.0, 1.0), *(Continuous(-5.0, 5.0),) * 9)), 2, zdt4, REFERENCE**2 - 1 / 3),
    Problem("ZDT6", _box(10), 2, zdt6, _zdt6_front_hypervolume()),
    Problem("DTLZ2", _box(12), 3, dtlz2, REFERENCE**3 - math.pi / 6),
)
