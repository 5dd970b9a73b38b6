"""Functions with one objective and a known minimum of 0, as pure JAX: continuous ones and mixed-integer ones.

N: rows, D: dimensions. The mixed ones have, in turn, one continuous, one log-continuous, one integer and one categorical
dimension, so that a quarter is of each kind.

References:
  Hansen et al., Real-Parameter Black-Box Optimization Benchmarking: Noiseless Functions Definitions, 2009. The functions
  here lack its oscillations, and are rotated only where the name says so.
  Tusar, Brockhoff and Hansen, Mixed-Integer Benchmark Problems for Single- and Bi-Objective Optimization, 2019.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search import Categorical, Choice, Continuous, Integer, Space

BOUND = 100.0  # of each continuous dimension, far from where the searches go
NUM_LEVELS = 11  # of an integer dimension
NUM_CATEGORIES = 4


class Function(NamedTuple):
    """A function to minimise."""

    name: str
    space: Space
    evaluate: Callable[[jax.Array], jax.Array]  # (N, D) -> (N,) float32, 0 at the minimum
    start: float  # where comparisons start in every continuous dimension, with step size 1


def sphere(x: jax.Array) -> jax.Array:
    """The sum of squares; minimum at 0."""
    return (x**2).sum(axis=1)


def ellipsoid(x: jax.Array) -> jax.Array:
    """A sphere whose axes differ by a factor of 1,000, so condition number 10^6; minimum at 0."""
    return (10.0 ** jnp.linspace(0.0, 6.0, x.shape[1])[None] * x**2).sum(axis=1)


def rotated_ellipsoid(x: jax.Array) -> jax.Array:
    """The ellipsoid in other coordinates; minimum at 0."""
    return ellipsoid(jnp.matmul(x, jnp.array(_rotation(x.shape[1])), precision="highest"))


def rosenbrock(x: jax.Array) -> jax.Array:
    """A curved valley; minimum at 1."""
    return (100.0 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1.0 - x[:, :-1]) ** 2).sum(axis=1)


def rastrigin(x: jax.Array) -> jax.Array:
    """A sphere with a local minimum near every integer point; minimum at 0."""
    return (x**2 + 10.0 - 10.0 * jnp.cos(2.0 * jnp.pi * x)).sum(axis=1)


@functools.cache
def _rotation(num_dimensions: int) -> np.ndarray:
    """A fixed random orthogonal matrix."""
    drawn = np.random.default_rng(0).standard_normal((num_dimensions, num_dimensions))
    return np.linalg.qr(drawn)[0].astype(np.float32)


def mixed_space(num_dimensions: int) -> Space:
    """Continuous, log-continuous, integer and categorical dimensions in turn."""
    kinds: tuple[Choice, ...] = (
        Continuous(-5.0, 5.0),
        Continuous(1e-5, 1.0, log=True),
        Integer(0, NUM_LEVELS - 1),
        Categorical(NUM_CATEGORIES),
    )
    return Space(tuple(kinds[dimension % len(kinds)] for dimension in range(num_dimensions)))


def mixed(evaluate: Callable[[jax.Array], jax.Array], offset: float = 0.0) -> Callable[[jax.Array], jax.Array]:
    """Turns a function of real numbers with its minimum at `offset` into one of the mixed space, minimum still 0.

    Its minimum lies away from the middle of every dimension: at 1.7, at 10^-3.8, at level 7 and at category 2, the other
    categories being a distance of 2 away from it.
    """

    def of_mixed(genotypes: jax.Array) -> jax.Array:
        real, log, level, category = (genotypes[:, kind::4] for kind in range(4))
        parts = (real - 1.7, 2.0 * (jnp.log10(log) + 3.8), level - 7.0, jnp.where(category == 2.0, 0.0, 2.0))
        num_rows, num_dimensions = genotypes.shape
        x = jnp.zeros((num_rows, num_dimensions), jnp.float32)
        for kind, part in enumerate(parts):
            x = x.at[:, kind::4].set(part)
        return evaluate(x + offset)

    return of_mixed


def box(num_dimensions: int) -> Space:
    """The space of the continuous functions."""
    return Space((Continuous(-BOUND, BOUND),) * num_dimensions)


CONTINUOUS = {
    name: (evaluate, start)
    for name, evaluate, start in (
        ("sphere", sphere, 3.0),
        ("ellipsoid", ellipsoid, 3.0),
        ("rosenbrock", rosenbrock, 0.0),
        ("rastrigin", rastrigin, 3.0),
        ("rotated ellipsoid", rotated_ellipsoid, 3.0),
    )
}


def continuous_function(name: str, num_dimensions: int) -> Function:
    """One of `CONTINUOUS` in a given number of dimensions."""
    evaluate, start = CONTINUOUS[name]
    return Function(f"{name}, n = {num_dimensions}", box(num_dimensions), evaluate, start)


MIXED = tuple(
    Function(f"mixed {name}, D = {num_dimensions}", mixed_space(num_dimensions), mixed(evaluate, offset), 0.0)
    for num_dimensions in (8, 16)
    for name, evaluate, offset in (
        ("sphere", sphere, 0.0),
        ("rotated ellipsoid", rotated_ellipsoid, 0.0),
        ("rosenbrock", rosenbrock, 1.0),
        ("rastrigin", rastrigin, 0.0),
    )
)
