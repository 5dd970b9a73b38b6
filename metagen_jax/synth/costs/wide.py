"""Whole numbers up to 2^64 inside of JAX functions, where integers have 32 bits: counts of parameters are exact."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_HALF = np.uint32(0xFFFF)


class Wide(NamedTuple):
    """`high * 2^32 + low`, both uint32 of one shape."""

    high: Any
    low: Any

    def __add__(self, other: "Wide") -> "Wide":  # type: ignore[override]  # a sum, not a longer tuple
        low = self.low + other.low
        return Wide(self.high + other.high + (low < self.low).astype(jnp.uint32), low)

    def __int__(self) -> int:
        return (int(self.high) << 32) | int(self.low)

    def times(self, factor: jax.Array) -> "Wide":
        """Multiplies by numbers from 0 to 2^31 - 1; what is beyond 2^64 is lost."""
        number = jnp.asarray(factor).astype(jnp.uint32)
        carry, low = _product(self.low, number)
        return Wide(self.high * number + carry, low)

    @classmethod
    def of(cls, count: int) -> "Wide":
        """Of a whole number from 0 to 2^64 - 1."""
        return cls(np.uint32(count >> 32), np.uint32(count & 0xFFFFFFFF))

    def exceeds(self, other: "Wide") -> jax.Array:
        """Where it is the larger one."""
        return (self.high > other.high) | ((self.high == other.high) & (self.low > other.low))

    def rounded(self) -> jax.Array:
        """As float32."""
        return self.high.astype(np.float32) * np.float32(2**32) + self.low.astype(np.float32)


def product(factors: Iterable[Any]) -> Wide:
    """Multiplies whole numbers from 0 to 2^31 - 1, arrays or not.

    Examples:
      >>> int(product([128_256, 8_192, jnp.int32(80)]))
      84053852160
    """
    total = Wide(jnp.uint32(0), jnp.uint32(1))
    for factor in factors:
        total = total.times(factor)
    return total


def exact(count: Wide) -> np.ndarray:
    """As int64, outside of JAX."""
    return (np.asarray(count.high).astype(np.int64) << 32) | np.asarray(count.low).astype(np.int64)


def _product(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The upper and lower 32 bits of a product of uint32 numbers, from those of their halves."""
    a_high, a_low, b_high, b_low = a >> 16, a & _HALF, b >> 16, b & _HALF
    low, high = a_low * b_low, a_high * b_high
    middle = a_high * b_low + (low >> 16)  # at most 2^32 - 1
    other = a_low * b_high + (middle & _HALF)
    return high + (middle >> 16) + (other >> 16), (other << 16) | (low & _HALF)
