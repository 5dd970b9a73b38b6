"""Aging (regularised) evolution: a queue in which the oldest candidate leaves, however good it is."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from metagen_jax.search.counts import check_counts
from metagen_jax.search.pareto import best_first, is_usable
from metagen_jax.search.sampling import children_or_spread, new_archive
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, remember
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told
from metagen_jax.search.uniform import draw_uniform, scale_to_index
from metagen_jax.search.variation import mutate

CANDIDATES_PER_PROPOSAL = 16  # so that one of them is feasible and new


class AgingEvolutionState(NamedTuple):
    """The queue and what was already tried. P: places of the queue, D: genotype length, M: objectives."""

    genotypes: jax.Array  # (P, D), a ring: the place written next holds the oldest
    losses: jax.Array  # (P, M) float32
    violations: jax.Array  # (P,) float32
    num_entered: jax.Array  # () int32, how many ever entered; the first P places fill in order
    seen: Seen


def aging_evolution(
    space: Space,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    num_alive: int = 30,
    num_initial: int = 8,
    tournament_size: int = 20,
) -> SearchStrategy:
    """Mutates the winner of a tournament among the candidates that were told last.

    Until `num_initial` candidates are in the queue, genotypes are drawn so that every dimension is covered evenly. After
    that each child is the best of `tournament_size` queue members, drawn with replacement, with one dimension changed
    as `mutate` does. Told candidates enter the queue, and beyond `num_alive` the oldest leave: nothing survives by one lucky evaluation.

    Args:
      space: what to search.
      population_size: N, genotypes an `ask`.
      num_objectives: M, columns of the losses that will be told. Several are compared by `best_first`.
      capacity: the most evaluations ever told. Beyond it the oldest are forgotten and may be proposed again.
      num_alive: P, places of the queue.
      num_initial: how many candidates must be in the queue before children are bred, at most `num_alive`.
      tournament_size: queue members that compete to be the parent of one child.
    Returns:
      The strategy. Memory O(capacity); an ask takes O(N capacity + P^2) time.
    Raises:
      ValueError: a setting is not positive, or `num_initial` exceeds `num_alive`.
    References:
      Real et al., Regularized Evolution for Image Classifier Architecture Search, 2019, algorithm 1. Departures: the
      paper starts with P random candidates, here a few that are spread out; no genotype is tried twice. Failed candidates do not enter the queue, and infeasible ones only until
      the first feasible one. Of a batch the worse enter first, so that its order does not matter, and a batch larger
      than the queue leaves its best.

    Examples:
      >>> from metagen_jax.search import Continuous, Space, discrete_space
      >>> space = discrete_space(num_choices=(32, 32), ordered=(True, True))
      >>> strategy = aging_evolution(space, population_size=1, num_objectives=1, capacity=80)
      >>> def evaluation(state, key):
      ...     genotypes, state = strategy.ask(key, state)
      ...     losses = ((genotypes - 20) ** 2).sum(axis=1, keepdims=True).astype(float)
      ...     return strategy.tell(state, genotypes, losses, jnp.zeros(1)), losses.min()
      >>> keys = jax.random.split(jax.random.key(0), 81)
      >>> state, losses = jax.lax.scan(evaluation, strategy.init(keys[0]), keys[1:])
      >>> bool(losses[40:].min() < losses[:10].min())
      True

      A warm start: one good genotype told before the first ask is the parent of the first children.

      >>> space = Space((Continuous(0.0, 1.0), Continuous(0.0, 1.0)))
      >>> strategy = aging_evolution(space, population_size=4, num_objectives=1, capacity=8, num_initial=1)
      >>> known = jnp.array([[0.25, 0.75]])
      >>> state = strategy.tell(strategy.init(jax.random.key(0)), known, jnp.zeros((1, 1)), jnp.zeros(1))
      >>> children, state = jax.jit(strategy.ask)(jax.random.key(1), state)
      >>> bool((children == known).any(axis=1).all())  # each has kept one of the two dimensions
      True
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    check_counts(num_alive=num_alive, num_initial=num_initial, tournament_size=tournament_size)
    if num_initial > num_alive:
        raise ValueError(
            f"num_initial must be at most num_alive, got {num_initial} and {num_alive}. For example num_initial={num_alive}."
        )

    def init(key: jax.Array) -> AgingEvolutionState:
        del key  # nothing is random before the first ask
        return AgingEvolutionState(
            genotypes=jnp.zeros((num_alive, space.num_dimensions), space.dtype),
            losses=jnp.full((num_alive, num_objectives), jnp.nan, jnp.float32),
            violations=jnp.full(num_alive, jnp.inf, jnp.float32),
            num_entered=jnp.int32(0),
            seen=new_archive(space, archive_size(space, capacity, population_size)),
        )

    def ask(key: jax.Array, state: AgingEvolutionState) -> tuple[jax.Array, AgingEvolutionState]:
        key_breed, *keys = jax.random.split(key, 3)
        num_candidates = CANDIDATES_PER_PROPOSAL * population_size
        breeding = state.num_entered >= num_initial
        children = _breed(key_breed, space, state, num_candidates, tournament_size)
        genotypes, seen = children_or_spread(keys, space, population_size, state.seen, children, breeding)
        return genotypes, state._replace(seen=seen)

    def tell(
        state: AgingEvolutionState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array
    ) -> AgingEvolutionState:
        check_told(space, num_objectives, genotypes, losses, violations)
        seen = remember(state.seen, genotype_codes(space, genotypes))
        return _enter(state._replace(seen=seen), genotypes, losses, violations)

    return SearchStrategy(init, ask, tell)


