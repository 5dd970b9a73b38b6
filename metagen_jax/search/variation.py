"""Changing genotypes: each kind of choice in its own way."""

import jax
import jax.numpy as jnp

from metagen_jax.search.sampling import draw_uniform, scale_to_index
from metagen_jax.search.space import Space, from_indices, to_indices, to_unit, unit_to_continuous

LOWEST_RATE = 0.2  # mutation rate of the most careful child, over D: with the forced change it changes one dimension
HIGHEST_RATE = 0.3  # mutation rate of the boldest child
STEP_STOP_RATE = 0.5  # a step in an ordered dimension goes on with one minus this: 1 half of the time, 2 a quarter...
SHORTEST_STEP, LONGEST_STEP = 1e-3, 0.5  # of a continuous dimension, as a share of its range


def mutate(key: jax.Array, space: Space, genotypes: jax.Array) -> jax.Array:
    """Changes at least one dimension of every genotype. The key is consumed.

    A categorical dimension gets any other choice; an integer moves up or down by a geometric step, a real number by a
    share of its range (of its logarithm's range) that is log-uniform between 0.001 and 0.5; both are cut at the ends.
    Each genotype has its own rate, log-uniform between 0.2 / D and 0.3.

    Args:
      key: consumed.
      space: the space, D dimensions.
      genotypes: `(N, D)`.
    Returns:
      `(N, D)`.
    """
    rate, where, forced, value, direction, length = draw_uniform(key, (6, *genotypes.shape))
    can_vary = jnp.array(space.is_continuous | (space.counts > 1))[None]  # (1, D)
    lowest_rate = min(HIGHEST_RATE, LOWEST_RATE / space.num_dimensions)
    chosen = where < lowest_rate * (HIGHEST_RATE / lowest_rate) ** rate[:, :1]  # one rate a genotype
    winner = jnp.where(can_vary, forced, -1.0).argmax(axis=1, keepdims=True)
    chosen |= jnp.arange(space.num_dimensions)[None] == winner
    changed = from_indices(
        space,
        _change_indices(space, to_indices(space, genotypes), value, direction, length),
        None if space.is_discrete else _change_continuous(space, genotypes, direction, length),
    )
    return jnp.where(chosen & can_vary, changed, genotypes)


def _change_indices(
    space: Space, indices: jax.Array, value: jax.Array, direction: jax.Array, length: jax.Array
) -> jax.Array:
    """Changes every discrete dimension of `(N, D)` indices; the last three are uniform draws."""
    counts = jnp.array(space.counts)[None]  # (1, D)
    resampled = (indices + 1 + scale_to_index(value, jnp.maximum(counts - 1, 1))) % counts
    return jnp.where(jnp.array(space.is_ordered)[None], _step(indices, counts, direction, length), resampled)


def _step(indices: jax.Array, counts: jax.Array, direction: jax.Array, length: jax.Array) -> jax.Array:
    """Moves every index up or down by a geometric step of 1 or more, cut at the ends; the last two are uniform draws."""
    room_up = counts - 1 - indices
    up = ((direction < 0.5) & (room_up > 0)) | (indices == 0)
    step = 1 + jnp.floor(jnp.log1p(-length) / jnp.log1p(-STEP_STOP_RATE)).astype(jnp.int32)  # geometric by inversion
    return indices + jnp.where(up, jnp.minimum(step, room_up), -jnp.minimum(step, indices))


def _change_continuous(space: Space, genotypes: jax.Array, direction: jax.Array, length: jax.Array) -> jax.Array:
    """Moves every continuous dimension of `(N, D)` genotypes; the last two are uniform draws."""
    unit = to_unit(space, genotypes)
    share = SHORTEST_STEP * (LONGEST_STEP / SHORTEST_STEP) ** length
    up = ((direction < 0.5) & (unit < 1.0)) | (unit == 0.0)
    return unit_to_continuous(space, unit + jnp.where(up, share, -share))
