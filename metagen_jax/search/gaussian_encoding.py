"""Genotypes as points of R^n, for strategies that sample from a normal distribution."""

import math
import statistics

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.space import Categorical, Space, clip_continuous, from_indices, to_indices


def num_coordinates(space: Space) -> int:
    """Counts the coordinates n of the encoding: K for a categorical choice of K, one for any other dimension."""
    return _dimension_of(space).size


def encode(space: Space, genotypes: jax.Array) -> jax.Array:
    """Places genotypes in R^n so that every dimension has a range of length 1.

    A real number is divided by the length of its range and not shifted, so that float32 stays as fine near 0 as it is in
    the genotype; a logarithmic one likewise after taking its logarithm. An integer becomes its position in its range, 0 to
    1. A categorical choice of K becomes K coordinates: 1 for the choice made and 0 for the others.

    Args:
      space: the space, D dimensions.
      genotypes: `(N, D)`.
    Returns:
      `(N, n)` float32; `decode` gives the genotypes back, up to the rounding of float32.

    Examples:
      >>> from metagen_jax.search.space import Continuous, Integer
      >>> space = Space((Integer(1, 5), Categorical(3), Continuous(-10.0, 10.0)))
      >>> encode(space, jnp.array([[2.0, 1.0, 5.0]])).tolist()
      [[0.25, 0.0, 1.0, 0.0, 0.25]]
      >>> decode(space, jnp.array([[0.3, 0.1, 0.4, 0.2, 0.75]])).tolist()
      [[2.0, 1.0, 5.0]]
    """
    indices = to_indices(space, genotypes)
    scaled = indices.astype(jnp.float32) / _lengths(space)[None]
    if not space.is_discrete:
        values = genotypes
        if space.is_log.any():
            is_log = jnp.array(space.is_log)[None]
            values = jnp.where(is_log, jnp.log(jnp.where(is_log, genotypes, 1.0)), genotypes)
        scaled = jnp.where(jnp.array(space.is_continuous)[None], values / _lengths(space)[None], scaled)
    if space.is_ordered.all():
        return scaled
    dimension = _dimension_of(space)
    chosen = indices[:, dimension] == jnp.array(_choice_of(space))[None]  # (N, n)
    is_ordered = jnp.array(space.is_ordered[dimension])[None]
    return jnp.where(is_ordered, scaled[:, dimension], chosen.astype(jnp.float32))


def decode(space: Space, points: jax.Array) -> jax.Array:
    """Turns points of R^n into the genotypes that lie nearest.

    Integers are rounded and cut off at the ends of their range; the largest coordinate of a block makes a categorical
    choice (the first of equal ones). A real number is reflected into its range (`reflect`).

    Args:
      space: the space, D dimensions.
      points: `(N, n)` float32.
    Returns:
      `(N, D)` of the space's type.
    """
    points, _ = reflect(space, points)
    scaled = points if space.is_ordered.all() else points[:, _first_column(space)]  # (N, D)
    values = scaled * _lengths(space)[None]
    continuous = None
    if not space.is_discrete:
        continuous = values
        if space.is_log.any():
            low, high = (jnp.array(bound)[None] for bound in space.scaled_bounds)
            exponent = jnp.clip(values, low, high)
            continuous = jnp.where(jnp.array(space.is_log)[None], jnp.exp(exponent), values)
        continuous = clip_continuous(space, continuous)
        if space.is_continuous.all():
            return continuous
    indices = jnp.clip(jnp.round(values), 0, jnp.array(space.counts - 1, jnp.float32)[None]).astype(jnp.int32)
    if not space.is_ordered.all():
        columns, real = _blocks(space)  # (D, K)
        blocks = jnp.where(jnp.array(real)[None], points[:, columns], -jnp.inf)  # (N, D, K)
        indices = jnp.where(jnp.array(space.is_ordered)[None], indices, jnp.argmax(blocks, axis=2).astype(jnp.int32))
    return from_indices(space, indices, continuous)