def _breed(key: jax.Array, space: Space, state: AgingEvolutionState, num: int, tournament_size: int) -> jax.Array:
    """Makes `(num, D)` children, each a tournament's winner with one dimension changed. The key is consumed."""
    key_tournament, key_mutate, key_lot = jax.random.split(key, 3)
    in_queue = jnp.arange(state.violations.size) < state.num_entered
    feasible = in_queue & (state.violations <= 0)
    eligible = jnp.where(feasible.any(), feasible, in_queue)
    order = best_first(state.losses, eligible, state.violations)
    entrants = scale_to_index(draw_uniform(key_tournament, (num, tournament_size)), eligible.sum()[None, None])
    parents = state.genotypes[order[entrants.min(axis=1)]]  # ranked: the smallest index is the best
    changed = mutate(key_mutate, space, parents)
    lot = jnp.where(changed != parents, draw_uniform(key_lot, parents.shape), -1.0)
    return jnp.where(jnp.arange(space.num_dimensions)[None] == lot.argmax(axis=1, keepdims=True), changed, parents)


def _enter(
    state: AgingEvolutionState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array
) -> AgingEvolutionState:
    """Writes a told batch over the oldest of the queue, its worst row first."""
    num_places = state.violations.size
    losses, violations = losses.astype(jnp.float32), violations.astype(jnp.float32)
    usable = is_usable(losses, jnp.ones(violations.shape, bool), violations)
    enters = usable & (violations <= 0)
    knows_feasible = enters.any() | ((state.violations <= 0) & (jnp.arange(num_places) < state.num_entered)).any()
    enters = jnp.where(knows_feasible, enters, usable)
    youngest_last = best_first(losses, enters, violations)[:num_places][::-1]
    enters = enters[youngest_last]
    place = (state.num_entered + jnp.cumsum(enters) - 1) % num_places
    place = jnp.where(enters, place, num_places)  # one past the end is dropped

    def write(queue, rows):
        return queue.at[place].set(rows[youngest_last].astype(queue.dtype), mode="drop")

    return AgingEvolutionState(
        genotypes=write(state.genotypes, genotypes),
        losses=write(state.losses, losses),
        violations=write(state.violations, violations),
        num_entered=state.num_entered + enters.sum(dtype=jnp.int32),
        seen=state.seen,
    )
