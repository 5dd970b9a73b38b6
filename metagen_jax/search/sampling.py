"""Drawing genotypes that are feasible and new: draw a pool, score it, keep the best."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.seen import Seen, genotype_codes, is_repeat, is_seen
from metagen_jax.search.space import Space, from_indices, from_unit, to_indices, to_unit

ENUMERABLE_SIZE = 4096  # a space up to this size is its own pool, so nothing in it can be missed
POOL_SIZE = 512  # draws a round in a larger space
MAX_ROUNDS = 64  # rounds before settling for infeasible ones: finds feasible sets down to about one in 10,000


def sample_uniform(key: jax.Array, space: Space, num: int) -> jax.Array:
    """Draws `(num, D)` genotypes, every value of a choice equally likely, feasible or not. The key is consumed."""
    return from_unit(space, draw_uniform(key, (num, space.num_dimensions)))


def draw_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws from [0, 1). A flat draw that is reshaped compiles about four times faster on CPU. The key is consumed."""
    return jax.random.uniform(key, (math.prod(shape),)).reshape(shape)


def scale_to_index(uniform: jax.Array, num_choices: jax.Array) -> jax.Array:
    """Turns draws from [0, 1) into indices 0 .. num_choices - 1, broadcast, as int32.

    One block of draws cut up like this compiles several times faster than a `randint` for every purpose. The bias is
    `num_choices / 2^24` at most.
    """
    index = jnp.floor(uniform * num_choices.astype(jnp.float32)).astype(jnp.int32)
    return jnp.minimum(index, num_choices.astype(jnp.int32) - 1)  # rounding may reach num_choices


def violation_of(space: Space, genotypes: jax.Array) -> jax.Array:
    """Scores `(N, D)` genotypes with the space's limits: `(N,)` float32, 0 for feasible, +inf where the limit is NaN."""
    if space.violation is None:
        return jnp.zeros(genotypes.shape[0], jnp.float32)
    violation = space.violation(genotypes).astype(jnp.float32)
    return jnp.where(jnp.isnan(violation), jnp.inf, jnp.maximum(violation, 0.0))


def pick_unseen(space: Space, pool: jax.Array, seen: Seen, num: int) -> tuple[jax.Array, jax.Array]:
    """Keeps the best `num` rows of a pool: unseen before repeated, less before more violating, else in pool order.

    Args:
      space: the space, D dimensions.
      pool: `(P, D)`, at least `num` rows.
      seen: genotypes that count as repeated; so does a second copy within the pool.
      num: how many to keep.
    Returns:
      `(num, D)` genotypes, and `(num,)` bool, True where the genotype is feasible and unseen.
    """
    codes = genotype_codes(space, pool)
    repeated = is_seen(seen, codes) | is_repeat(codes)
    violation = violation_of(space, pool)
    best = jnp.lexsort((violation, repeated))[:num]  # the last key counts first; ties keep the pool's order
    return pool[best], (~repeated & (violation <= 0))[best]


