"""Drawing genotypes that are feasible and new: draw a pool, repair what is not feasible if need be, keep the best."""

import enum
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.repair import NUM_STEPS, repair
from metagen_jax.search.seen import (
    Seen,
    Sorted,
    genotype_codes,
    is_among,
    is_repeat,
    nothing_seen,
    remember,
    sort_codes,
)
from metagen_jax.search.space import Space, all_indices, from_indices, from_unit, to_indices, to_unit, violation_of
from metagen_jax.search.uniform import draw_uniform

ENUMERABLE_SIZE = 4096  # a space up to this size is its own pool, so nothing in it can be missed
POOL_SIZE = 512  # draws a round in a larger space
MAX_ROUNDS = 64  # rounds before settling for repeats, where there are no limits
MAX_REJECTIONS = 96  # rounds before what is drawn is repaired: together about as dear as one round of that
MAX_REPAIRS = 16  # rounds with repair before settling for infeasible ones: each takes as many violations as 97 without


class Origin(enum.IntEnum):
    """Where a row of a pool comes from; of two that are good, that of the smaller number is taken."""

    BRED = 0
    BRED_AND_REPAIRED = 1
    DRAWN = 2
    DRAWN_AND_REPAIRED = 3


class Drawn(NamedTuple):
    """Genotypes to choose proposals from, the best first. N: how many, D: dimensions."""

    genotypes: jax.Array  # (N, D)
    good: jax.Array  # (N,) bool, feasible and unseen
    violations: jax.Array  # (N,) float32
    origin: jax.Array  # (N,) int32, an `Origin`; `DRAWN` wherever nothing is repaired

    @property
    def repaired(self) -> jax.Array:
        """`(N,)` bool, True where a genotype was infeasible before it was repaired."""
        return (self.origin == Origin.BRED_AND_REPAIRED) | (self.origin == Origin.DRAWN_AND_REPAIRED)

    @property
    def bred(self) -> jax.Array:
        """`(N,)` bool, True where a genotype was bred, whether it was repaired or not."""
        return self.origin < Origin.DRAWN


def repairs(space: Space) -> bool:
    """Whether genotypes of a space are ever repaired: it has limits, and is too large to be searched whole."""
    return space.violation is not None and space.size > ENUMERABLE_SIZE


def new_archive(space: Space, capacity: int) -> Seen:
    """Returns the empty set of genotypes for a strategy's state, with notes on repairs where there can be any."""
    return nothing_seen(capacity, notes_repairs=repairs(space))


def repaired_among(space: Space, genotypes: jax.Array, drawn: Drawn) -> jax.Array:
    """Tells which of `(N, D)` genotypes, chosen from what was drawn, were repaired, as `(N,)` bool."""
    if not repairs(space):
        return jnp.zeros(genotypes.shape[0], bool)
    same = genotype_codes(space, genotypes)[:, None] == genotype_codes(space, drawn.genotypes)[None]
    return (same & drawn.repaired[None]).any(axis=1)


def remember_asked(space: Space, seen: Seen, genotypes: jax.Array, drawn: Drawn) -> Seen:
    """Adds `(N, D)` genotypes, chosen from what was drawn, to those seen, and notes which of them were repaired."""
    return remember(seen, genotype_codes(space, genotypes), repaired_among(space, genotypes, drawn))


def sample_uniform(key: jax.Array, space: Space, num: int) -> jax.Array:
    """Draws `(num, D)` genotypes, every value of a choice equally likely, feasible or not. The key is consumed."""
    return from_unit(space, draw_uniform(key, (num, space.num_dimensions)))


