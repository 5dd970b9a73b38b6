"""Polynomials in the lengths of axes: a cost as a function of sizes."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Exponents = tuple[int, ...]

# Longer than most axes of a small network and prime, so that a length which is a product of axes tells of which.
_PRIMES = (307, 311, 313, 317, 331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419, 421, 431, 433)


@dataclasses.dataclass(frozen=True)
class Polynomial:
    """A sum of products of axes.

    Attributes:
      axes: names of the variables.
      terms: how often each axis is a factor, to the coefficient of that product.
    """

    axes: tuple[str, ...]
    terms: Mapping[Exponents, float]

    def __add__(self, other: "Polynomial") -> "Polynomial":
        keys = dict.fromkeys((*self.terms, *other.terms))
        summed = {key: self.terms.get(key, 0) + other.terms.get(key, 0) for key in keys}
        return Polynomial(self.axes, {key: value for key, value in summed.items() if value})

    def __mul__(self, factor: float) -> "Polynomial":
        return Polynomial(self.axes, {key: factor * value for key, value in self.terms.items()})

    def __sub__(self, other: "Polynomial") -> "Polynomial":
        return self + other * -1

    def at(self, lengths: Mapping[str, float]) -> float:
        """Its value at one length of each axis."""
        powers = ((value, zip(self.axes, key, strict=True)) for key, value in self.terms.items())
        return sum(value * math.prod(lengths[axis] ** power for axis, power in each) for value, each in powers)

    def dominates(self, other: "Polynomial") -> bool:
        """Whether it is nowhere less than another: no coefficient of it is."""
        return all(self.terms.get(key, 0) >= value for key, value in other.terms.items()) and all(
            value >= 0 for key, value in self.terms.items() if key not in other.terms
        )


@dataclasses.dataclass(frozen=True)
class Rulers:
    """Lengths by which an axis is recognised wherever it comes up in the shapes of a trace.

    Attributes:
      lengths: a prime for each axis that divides none of the numbers that are fixed.
    """

    lengths: Mapping[str, int]

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(self.lengths)

    def constant(self, value: float) -> Polynomial:
        return Polynomial(self.axes, {(0,) * len(self.lengths): value})

    def product(self, lengths: Iterable[int]) -> Polynomial:
        """The product of the lengths of a shape.

        Examples:
          >>> rulers = rulers_for(("width", "depth"), fixed=())
          >>> dict(rulers.product((10, 2 * rulers.lengths["depth"])).terms)
          {(0, 1): 20}
        """
        coefficient, exponents = math.prod(lengths), []
        for prime in self.lengths.values():
            power = 0
            while coefficient and coefficient % prime == 0:
                coefficient, power = coefficient // prime, power + 1
            exponents.append(power)
        return Polynomial(self.axes, {tuple(exponents): coefficient})


def rulers_for(axes: tuple[str, ...], fixed: Iterable[int], skip: int = 0) -> Rulers:
    """Chooses a prime for each axis.

    Args:
      axes: names.
      fixed: numbers that come up in shapes and are no axis.
      skip: how many of the primes to pass over; others give the same polynomials of an honest program.
    """
    numbers = tuple(fixed)
    usable = [prime for prime in _PRIMES if all(number % prime for number in numbers if number)]
    return Rulers(dict(zip(axes, usable[skip : skip + len(axes)], strict=True)))


def largest(polynomials: Iterable[Polynomial]) -> tuple[Polynomial, ...]:
    """Leaves out what another is nowhere less than: the maximum of all is that of the rest."""
    kept: list[Polynomial] = []
    for polynomial in sorted(polynomials, key=lambda each: -sum(each.terms.values())):
        if not any(other.dominates(polynomial) for other in kept):
            kept.append(polynomial)
    return tuple(kept)


def evaluate(polynomials: Sequence[Polynomial], sizes: Mapping[str, Any]) -> jax.Array:
    """Evaluates P polynomials in the same axes at N points.

    Args:
      polynomials: at least one.
      sizes: the length of each axis, `(N,)` float32 or `()`.
    Returns:
      `(P, N)` float32, or `(P,)`.

    Examples:
      >>> area = Polynomial(("height", "width"), {(1, 1): 1, (0, 0): 2})
      >>> print(evaluate([area], {"height": jnp.float32(3), "width": jnp.float32(4)}))
      [14.]
    """
    axes = polynomials[0].axes
    products = list(dict.fromkeys(key for polynomial in polynomials for key in polynomial.terms))
    coefficients = np.array([[each.terms.get(key, 0) for key in products] for each in polynomials], np.float32)
    one = jnp.ones(jnp.broadcast_shapes(*(jnp.shape(sizes[axis]) for axis in axes)), jnp.float32)
    factors = [[sizes[axis] for axis, power in zip(axes, key, strict=True) for _ in range(power)] for key in products]
    values = jnp.stack([math.prod(each, start=one) for each in factors]) if products else one[None][:0]
    return jnp.tensordot(jnp.array(coefficients), values, axes=1, precision=jax.lax.Precision.HIGHEST)