def sample_unseen(
    key: jax.Array,
    space: Space,
    num: int,
    seen: Seen,
    *,
    preferred: jax.Array | None = None,
    num_good: jax.Array | int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Draws genotypes uniformly from those that are feasible and unseen, without replacement.

    A space of up to `ENUMERABLE_SIZE` genotypes is searched whole. In a larger one pools are drawn until enough good ones
    are found, at most `MAX_ROUNDS` times; what is still missing then is the least violating that was drawn.

    Args:
      key: consumed.
      space: the space, D dimensions.
      num: how many to return.
      seen: genotypes to avoid.
      preferred: `(K, D)`, taken before any drawn one as far as they are feasible and unseen.
      num_good: `()` int, how many feasible and unseen ones are enough to stop drawing. None: `num`.
    Returns:
      `(num, D)` genotypes, and `(num,)` bool, True where the genotype is feasible and unseen. Good ones first.
    """
    if space.size <= ENUMERABLE_SIZE:
        everything = from_indices(space, jnp.array(_all_indices(space, num)))
        pool = everything[jnp.argsort(jax.random.bits(key, everything.shape[:1]))]
        if preferred is not None:
            pool = jnp.concatenate([preferred, pool])
        return pick_unseen(space, pool, seen, num)
    start = jnp.zeros((0, space.num_dimensions), space.dtype) if preferred is None else preferred
    if start.shape[0] < num:
        drawn = sample_uniform(jax.random.fold_in(key, MAX_ROUNDS), space, num - start.shape[0])
        start = jnp.concatenate([start, drawn])
    kept, good = _draw_until_good(key, space, start, seen, num if num_good is None else num_good)
    return kept[:num], good[:num]


def _all_indices(space: Space, at_least: int) -> np.ndarray:
    """Lists the whole space as `(max(size, at_least), D)` int32, from the start again where it is too small."""
    index = np.arange(max(int(space.size), at_least)) % int(space.size)
    return np.stack(np.unravel_index(index, space.counts), axis=1).astype(np.int32)


def _draw_until_good(
    key: jax.Array, space: Space, start: jax.Array, seen: Seen, num_good: jax.Array | int
) -> tuple[jax.Array, jax.Array]:
    """Improves `(K, D)` genotypes by fresh draws until `num_good` are good; returns them best first, with `(K,)` flags."""
    num_kept = start.shape[0]
    pool_size = max(POOL_SIZE, num_kept)

    def unfinished(carry):
        round_index, _, good = carry
        return (round_index < MAX_ROUNDS) & (good.sum() < num_good)

    def one_round(carry):
        round_index, kept, _ = carry
        drawn = sample_uniform(jax.random.fold_in(key, round_index), space, pool_size)
        return round_index + 1, *pick_unseen(space, jnp.concatenate([kept, drawn]), seen, num_kept)

    unjudged = (jnp.int32(0), start, jnp.zeros(num_kept, bool))  # so there is always a first round
    return jax.lax.while_loop(unfinished, one_round, unjudged)[1:]


def spread_out(space: Space, pool: jax.Array, good: jax.Array, num: int) -> jax.Array:
    """Picks from a pool so that every single dimension is covered evenly, like a Latin hypercube.

    A Latin hypercube cannot promise feasible points. Instead rows are taken from a pool of feasible ones, each time the
    row whose choices were used least so far. A dimension with more choices than `num` is cut into `num` strata of
    neighbouring choices.

    Args:
      space: the space, D dimensions.
      pool: `(P, D)`, best first, at least `num` rows.
      good: `(P,)` bool; the others are taken in turn, and only where the good ones do not suffice.
      num: how many to pick.
    Returns:
      `(num, D)`.
    References:
      McKay, Beckman and Conover, A Comparison of Three Methods for Selecting Values of Input Variables, 1979.
    """
    num_strata = np.where(space.is_continuous, num, np.minimum(num, space.counts))  # (D,)
    strata = to_indices(space, pool) * num_strata[None] // space.counts[None]  # (P, D)
    if not space.is_discrete:
        in_range = jnp.floor(to_unit(space, pool) * num_strata[None].astype(np.float32)).astype(jnp.int32)
        in_range = jnp.minimum(in_range, num_strata[None] - 1)
        strata = jnp.where(jnp.array(space.is_continuous)[None], in_range, strata)
    dimensions = jnp.arange(space.num_dimensions)
    penalty = jnp.where(good, 0.0, 1e6 * (1.0 + jnp.arange(pool.shape[0])))

    def take_one(carry, _):
        used, penalty = carry  # (D, strata), (P,)
        crowding = used[dimensions[None], strata] * num_strata[None].astype(np.float32)  # (P, D)
        row = jnp.argmin(crowding.sum(axis=1) + penalty)
        return (used.at[dimensions, strata[row]].add(1.0), penalty.at[row].set(jnp.inf)), pool[row]

    start = (jnp.zeros((space.num_dimensions, int(num_strata.max()))), penalty)
    _, chosen = jax.lax.scan(take_one, start, length=num)
    return chosen


def children_or_spread(
    keys: Sequence[jax.Array], space: Space, num: int, seen: Seen, children: jax.Array, breeding: jax.Array
) -> jax.Array:
    """Proposes unseen feasible children where there is something to breed from, else a first population, spread out.

    Args:
      keys: two, consumed.
      space: the space, D dimensions.
      num: how many to propose.
      seen: genotypes to avoid.
      children: `(K, D)`, K at least `num`; not read unless `breeding`.
      breeding: `()` bool.
    Returns:
      `(num, D)`.
    """
    key_first, key_fill = keys
    num_candidates = children.shape[0]
    candidates, good = sample_unseen(
        key_fill,
        space,
        num_candidates,
        seen,
        preferred=jnp.where(breeding, children, sample_uniform(key_first, space, num_candidates)),
        num_good=jnp.where(breeding, num, num_candidates),
    )
    return jnp.where(breeding, candidates[:num], spread_out(space, candidates, good, num))