def draw_unseen(
    key: jax.Array,
    space: Space,
    num: int,
    seen: Seen,
    *,
    preferred: jax.Array | None = None,
    num_good: jax.Array | int | None = None,
    num_bred: jax.Array | int = 0,
) -> Drawn:
    """Draws genotypes from those that are feasible and unseen, without replacement.

    A space of up to `ENUMERABLE_SIZE` genotypes is searched whole. In a larger one pools are drawn uniformly, at most
    `MAX_REJECTIONS` times; if they hold enough good genotypes, those are uniform among the feasible and unseen ones. If
    they do not, further pools are repaired, and the repaired ones walk on among the feasible ones (`repair`), so that they
    are nearly uniform too, at most `MAX_REPAIRS` times; what is still missing then is the least violating that was met.

    Args:
      key: consumed.
      space: the space, D dimensions.
      num: how many to return.
      seen: genotypes to avoid.
      preferred: `(K, D)`, taken before any drawn one as far as they are feasible and unseen.
      num_good: `()` int, how many feasible and unseen ones are enough to stop drawing. None: `num`.
      num_bred: `()` int, how many of them should come from `preferred`. If fewer of these are feasible, the others are
        repaired, and stay where they become so: near what was bred. 0: what is preferred was only drawn before.
    Returns:
      The genotypes; those that are not good come last.
    """
    known = sort_codes(seen)  # once for all rounds
    if space.size <= ENUMERABLE_SIZE:
        everything = from_indices(space, jnp.array(_all_indices(space, num)))
        pool = everything[jnp.argsort(jax.random.bits(key, everything.shape[:1]))]
        if preferred is not None:
            pool = jnp.concatenate([preferred, pool])
        return _best(space, pool, violation_of(space, pool), _all_drawn(pool), known, num)
    start = jnp.zeros((0, space.num_dimensions), space.dtype) if preferred is None else preferred
    num_preferred = start.shape[0]
    if num_preferred < num:
        drawn = sample_uniform(jax.random.fold_in(key, MAX_ROUNDS), space, num - num_preferred)
        start = jnp.concatenate([start, drawn])
    num_good = num if num_good is None else num_good
    if space.violation is None:
        kept = _draw_until_new(key, space, start, known, num_good)
    else:
        kept = _repair_until_good(key, space, start, known, num_good, num_preferred, num_bred)
    return Drawn(*(rows[:num] for rows in kept))


def _all_indices(space: Space, at_least: int) -> np.ndarray:
    """Lists the whole space as `(max(size, at_least), D)` int32, from the start again where it is too small."""
    return all_indices(space.counts)[np.arange(max(int(space.size), at_least)) % int(space.size)]


def _all_drawn(pool: jax.Array) -> jax.Array:
    return jnp.full(pool.shape[0], Origin.DRAWN, jnp.int32)


def _best(space: Space, pool: jax.Array, violations: jax.Array, origin: jax.Array, known: Sorted, num: int) -> Drawn:
    """Keeps `num` of `(P, D)` rows: unseen before repeated, less before more violating, by origin, else in pool order.

    So does a second copy within the pool count as repeated.
    """
    codes = genotype_codes(space, pool)
    repeated = is_among(known, codes) | is_repeat(codes)
    rank = violations
    if repairs(space):  # feasible rows, below 0, by their origin
        rank = jnp.where(violations > 0, violations, origin.astype(jnp.float32) - len(Origin))
    best = jnp.lexsort((rank, repeated))[:num]  # the last key counts first; ties keep the pool's order
    return Drawn(pool[best], (~repeated & (violations <= 0))[best], violations[best], origin[best])


def _draw_until_new(key: jax.Array, space: Space, start: jax.Array, known: Sorted, num_good: jax.Array | int) -> Drawn:
    """Replaces repeats among `(K, D)` genotypes of a space without limits by draws, until `num_good` are unseen."""
    num_kept = start.shape[0]
    pool_size = max(POOL_SIZE, num_kept)

    def unfinished(carry):
        round_index, kept = carry
        return (round_index < MAX_ROUNDS) & (kept.good.sum() < num_good)

    def one_round(carry):
        round_index, kept = carry
        drawn = sample_uniform(jax.random.fold_in(key, round_index), space, pool_size)
        pool = jnp.concatenate([kept.genotypes, drawn])
        return round_index + 1, _best(space, pool, violation_of(space, pool), _all_drawn(pool), known, num_kept)

    nothing_good = jnp.zeros(num_kept, bool)  # so there is always a first round, which judges
    unjudged = Drawn(start, nothing_good, jnp.full(num_kept, jnp.inf, jnp.float32), _all_drawn(start))
    return jax.lax.while_loop(unfinished, one_round, (jnp.int32(0), unjudged))[1]


