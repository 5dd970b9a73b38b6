"""Moving infeasible genotypes into the limits of a space, a step at a time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.space import Space, from_indices, to_indices, to_unit, unit_to_continuous, violation_of
from metagen_jax.search.uniform import draw_uniform, scale_to_index
from metagen_jax.search.variation import LONGEST_STEP, SHORTEST_STEP, STEP_STOP_RATE

NUM_STEPS = 96  # most rows of spaces with ten dimensions arrive in fewer, unless limits leave a sliver
MANY = 1024  # rows of which a step leaves out those that no longer move, once one in `FEW` still does
FEW = 8
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

    def moving(step, rows: Repaired):
        return ~rows.was_feasible & (wanders | (rows.violations > 0)) & (step <= num_steps)

    def unfinished(carry):
        step, rows = carry
        return (step == 0) | moving(step, rows).any()

    def tried_once(step, rows: Repaired, draws, is_moving, wanders) -> Repaired:  # the first step only judges
        tried = jax.lax.cond(
            step == 0, lambda: rows.genotypes, lambda: _change_one_or_two(space, rows.genotypes, draws)
        )
        violations = violation_of(space, tried)
        may_stay_level = wanders | jnp.isinf(rows.violations)
        better = (violations < rows.violations) | (may_stay_level & (violations == rows.violations))
        kept = (is_moving & better) | (step == 0)
        return Repaired(
            genotypes=jnp.where(kept[:, None], tried, rows.genotypes),
            violations=jnp.where(kept, violations, rows.violations),
            was_feasible=jnp.where(step == 0, violations <= 0, rows.was_feasible),
        )

    num_few = num_rows // FEW if num_rows >= MANY else 0

    def one_step(carry):
        step, rows = carry
        own_key, is_moving = jax.random.fold_in(key, step), moving(step, rows)

        def few() -> Repaired:  # the others would stay as they are
            place = jnp.nonzero(is_moving, size=num_few, fill_value=num_rows)[0]  # one past the end is dropped
            part = Repaired(*(of.at[place].get(mode="clip") for of in rows))
            draws = _draws_of_changes(own_key, num_few)
            part = tried_once(step, part, draws, True, wanders.at[place].get(mode="clip"))
            return Repaired(*(of.at[place].set(new, mode="drop") for of, new in zip(rows, part, strict=True)))

        def all_rows() -> Repaired:
            return tried_once(step, rows, _draws_of_changes(own_key, num_rows), is_moving, wanders)

        if not num_few:
            return step + 1, all_rows()
        return step + 1, jax.lax.cond((step > 0) & (is_moving.sum() <= num_few), few, all_rows)

    unjudged = Repaired(genotypes, jnp.full(num_rows, jnp.inf, jnp.float32), jnp.zeros(num_rows, bool))
    return jax.lax.while_loop(unfinished, one_step, (jnp.int32(0), unjudged))[1]


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
    return _change_one_or_two(space, genotypes, _draws_of_changes(key, genotypes.shape[0]))


def _draws_of_changes(key: jax.Array, num: int) -> jax.Array:
    return draw_uniform(key, (9, num))


def _change_one_or_two(space: Space, genotypes: jax.Array, draws: jax.Array) -> jax.Array:
    """Changes `(N, D)` genotypes as `(9, N)` uniform draws say."""
    can_vary = np.flatnonzero(space.is_continuous | (space.counts > 1))
    if not can_vary.size:
        return genotypes
    second, *draws_of_each = draws
    once = _change_one(space, can_vary, genotypes, *draws_of_each[:4])
    twice = _change_one(space, can_vary, once, *draws_of_each[4:])
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
