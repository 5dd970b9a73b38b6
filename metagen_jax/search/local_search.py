"""Local search: hill climbing over single changes, with restarts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.counts import check_counts
from metagen_jax.search.pareto import is_usable
from metagen_jax.search.sampling import (
    draw_unseen,
    new_archive,
    remember_asked,
    repairs,
    sample_uniform,
)
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, remember
from metagen_jax.search.space import Categorical, Space, from_indices, to_indices, to_unit, unit_to_continuous
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told
from metagen_jax.search.uniform import draw_uniform
from metagen_jax.search.variation import LONGEST_STEP, SHORTEST_STEP


class LocalSearchState(NamedTuple):
    """Where the climb stands and what was already tried. D: genotype length, M: objectives."""

    current: jax.Array  # (1, D)
    loss: jax.Array  # (1, M) float32
    violation: jax.Array  # (1,) float32
    climbing: jax.Array  # () bool, False before the first point of a climb is known
    num_starts: jax.Array  # () int32, rows told since the restart, while not climbing
    num_in_vain: jax.Array  # () int32, rows told since the last move
    weights: jax.Array  # (M,) float32, what each objective counts in this climb
    seen: Seen


def local_search(
    space: Space,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    num_initial: int = 10,
    patience: int | None = None,
) -> SearchStrategy:
    """Climbs from the best of a few random genotypes, one changed dimension a step, and starts anew at the top.

    A neighbour differs in one dimension: a categorical one may have any other choice, an integer is one higher or lower,
    a real number moves up or down by a share of its range (of its logarithm's range) that is log-uniform between 0.001
    and 0.5. Unseen feasible neighbours of the current point are asked in random order, and the search moves as soon as
    something better is told. Where none is left, or `patience` ran out, it restarts.

    Args:
      space: what to search.
      population_size: N, genotypes an `ask`. Where fewer neighbours are left, random genotypes fill the batch.
      num_objectives: M, columns of the losses that will be told. For several each climb
        weighs their ranks in its own way, so that restarts reach other parts of the front.
      capacity: the most evaluations ever told. Beyond it the oldest are forgotten and may be proposed again.
      num_initial: random genotypes told before a climb starts from the best of them.
      patience: told rows without a move after which to restart. None: 10 D with a continuous choice, where neighbours
        never run out, else no limit.
    Returns:
      The strategy. K neighbours (two an ordered dimension, one for each other choice of a categorical one) take
      O((K + N) capacity) time an ask.
    Raises:
      ValueError: a setting is not positive.
    References:
      White et al., Local Search is State of the Art for Neural Architecture Search Benchmarks, 2021, algorithm 1, with
      the move at the first improvement. Departures: a start is the best of several genotypes; no genotype is tried
      twice, so that a second climb does not retrace the first.

    Examples:
      >>> from metagen_jax.search import Continuous, Space, discrete_space
      >>> space = discrete_space(num_choices=(32, 32), ordered=(True, True))
      >>> strategy = local_search(space, population_size=1, num_objectives=1, capacity=100)
      >>> def evaluation(state, key):
      ...     genotypes, state = strategy.ask(key, state)
      ...     losses = ((genotypes - 20) ** 2).sum(axis=1, keepdims=True).astype(float)
      ...     return strategy.tell(state, genotypes, losses, jnp.zeros(1)), losses.min()
      >>> keys = jax.random.split(jax.random.key(0), 101)
      >>> state, losses = jax.lax.scan(evaluation, strategy.init(keys[0]), keys[1:])
      >>> float(losses.min())
      0.0

      A warm start: the climb begins at what was told before the first ask.

      >>> space = Space((Continuous(0.0, 1.0), Continuous(0.0, 1.0)))
      >>> strategy = local_search(space, population_size=4, num_objectives=1, capacity=8, num_initial=1)
      >>> known = jnp.array([[0.25, 0.75]])
      >>> state = strategy.tell(strategy.init(jax.random.key(0)), known, jnp.zeros((1, 1)), jnp.zeros(1))
      >>> neighbours, state = jax.jit(strategy.ask)(jax.random.key(1), state)
      >>> (neighbours == known).sum(axis=1).tolist()  # each has kept one of the two dimensions
      [1, 1, 1, 1]
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    check_counts(num_initial=num_initial)
    dimension, offset = _single_changes(space)
    if patience is None and not space.is_discrete:
        patience = 10 * space.num_dimensions
    elif patience is None and repairs(space):
        patience = max(dimension.size, 1)  # repaired neighbours hardly run out either
    if patience is not None:
        check_counts(patience=patience)
    num_remembered = archive_size(space, capacity, population_size)
    if not space.is_discrete:  # the discrete neighbours of one point must not be asked again
        num_remembered += dimension.size

    def init(key: jax.Array) -> LocalSearchState:
        del key  # nothing is random before the first ask
        return LocalSearchState(
            current=jnp.zeros((1, space.num_dimensions), space.dtype),
            loss=jnp.full((1, num_objectives), jnp.nan, jnp.float32),
            violation=jnp.full(1, jnp.inf, jnp.float32),
            climbing=jnp.bool_(False),
            num_starts=jnp.int32(0),
            num_in_vain=jnp.int32(0),
            weights=jnp.ones(num_objectives, jnp.float32),
            seen=new_archive(space, num_remembered),
        )

    def ask(key: jax.Array, state: LocalSearchState) -> tuple[jax.Array, LocalSearchState]:
        key_neighbours, key_first, key_fill, key_weights = jax.random.split(key, 4)
        climbing = state.climbing if patience is None else state.climbing & (state.num_in_vain < patience)
        neighbours = _neighbours(key_neighbours, space, state.current, dimension, offset)
        anywhere = sample_uniform(key_first, space, dimension.size)
        preferred = jnp.where(climbing, neighbours, anywhere)
        num_bred = climbing.astype(jnp.int32)  # one keeps the climb going
        drawn = draw_unseen(key_fill, space, population_size, state.seen, preferred=preferred, num_bred=num_bred)
        genotypes = drawn.genotypes
        if repairs(space):
            is_neighbour = drawn.bred[0]
        else:
            is_neighbour = (genotype_codes(space, neighbours) == genotype_codes(space, genotypes)[0]).any()
        climbing &= drawn.good[0] & is_neighbour
        weights = draw_uniform(key_weights, (num_objectives,))
        return genotypes, state._replace(
            climbing=climbing,
            num_starts=jnp.where(state.climbing & ~climbing, 0, state.num_starts),
            num_in_vain=jnp.where(climbing, state.num_in_vain, 0),
            weights=jnp.where(climbing, state.weights, weights),
            seen=remember_asked(space, state.seen, genotypes, drawn),
        )

    def tell(
        state: LocalSearchState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array
    ) -> LocalSearchState:
        check_told(space, num_objectives, genotypes, losses, violations)
        codes = genotype_codes(space, genotypes)
        genotypes = jnp.concatenate([state.current, genotypes.astype(space.dtype)])
        losses = jnp.concatenate([state.loss, losses.astype(jnp.float32)])
        violations = jnp.concatenate([state.violation, violations.astype(jnp.float32)])
        stands = state.climbing | (state.num_starts > 0)  # else the current point is that of a climb that has ended
        usable = is_usable(losses, jnp.ones(violations.shape, bool).at[0].set(stands), violations)
        tie_break = jnp.concatenate([jnp.zeros(1, jnp.uint32), codes])  # so that the order of the batch does not matter
        best = _best_row(losses, usable, violations, state.weights, tie_break)
        num_starts = state.num_starts + usable[1:].sum(dtype=jnp.int32)
        return LocalSearchState(
            current=genotypes[best][None],
            loss=losses[best][None],
            violation=violations[best][None],
            climbing=state.climbing | (num_starts >= num_initial),
            num_starts=jnp.minimum(num_starts, num_initial),
            num_in_vain=jnp.where(best == 0, state.num_in_vain + codes.size, 0),
            weights=state.weights,
            seen=remember(state.seen, codes),
        )

    return SearchStrategy(init, ask, tell)


def _single_changes(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Lists the K ways to change one dimension: which one and by how much, `(K,)` int32 twice."""
    changes: list[tuple[int, int]] = []
    for dimension, choice in enumerate(space.choices):
        if isinstance(choice, Categorical):
            changes += [(dimension, offset) for offset in range(1, choice.num_choices)]
        elif choice.num_choices > 1:
            changes += [(dimension, -1), (dimension, 1)]
    table = np.array(changes, np.int32).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _neighbours(
    key: jax.Array, space: Space, current: jax.Array, dimension: np.ndarray, offset: np.ndarray
) -> jax.Array:
    """Makes the K neighbours of the `(1, D)` current point in random order, `(K, D)`. The key is consumed.

    A step beyond the end of an ordered dimension turns back, so it gives a copy of the opposite step.
    """
    if not dimension.size:
        return jnp.zeros((0, space.num_dimensions), space.dtype)
    key_order, key_length = jax.random.split(key)
    order = jnp.argsort(jax.random.bits(key_order, dimension.shape))
    changes = jnp.arange(space.num_dimensions)[None] == jnp.array(dimension)[order][:, None]  # (K, D)
    step = jnp.where(changes, jnp.array(offset)[order][:, None], 0)
    counts = jnp.array(space.counts)[None]
    index = to_indices(space, current) + step
    inside = (index >= 0) & (index < counts)
    turned = jnp.where(inside, index, index - 2 * step)
    index = jnp.where(jnp.array(space.is_ordered)[None], turned, index % counts)
    if space.is_discrete:
        return from_indices(space, index)
    length = draw_uniform(key_length, changes.shape)
    share = step * SHORTEST_STEP * (LONGEST_STEP / SHORTEST_STEP) ** length
    unit = to_unit(space, current)
    inside = (unit + share >= 0.0) & (unit + share <= 1.0)
    moved = unit_to_continuous(space, unit + jnp.where(inside, share, -share))
    return jnp.where(changes, from_indices(space, index, moved), current)


def _best_row(
    losses: jax.Array, usable: jax.Array, violations: jax.Array, weights: jax.Array, tie_break: jax.Array
) -> jax.Array:
    """Finds the best of `(N, M)` losses, `()` int32: feasible first, then by the weighted sum of ranks per objective.

    Ranks need no scale, and a row that dominates another has the smaller sum. Of equal rows the first wins, then the one
    of the smaller tie break.
    """
    rank = (losses[:, None] > losses[None]).sum(axis=1)  # (N, M)
    excess = jnp.where(usable, jnp.maximum(violations, 0.0), jnp.inf)
    score = jnp.where(excess > 0, 0.0, (rank * weights[None]).sum(axis=1))
    is_told = jnp.arange(excess.size) > 0
    return jnp.lexsort((tie_break, is_told, score, excess))[0]