def _repair_until_good(
    key: jax.Array,
    space: Space,
    start: jax.Array,
    known: Sorted,
    num_good: jax.Array | int,
    num_preferred: int,
    num_bred: jax.Array | int,
) -> Drawn:
    """Improves `(K, D)` genotypes, of which the first may be bred, until enough are good.

    The first rounds judge them beside pools of draws, as they are: one round if there are bred ones, else several. Each
    further one repairs a fresh pool, in which those that were bred stand once more.
    """
    num_kept = start.shape[0]
    pool_size = max(POOL_SIZE, num_kept)
    breeding = jnp.asarray(num_bred) > 0
    was_bred = (jnp.arange(pool_size) < num_preferred) & breeding
    num_rejections = jnp.where(breeding, 1, MAX_REJECTIONS)

    def unfinished(carry):
        round_index, kept = carry
        bred_as_is = (kept.good & (kept.origin == Origin.BRED)).sum()
        lacks = (kept.good.sum() < num_good) | ((round_index == 1) & (bred_as_is < num_bred))
        return (round_index == 0) | ((round_index < num_rejections + MAX_REPAIRS) & lacks)

    def one_round(carry):
        round_index, kept = carry
        repairing = round_index >= num_rejections
        bred_again = was_bred & repairing
        drawn = sample_uniform(jax.random.fold_in(key, round_index), space, pool_size)
        padded = jnp.concatenate([start, drawn[num_kept:]])
        origin = jnp.where(bred_again, Origin.BRED, Origin.DRAWN)
        repaired = repair(
            jax.random.fold_in(key, MAX_ROUNDS + 1 + round_index),
            space,
            jnp.where(bred_again[:, None], padded, drawn),
            num_steps=jnp.where(repairing, NUM_STEPS, 0),
            wanders=origin == Origin.DRAWN,
        )
        origin += ~repaired.was_feasible & (repaired.violations <= 0)
        pool = jnp.concatenate([kept.genotypes, repaired.genotypes])
        violations = jnp.concatenate([kept.violations, repaired.violations])
        origin = jnp.concatenate([kept.origin, origin])
        return round_index + 1, _best(space, pool, violations, origin, known, num_kept)

    origin = jnp.where(was_bred[:num_kept], Origin.BRED, Origin.DRAWN)
    unchosen = Drawn(start, jnp.zeros(num_kept, bool), violation_of(space, start), origin)
    return jax.lax.while_loop(unfinished, one_round, (jnp.int32(0), unchosen))[1]


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
) -> tuple[jax.Array, Seen]:
    """Proposes unseen feasible children where there is something to breed from, else a first population, spread out.

    Args:
      keys: two, consumed.
      space: the space, D dimensions.
      num: how many to propose.
      seen: genotypes to avoid.
      children: `(K, D)`, K at least `num`; not read unless `breeding`.
      breeding: `()` bool.
    Returns:
      `(num, D)` proposals, and the set of genotypes seen with these in it.
    """
    key_first, key_fill = keys
    num_candidates = children.shape[0]
    drawn = draw_unseen(
        key_fill,
        space,
        num_candidates,
        seen,
        preferred=jnp.where(breeding, children, sample_uniform(key_first, space, num_candidates)),
        num_good=jnp.where(breeding, num, num_candidates),
        num_bred=jnp.where(breeding, num, 0),
    )
    proposals = jax.lax.cond(  # to spread out takes as many steps as there are proposals
        breeding,
        lambda: drawn.genotypes[:num],
        lambda: spread_out(space, drawn.genotypes, drawn.good, num),
    )
    return proposals, remember_asked(space, seen, proposals, drawn)
