"""CMA-ES: a normal distribution that learns the scale and the correlation of all dimensions from ranks alone."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.gaussian_encoding import (
    decode,
    encode,
    encoded_centre,
    is_continuous_coordinate,
    reflect,
    smallest_deviations,
)
from metagen_jax.search.normal_distribution import (
    Covariance,
    Normal,
    draw_round,
    initial_normal,
    place,
    turn_over,
    unfused,
    update,
)
from metagen_jax.search.pareto import best_first, is_usable
from metagen_jax.search.sampling import Drawn, draw_unseen, new_archive, remember_asked, repairs
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, is_repeat, nothing_seen, remember
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told
from metagen_jax.search.variation import mutate

CANDIDATES_PER_PROPOSAL = 8  # samples, and as many mutants of the mean, so that enough are feasible and new
WIDEST_CANDIDATE = 3.0  # times the deviation, for the last of those samples

FULL = Covariance(
    identity=lambda n: jnp.eye(n, dtype=jnp.float32),
    colour=lambda factor, rows: rows @ factor.T,
    whiten=lambda factor, rows: jax.lax.linalg.triangular_solve(factor, rows, lower=True, transpose_a=True),
    adapt=lambda factor, keep, weights, rows: factor @ _relative_factor(keep, weights, rows),
    deviations=lambda factor: jnp.sqrt(unfused(factor**2).sum(axis=1)),
    stretch=lambda factor, by: factor * by[:, None],
    learning_speed=lambda n: 1.0,
)


def _relative_factor(keep: jax.Array, weights: jax.Array, rows: jax.Array) -> jax.Array:
    """The Cholesky factor of keep I + Z^T diag(weights) Z, which is well conditioned, as few of its terms are large."""
    change = (rows * weights[:, None]).T @ rows
    kept = jnp.where(jnp.eye(rows.shape[1], dtype=bool), keep, 0.0)
    return jax.lax.linalg.cholesky(kept + change, symmetrize_input=False)


class Rows(NamedTuple):
    """Evaluated genotypes in any number of places. R: places, D: dimensions, M: objectives."""

    genotypes: jax.Array  # (R, D)
    points: jax.Array  # (R, n) float32, the genotypes in R^n
    losses: jax.Array  # (R, M) float32
    violations: jax.Array  # (R,) float32
    valid: jax.Array  # (R,) bool, True for a row, False for an empty place


class Asked(NamedTuple):
    """Samples of the distribution and the genotypes that they gave. G: size of a generation; 0 without real numbers."""

    genotypes: jax.Array  # (G, D)
    points: jax.Array  # (G, n) float32, where they were before reflection


class CmaEsState(NamedTuple):
    """The distribution and what waits. n: coordinates, S: samples drawn ahead, 0 where every ask draws its own."""

    normal: Normal
    has_asked: jax.Array  # () bool, False: what is told is a warm start
    samples: jax.Array  # (S, n) float32, round samples of one generation, which several asks share
    num_sampled: jax.Array  # () int32, how many of them were asked
    asked: Asked  # of the last generation
    waiting: Rows  # told rows that are too few for an update; before the first ask the best one
    seen: Seen  # where the space is not discrete only the last batch asked, and empty if it has no limits either


def cma_es(
    space: Space,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    initial_mean: Sequence[float] | None = None,
    initial_step: float = 0.2,
) -> SearchStrategy:
    """Samples from a normal distribution whose mean, step size and covariance follow the better half of what is told.

    After a generation of lambda candidates the mean moves to a weighted average of the better half, the covariance
    matrix learns the directions of its steps (and unlearns those of the worse half), and the step size grows if
    successive steps point the same way and shrinks if they cancel. A generation is one `ask`, or several where
    `population_size` is below Hansen's 4 + 3 ln n.

    Args:
      space: what to search, D dimensions. An integer is rounded, a categorical choice of K is the largest of K
        coordinates (`encode`), so the cost grows with the number of coordinates n.
      population_size: N, genotypes an `ask`. Losses with many local minima need more than 4 + 3 ln n.
      num_objectives: M. Several are ranked by front and crowding distance; strategies made for fronts do better.
      capacity: the most evaluations ever told, where the space is discrete. Beyond it the oldest are forgotten and may
        be proposed again.
      initial_mean: a genotype to start around. None: the middle of the space.
      initial_step: the first standard deviation, as a share of each range.
    Returns:
      The strategy. What is told before the first ask moves the mean to the best of it; other rows that were never asked
      are used as asked ones are. O(n^2 (n + N)) time an update.
    Raises:
      ValueError: a setting is not positive, or `initial_mean` is not a genotype of the space.
    References:
      Hansen, The CMA Evolution Strategy: A Tutorial, 2016, and those of `update` and `draw_round`.
      Hamano et al., CMA-ES with Margin, 2022: discrete coordinates never freeze (`smallest_deviations`).
      Departures: samples are orthogonal pairs of opposite sign. Discrete coordinates are learned as they were evaluated,
      so rounded; real numbers beyond their range are reflected for evaluation, and learned as they were sampled.

    Examples:
      >>> from metagen_jax.search.space import Continuous
      >>> space = Space((Continuous(-5.0, 5.0),) * 4)
      >>> strategy = cma_es(space, population_size=8, num_objectives=1, capacity=800)
      >>> def generation(state, key):
      ...     genotypes, state = strategy.ask(key, state)
      ...     losses = ((genotypes - 1.0) ** 2).sum(axis=1, keepdims=True)
      ...     return strategy.tell(state, genotypes, losses, jnp.zeros(8)), losses.min()
      >>> keys = jax.random.split(jax.random.key(0), 101)
      >>> state, losses = jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])
      >>> bool(losses.min() < 1e-8)
      True

      Close to a known genotype:

      >>> near = cma_es(
      ...     space, population_size=2, num_objectives=1, capacity=8, initial_mean=(1, 2, 3, 4), initial_step=0.001
      ... )
      >>> genotypes, _ = near.ask(jax.random.key(1), near.init(jax.random.key(0)))
      >>> genotypes.round().tolist()
      [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    return normal_search(
        space,
        FULL,
        population_size=population_size,
        num_objectives=num_objectives,
        capacity=capacity,
        initial_mean=initial_mean,
        initial_step=initial_step,
    )


def normal_search(
    space: Space,
    covariance: Covariance,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    initial_mean: Sequence[float] | None,
    initial_step: float,
) -> SearchStrategy:
    """Builds the strategy of `cma_es` for any way of keeping the covariance; arguments as there.

    Examples:
      >>> from metagen_jax.search.space import Integer
      >>> settings = {"num_objectives": 1, "capacity": 8, "initial_mean": None, "initial_step": 0.3}
      >>> strategy = normal_search(Space((Integer(1, 4),)), FULL, population_size=4, **settings)
      >>> genotypes, _ = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)))
      >>> sorted(genotypes[:, 0].tolist())
      [1, 2, 3, 4]

      A middle that is not one:

      >>> normal_search(Space((Integer(1, 4),)), FULL, population_size=4, **settings | {"initial_mean": (9,)})
      Traceback (most recent call last):
      ...
      ValueError: initial_mean must be a genotype of the space, got (9,). The nearest is (4.0,).
    """
    mean, step = _encoded_start(space, initial_mean), _checked_step(initial_step)
    n = mean.size
    default_generation = 4 + int(3 * math.log(n))  # Hansen's
    asks_per_generation = max(1, round(default_generation / population_size))
    smallest_generation = min(default_generation, asks_per_generation * population_size)
    generation_size = asks_per_generation * population_size
    num_ahead = generation_size if asks_per_generation > 1 else 0
    num_remembered = generation_size if space.is_continuous.any() else 0
    room = 1  # for genotypes that were asked
    if space.is_discrete:
        room = archive_size(space, capacity, population_size)
    elif repairs(space):
        room = population_size
    smallest = smallest_deviations(space, chance=1.0 / (n * generation_size))
    must_filter = space.is_discrete or space.violation is not None

    def init(key: jax.Array) -> CmaEsState:
        del key  # nothing is random before the first ask
        num_places = smallest_generation - 1
        return CmaEsState(
            normal=initial_normal(covariance, mean, step, smallest),
            has_asked=jnp.array(False),
            samples=jnp.zeros((num_ahead, n), jnp.float32),
            num_sampled=jnp.int32(0),
            asked=Asked(
                genotypes=jnp.full((num_remembered, space.num_dimensions), jnp.nan, jnp.float32),  # equal to nothing
                points=jnp.zeros((num_remembered, n), jnp.float32),
            ),
            waiting=Rows(
                genotypes=jnp.zeros((num_places, space.num_dimensions), space.dtype),
                points=jnp.zeros((num_places, n), jnp.float32),
                losses=jnp.zeros((num_places, num_objectives), jnp.float32),
                violations=jnp.zeros(num_places, jnp.float32),
                valid=jnp.zeros(num_places, bool),
            ),
            seen=new_archive(space, room),
        )

    def ask(key: jax.Array, state: CmaEsState) -> tuple[jax.Array, CmaEsState]:
        key_draw, key_more = jax.random.split(key)
        state = state._replace(has_asked=jnp.array(True))
        first = state.num_sampled
        if num_ahead:
            fresh = draw_round(key_draw, num_ahead, n)
            ahead = jnp.where(first == 0, fresh, state.samples)
            samples = jax.lax.dynamic_slice_in_dim(ahead, first, population_size)
            state = state._replace(samples=ahead, num_sampled=(first + population_size) % num_ahead)
        else:
            samples = draw_round(key_draw, population_size, n)
        points = place(covariance, state.normal, samples)
        genotypes = decode(space, points)
        if num_remembered:
            new = Asked(genotypes, points)
            state = state._replace(asked=jax.tree.map(lambda old, rows: _put(old, rows, first), state.asked, new))
        if not must_filter:
            return genotypes, state
        drawn = _feasible_and_unseen(key_more, space, covariance, state, genotypes)
        return drawn.genotypes, state._replace(seen=remember_asked(space, state.seen, drawn.genotypes, drawn))

    def tell(state: CmaEsState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> CmaEsState:
        check_told(space, num_objectives, genotypes, losses, violations)
        genotypes = genotypes.astype(space.dtype)
        told = Rows(
            genotypes=genotypes,
            points=_points_of(space, genotypes, state.asked),
            losses=losses.astype(jnp.float32),
            violations=violations.astype(jnp.float32),
            valid=jnp.ones(genotypes.shape[0], bool),
        )
        if space.is_discrete:
            state = state._replace(seen=remember(state.seen, genotype_codes(space, told.genotypes)))
        is_generation = genotypes.shape[0] >= smallest_generation
        rows = _best_first(space, _joined(state, told, is_generation))
        count = rows.valid.sum()
        is_enough = state.has_asked & (count >= (2 if is_generation else smallest_generation))
        updated = update(covariance, state.normal, rows.points, count, smallest)
        inside, outside = reflect(space, updated.mean[None])
        updated = turn_over(covariance, updated, inside[0], outside[0])
        started = state.normal._replace(mean=jnp.where(rows.valid[0], rows.points[0], state.normal.mean))
        return state._replace(
            normal=_select(is_enough, updated, _select(state.has_asked, state.normal, started)),
            waiting=_left_waiting(state, rows, is_enough, is_generation),
        )

    # Compiled here too, as a compiled update rounds differently from one that runs operation by operation.
    return SearchStrategy(jax.jit(init), jax.jit(ask), jax.jit(tell))


def _encoded_start(space: Space, initial_mean: Sequence[float] | None) -> np.ndarray:
    """Checks the genotype to start around and places it in R^n."""
    if initial_mean is None:
        return encoded_centre(space)
    if len(initial_mean) != space.num_dimensions:
        raise ValueError(
            f"initial_mean must have {space.num_dimensions} entries, one a dimension, got {len(initial_mean)}. "
            "Leave it out to start in the middle."
        )
    given = np.array([initial_mean], np.float32)
    with jax.ensure_compile_time_eval():
        point = encode(space, jnp.array(given).astype(space.dtype))
        nearest = np.array(decode(space, point), np.float32)
        if not np.allclose(nearest, given, rtol=1e-5, atol=1e-30):
            raise ValueError(
                f"initial_mean must be a genotype of the space, got {tuple(initial_mean)}. "
                f"The nearest is {tuple(nearest[0].tolist())}."
            )
        return np.array(point[0])


def _checked_step(initial_step: float) -> float:
    if not 0.0 < initial_step <= 1.0:
        raise ValueError(f"initial_step is a share of each range, in (0, 1], got {initial_step!r}. For example 0.3.")
    return float(initial_step)


def _feasible_and_unseen(
    key: jax.Array, space: Space, covariance: Covariance, state: CmaEsState, genotypes: jax.Array
) -> Drawn:
    """Replaces `(N, D)` genotypes that are infeasible or known: by wider and wider samples, then by mutants of the mean."""
    num = genotypes.shape[0]
    key_samples, key_mutants, key_unseen = jax.random.split(key, 3)
    num_more = CANDIDATES_PER_PROPOSAL * num
    n = state.normal.mean.size
    wider = jnp.linspace(1.0, WIDEST_CANDIDATE, num_more)[:, None]
    samples = jax.random.normal(key_samples, (num_more * n,)).reshape(num_more, n) * wider
    more = decode(space, place(covariance, state.normal, samples))
    centre = jnp.broadcast_to(decode(space, state.normal.mean[None]), more.shape)
    preferred = jnp.concatenate([genotypes, more, mutate(key_mutants, space, centre)])
    seen = state.seen if space.is_discrete else nothing_seen(1)  # chance repeats no real number
    return draw_unseen(key_unseen, space, num, seen, preferred=preferred, num_bred=num)


def _put(old: jax.Array, rows: jax.Array, first: jax.Array) -> jax.Array:
    """Overwrites rows of an array from a position on."""
    return rows if rows.shape == old.shape else jax.lax.dynamic_update_slice_in_dim(old, rows, first, axis=0)


def _points_of(space: Space, genotypes: jax.Array, asked: Asked) -> jax.Array:
    """Places `(N, D)` told genotypes in R^n; real numbers that were asked, where they were before reflection."""
    points = encode(space, genotypes)
    if not asked.points.size:
        return points
    same = (genotypes[:, None] == asked.genotypes[None]).all(axis=2)  # (N, G)
    sampled = asked.points[same.argmax(axis=1)]
    is_continuous = jnp.array(is_continuous_coordinate(space))[None]
    return jnp.where(same.any(axis=1)[:, None] & is_continuous, sampled, points)


def _joined(state: CmaEsState, told: Rows, is_generation: bool) -> Rows:
    """Puts the waiting rows before the told ones.

    Beside a batch that is a generation by itself they go on waiting; only the best row of an earlier warm start, which
    waits in the first place, is compared with the rest of the warm start.
    """
    waiting = state.waiting
    if is_generation:
        waiting = jax.tree.map(lambda leaf: leaf[:1], waiting)
        waiting = waiting._replace(valid=waiting.valid & ~state.has_asked)
    return jax.tree.map(lambda old, new: jnp.concatenate([old, new]), waiting, told)


def _best_first(space: Space, rows: Rows) -> Rows:
    """Sorts rows; empty, failed and copied ones come last and are no longer valid."""
    usable = is_usable(rows.losses, rows.valid, rows.violations)
    order = _order(rows.losses, usable, rows.violations)
    rows = jax.tree.map(lambda leaf: leaf[order], rows._replace(valid=usable))
    if not space.is_discrete:  # chance makes no copies
        return rows
    valid = rows.valid & ~is_repeat(genotype_codes(space, rows.genotypes))
    order = jnp.argsort(~valid, stable=True)
    return jax.tree.map(lambda leaf: leaf[order], rows._replace(valid=valid))


def _order(losses: jax.Array, usable: jax.Array, violations: jax.Array) -> jax.Array:
    """What `best_first` gives, in O(R log R) for one objective."""
    if losses.shape[1] > 1:
        return best_first(losses, usable, violations)
    excess = jnp.where(usable, jnp.maximum(violations, 0.0), jnp.inf)
    loss = jnp.where(excess > 0, ~usable, losses[:, 0])  # not read where infeasible; failed ones last
    return jnp.lexsort((loss, excess))


def _left_waiting(state: CmaEsState, rows: Rows, is_enough: jax.Array, is_generation: bool) -> Rows:
    """Says which of the sorted rows wait for the next batch."""
    best_of_start = jax.tree.map(lambda places, row: places.at[0].set(row[0]), state.waiting, rows)
    if is_generation:
        return _select(state.has_asked, state.waiting, best_of_start)
    num_places = state.waiting.valid.size
    left = jax.tree.map(lambda leaf: leaf[:num_places], rows)
    left = _select(state.has_asked, left._replace(valid=left.valid & ~is_enough), best_of_start)
    nothing = jax.tree.map(jnp.zeros_like, left)
    blank = jax.vmap(lambda valid, row, empty: _select(valid, row, empty))
    return blank(left.valid, left, nothing)


def _select(condition: jax.Array, if_true: Any, if_false: Any) -> Any:
    """Picks one of two pytrees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)