def reflect(space: Space, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Takes the continuous coordinates of points that lie outside their range back inside, as a mirror would.

    Cutting them off would put many points on the edge, where they show neither the spread of the samples nor their
    correlations. After one reflection, what is still outside is cut off.

    Args:
      space: the space.
      points: `(N, n)` float32.
    Returns:
      `(N, n)` float32 points, and `(N, n)` bool, True where a coordinate was outside.
    References:
      Hansen, pycma, whose BoundTransform is a smooth version of this.

    Examples:
      >>> from metagen_jax.search.space import Continuous
      >>> inside, was_outside = reflect(Space((Continuous(-10.0, 10.0),) * 2), jnp.array([[0.25, 0.75]]))
      >>> inside.tolist(), was_outside.tolist()
      ([[0.25, 0.25]], [[False, True]])
      >>> bool(reflect(Space((Categorical(2),)), jnp.array([[5.0, -5.0]]))[1].any())
      False
    """
    low, high = (jnp.array(bound)[None] for bound in _encoded_bounds(space))
    outside = (points < low) | (points > high)
    mirrored = jnp.where(points < low, 2.0 * low - points, 2.0 * high - points)
    return jnp.where(outside, jnp.clip(mirrored, low, high), points), outside


def is_continuous_coordinate(space: Space) -> np.ndarray:
    """`(n,)` bool, True for the coordinates of continuous dimensions."""
    return space.is_continuous[_dimension_of(space)]


def _encoded_bounds(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """`(n,)` float32 twice, the ends of the continuous coordinates; infinite elsewhere."""
    dimension = _dimension_of(space)
    low, high = (
        np.where(space.is_continuous, end / _lengths(space), limit)[dimension].astype(np.float32)
        for end, limit in zip(space.scaled_bounds, (-np.inf, np.inf), strict=True)
    )
    return low, high


def encoded_centre(space: Space) -> np.ndarray:
    """Returns the middle of the space as `(n,)` float32: of each range, and no preference among categorical choices."""
    low, high = space.scaled_bounds
    middle = np.where(space.is_continuous, (low + high) / 2 / _lengths(space), np.where(space.counts > 1, 0.5, 0.0))
    dimension = _dimension_of(space)
    return np.where(space.is_ordered, middle, 1 / space.counts)[dimension].astype(np.float32)


def smallest_deviations(space: Space, chance: float) -> np.ndarray:
    """Returns the standard deviations below which a discrete coordinate would freeze.

    With these, a normal distribution whose mean lies on a genotype still proposes another value of a given integer with
    the given chance, and each other value of a categorical choice with the same.

    Args:
      space: the space.
      chance: in (0, 1).
    Returns:
      `(n,)` float32, 0 for continuous coordinates and where there is a single value.
    References:
      Hamano et al., CMA-ES with Margin, 2022, whose margin is on the probability too, for every integer by itself.
    """
    normal = statistics.NormalDist()
    # An integer leaves its cell by more than half a unit; of two categorical coordinates the difference exceeds 1.
    integer = 0.5 / _lengths(space) / normal.inv_cdf(1 - chance / 2)
    categorical = math.sqrt(0.5) / normal.inv_cdf(1 - chance)
    deviations = np.where(space.is_ordered, integer, categorical)
    return np.where(space.counts > 1, deviations, 0.0)[_dimension_of(space)].astype(np.float32)


def _lengths(space: Space) -> np.ndarray:
    """`(D,)` float32, what a range of length 1 in R^n stands for; 1 where there is a single value."""
    low, high = space.scaled_bounds
    return np.where(space.is_continuous, high - low, np.maximum(space.counts - 1, 1)).astype(np.float32)


def _block_sizes(space: Space) -> np.ndarray:
    return np.array([choice.num_choices if isinstance(choice, Categorical) else 1 for choice in space.choices])


def _dimension_of(space: Space) -> np.ndarray:
    """`(n,)`, the dimension that each coordinate belongs to."""
    return np.repeat(np.arange(space.num_dimensions), _block_sizes(space))


def _first_column(space: Space) -> np.ndarray:
    """`(D,)`, the first coordinate of each dimension."""
    return np.cumsum(_block_sizes(space)) - _block_sizes(space)


def _choice_of(space: Space) -> np.ndarray:
    """`(n,)`, the categorical choice that each coordinate stands for; 0 elsewhere."""
    return np.arange(_dimension_of(space).size) - _first_column(space)[_dimension_of(space)]


def _blocks(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates of each dimension, `(D, K)` for the largest K, and a mask of those that exist."""
    sizes = _block_sizes(space)
    offset = np.arange(sizes.max())[None]
    real = offset < sizes[:, None]
    return np.where(real, _first_column(space)[:, None] + offset, 0), real
