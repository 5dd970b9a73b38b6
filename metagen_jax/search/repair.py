"""Moving infeasible genotypes into the limits of a space, a step at a time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.space import Space, from_indices, to_indices, to_unit, unit_to_continuous, violation_of
from metagen_jax.search.uniform import draw_uniform, scale_to_index
from metagen_jax.search.variation import LONGEST_STEP, SHORTEST_STEP, STEP_STOP_RATE

NUM_STEPS = 96  # most rows of spaces with ten dimensions arrive in fewer, unless limits leave a sliver
CHUNK = 512  # rows that are moved together, so that a step costs what moves and not what there is
SECOND_CHANGE_RATE = 0.5  # of steps that change two dimensions, as where no single change helps


class Repaired(NamedTuple):
    """Rows after repair. N: rows, D: dimensions."""

    genotypes: jax.Array  # (N, D)
    violations: jax.Array  # (N,) float32, of these genotypes: 0 is feasible, +inf where the limit is NaN
    was_feasible: jax.Array  # (N,) bool, before the repair


def repair(
    key: jax.Array,
    space: Space,
    genotypes: jax.Array,
    *,
    num_steps: jax.Array | int = NUM_STEPS,
    wanders: jax.Array | bool = False,
) -> Repaired:
    """Moves infeasible genotypes towards feasibility; feasible ones stay exactly as they are.

    In each step a row tries a random change of one dimension, half of the time of two: an integer moves up or down by a
    geometric step, a real number by a share of its range (of its logarithm's range) that is log-uniform between 0.001
    and 0.5, a categorical dimension gets any other choice. The change is kept if it lowers the violation. Where the
    violation is NaN or infinite, and so points nowhere, every change is kept until it is neither.

    What comes out: each row ends near where it began, on that side of the feasible set, within a step of its edge, and
    which of the ways in it took is random. With `wanders` it goes on once it is feasible, and keeps every change that
    leaves it so. As a change and its reverse are equally likely, that walk forgets its start in favour of the uniform
    distribution over the part of the feasible set that such changes connect; of uniform draws repaired like this, none
    of six dimensions was distributed by more than 0.1 (in total variation) otherwise than over the feasible set.

    Args:
      key: consumed.
      space: the space, D dimensions.
      genotypes: `(N, D)`.
      num_steps: `()` or `(N,)` int32, how many steps a row may take at most. Each costs one violation a row, until no
        row moves any more.
      wanders: `()` or `(N,)` bool, whether a row goes on once it is feasible; only rows that were not.
    Returns:
      The rows, in the same order. Each is feasible, or violates the limits by no more than before.
    References:
      The kept changes are those of a (1 + 1) evolution strategy, Beyer and Schwefel, Evolution Strategies: A
      Comprehensive Introduction, 2002; the walk is Metropolis et al., Equation of State Calculations by Fast Computing
      Machines, 1953, for a distribution that is constant inside and zero outside.

    Examples:
      >>> from metagen_jax.search.space import Integer
      >>> space = Space((Integer(0, 9),) * 3, violation=lambda genotypes: genotypes.sum(axis=1) - 6.0)
      >>> repaired = repair(jax.random.key(0), space, jnp.array([[9, 9, 9], [1, 2, 3]]))
      >>> repaired.violations.tolist(), repaired.genotypes[1].tolist(), repaired.was_feasible.tolist()
      ([0.0, 0.0], [1, 2, 3], [False, True])

      Without limits there is nothing to do:

      >>> repair(jax.random.key(0), Space((Integer(0, 9),)), jnp.array([[3]])).genotypes.tolist()
      [[3]]
    """
    num_rows = genotypes.shape[0]
    if space.violation is None:
        return Repaired(genotypes, jnp.zeros(num_rows, jnp.float32), jnp.ones(num_rows, bool))
    num_steps, wanders = jnp.broadcast_to(num_steps, num_rows), jnp.broadcast_to(wanders, num_rows)
    chunk = max(min(num_rows, CHUNK), 1)
    num_chunks = -(-num_rows // chunk)

    def moving(step, rows: Repaired):
        return ~rows.was_feasible & (wanders | (rows.violations > 0)) & (step <= num_steps)

    def unfinished(carry):
        return moving(*carry).any()

    def one_step(carry):
        step, rows = carry
        is_moving = moving(step, rows)
        places = jnp.nonzero(is_moving, size=num_chunks * chunk, fill_value=num_rows)[0].reshape(num_chunks, chunk)

        def one_chunk(number, rows: Repaired) -> Repaired:
            place = places[number]  # one past the end where nothing moves any more: dropped
            part = Repaired(*(of.at[place].get(mode="clip") for of in rows))
            own_key = jax.random.fold_in(jax.random.fold_in(key, step), number)
            part = _changed_if_better(own_key, space, part, wanders.at[place].get(mode="clip"))
            return Repaired(*(of.at[place].set(new, mode="drop") for of, new in zip(rows, part, strict=True)))

        return step + 1, jax.lax.fori_loop(0, -(-is_moving.sum() // chunk), one_chunk, rows)

    violations = violation_of(space, genotypes)
    return jax.lax.while_loop(unfinished, one_step, (jnp.int32(1), Repaired(genotypes, violations, violations <= 0)))[1]


def _changed_if_better(key: jax.Array, space: Space, rows: Repaired, wanders: jax.Array) -> Repaired:
    """Tries a change of each of N rows; `wanders`, `(N,)` bool: one that leaves the violation as it is will do."""
    tried = change_one_or_two(key, space, rows.genotypes)
    violations = violation_of(space, tried)
    may_stay_level = wanders | jnp.isinf(rows.violations)
    better = (violations < rows.violations) | (may_stay_level & (violations == rows.violations))
    return rows._replace(
        genotypes=jnp.where(better[:, None], tried, rows.genotypes),
        violations=jnp.where(better, violations, rows.violations),
    )


def wander(
    key: jax.Array,
    space: Space,
    genotypes: jax.Array,
    violations: jax.Array,
    *,
    ceiling: jax.Array | float,
    num_steps: int,
) -> tuple[jax.Array, jax.Array]:
    """Walks at random among the genotypes whose violation does not exceed a ceiling, by the changes of `repair`.

    The walk leaves the uniform distribution over these genotypes as it is, and leads towards it from any other, as far as
    the changes connect them.

    Args:
      key: consumed.
      space: the space, D dimensions.
      genotypes: `(N, D)`, each within the ceiling.
      violations: `(N,)` float32, theirs.
      ceiling: `()` float32.
      num_steps: how many changes each row tries; each costs one violation.
    Returns:
      `(N, D)` genotypes and their violations, `(N,)` float32.

    Examples:
      >>> from metagen_jax.search.space import Integer
      >>> space = Space((Integer(0, 9),), violation=lambda genotypes: genotypes[:, 0] - 2.0)
      >>> start = jnp.zeros((300, 1), int), jnp.zeros(300)
      >>> walked, violations = wander(jax.random.key(0), space, *start, ceiling=0.0, num_steps=20)
      >>> bool(jnp.abs(jnp.bincount(walked[:, 0]) - 100).max() < 30)  # 0, 1 and 2, about a hundred times each
      True
      >>> walked, violations = wander(jax.random.key(0), space, *start, ceiling=7.0, num_steps=50)
      >>> int(walked.max()), float(violations.max())
      (9, 7.0)
    """

    def one_step(step, carry):
        rows, violations = carry
        changed = change_one_or_two(jax.random.fold_in(key, step), space, rows)
        after = violation_of(space, changed)
        kept = after <= ceiling
        return jnp.where(kept[:, None], changed, rows), jnp.where(kept, after, violations)

    return jax.lax.fori_loop(0, num_steps, one_step, (genotypes, violations))


def change_one_or_two(key: jax.Array, space: Space, genotypes: jax.Array) -> jax.Array:
    """Changes one dimension of each of `(N, D)` genotypes, or two; as likely as the way back. The key is consumed.

    What would leave a range stays where it is.
    """
    can_vary = np.flatnonzero(space.is_continuous | (space.counts > 1))
    if not can_vary.size:
        return genotypes
    second, *draws = draw_uniform(key, (9, genotypes.shape[0]))
    once = _change_one(space, can_vary, genotypes, *draws[:4])
    twice = _change_one(space, can_vary, once, *draws[4:])
    return jnp.where((second < SECOND_CHANGE_RATE)[:, None], twice, once)


def _change_one(
    space: Space,
    can_vary: np.ndarray,
    genotypes: jax.Array,
    which: jax.Array,
    direction: jax.Array,
    length: jax.Array,
    value: jax.Array,
) -> jax.Array:
    """Changes one dimension of each of `(N, D)` genotypes; the last four are uniform draws, `(N,)`."""
    dimension = jnp.array(can_vary)[scale_to_index(which, jnp.array(can_vary.size))]  # (N,)
    chosen = jnp.arange(space.num_dimensions)[None] == dimension[:, None]  # (N, D)
    sign = jnp.where(direction < 0.5, 1, -1)
    indices, counts = to_indices(space, genotypes), jnp.array(space.counts)[None]
    length_in_steps = 1 + jnp.floor(jnp.log1p(-length) / jnp.log1p(-STEP_STOP_RATE)).astype(jnp.int32)  # by inversion
    stepped = indices + (sign * length_in_steps)[:, None]
    stepped = jnp.where((stepped >= 0) & (stepped < counts), stepped, indices)
    redrawn = (indices + 1 + scale_to_index(value[:, None], jnp.maximum(counts - 1, 1))) % counts
    changed = jnp.where(jnp.array(space.is_ordered)[None], stepped, redrawn)
    if space.is_discrete:
        return jnp.where(chosen, from_indices(space, changed), genotypes)
    share = sign * SHORTEST_STEP * (LONGEST_STEP / SHORTEST_STEP) ** length
    unit = to_unit(space, genotypes)
    moved = unit + share[:, None]
    moved = jnp.where((moved >= 0.0) & (moved <= 1.0), moved, unit)
    return jnp.where(chosen, from_indices(space, changed, unit_to_continuous(space, moved)), genotypes)
