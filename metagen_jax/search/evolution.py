"""A (mu + lambda) evolution strategy over the dimensions of a space, for budgets of a few dozen evaluations."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from metagen_jax.search.pareto import best_first, is_usable
from metagen_jax.search.sampling import children_or_spread, new_archive
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, is_repeat, remember
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told
from metagen_jax.search.uniform import draw_uniform, scale_to_index
from metagen_jax.search.variation import mutate

CANDIDATES_PER_PROPOSAL = 16  # so that enough of them are feasible and new
TOURNAMENT_SIZE = 2  # a parent is the best of this many drawn survivors
CROSSOVER_RATE = 0.5  # share of children with two parents


class EvolutionState(NamedTuple):
    """The survivors and what was already tried. P: survivors (mu), D: genotype length, M: objectives."""

    parents: jax.Array  # (P, D), best first
    losses: jax.Array  # (P, M) float32
    violations: jax.Array  # (P,) float32
    valid: jax.Array  # (P,) bool, True for a survivor, False for an empty place; survivors come first
    seen: Seen


def evolution(space: Space, *, population_size: int, num_objectives: int, capacity: int) -> SearchStrategy:
    """Breeds new genotypes from the best so far.

    The first population covers every dimension evenly (`spread_out`). After that each child takes its choices from
    one survivor or, by uniform crossover, from two, and changes at least one dimension. How many it changes is drawn for
    each child, so that small and large steps are always both tried. Survivors are the best of all told ones, by
    constrained non-dominated rank and then crowding distance; for one objective that is plain truncation by loss.

    Args:
      space: what to search.
      population_size: N (lambda), genotypes an `ask`.
      num_objectives: M, columns of the losses that will be told.
      capacity: the most evaluations ever told. Beyond it the oldest are forgotten and may be proposed again.
    Returns:
      The strategy. Memory O(capacity); an ask takes O(N capacity) time.
    Raises:
      ValueError: a setting is not positive.
    References:
      Beyer and Schwefel, Evolution Strategies: A Comprehensive Introduction, 2002; survivors as in Deb et al., NSGA-II,
      2002; steps in ordered dimensions are geometric as in Rudolph, An Evolutionary Algorithm for Integer Programming,
      1994. Departures: mutation rates are drawn, not inherited (too few generations to adapt them), and no genotype is
      tried twice.

    Examples:
      >>> from metagen_jax.search import discrete_space
      >>> space = discrete_space(num_choices=(32, 32), ordered=(True, True))
      >>> strategy = evolution(space, population_size=8, num_objectives=1, capacity=80)
      >>> def generation(state, key):
      ...     genotypes, state = strategy.ask(key, state)
      ...     losses = ((genotypes - 20) ** 2).sum(axis=1, keepdims=True).astype(float)
      ...     return strategy.tell(state, genotypes, losses, jnp.zeros(8)), losses.min()
      >>> keys = jax.random.split(jax.random.key(0), 11)
      >>> state, losses = jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])
      >>> bool(losses.min() < losses[0])
      True
      >>> evolution(space, population_size=8, num_objectives=0, capacity=80)
      Traceback (most recent call last):
      ...
      ValueError: num_objectives must be an int of 1 or more, got 0. For example num_objectives=8.
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    num_parents = _num_survivors(population_size, num_objectives)

    def init(key: jax.Array) -> EvolutionState:
        del key  # nothing is random before the first ask
        return EvolutionState(
            parents=jnp.zeros((num_parents, space.num_dimensions), space.dtype),
            losses=jnp.full((num_parents, num_objectives), jnp.nan, jnp.float32),
            violations=jnp.full(num_parents, jnp.inf, jnp.float32),
            valid=jnp.zeros(num_parents, bool),
            seen=new_archive(space, archive_size(space, capacity, population_size)),
        )

    def ask(key: jax.Array, state: EvolutionState) -> tuple[jax.Array, EvolutionState]:
        key_breed, *keys = jax.random.split(key, 3)
        num_candidates = CANDIDATES_PER_PROPOSAL * population_size
        children = breed(key_breed, space, state.parents, state.valid.sum(), num_candidates)
        breeding = state.valid.any()
        genotypes, seen = children_or_spread(keys, space, population_size, state.seen, children, breeding)
        return genotypes, state._replace(seen=seen)

    def tell(state: EvolutionState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> EvolutionState:
        check_told(space, num_objectives, genotypes, losses, violations)
        genotypes = genotypes.astype(space.dtype)
        codes = genotype_codes(space, genotypes)
        everyone = EvolutionState(
            parents=jnp.concatenate([state.parents, genotypes]),
            losses=jnp.concatenate([state.losses, losses.astype(jnp.float32)]),
            violations=jnp.concatenate([state.violations, violations.astype(jnp.float32)]),
            valid=jnp.concatenate([state.valid, jnp.ones(genotypes.shape[0], bool)]),
            seen=remember(state.seen, codes),
        )
        return select_survivors(space, everyone, num_parents)

    return SearchStrategy(init, ask, tell)


def _num_survivors(population_size: int, num_objectives: int) -> int:
    """One objective: a quarter of the population, as a small budget pays for greed. A front needs room for its width."""
    return max(2, population_size // 4) if num_objectives == 1 else max(4, population_size // 2)


def select_survivors(space: Space, state: EvolutionState, num: int) -> EvolutionState:
    """Keeps the best `num` of the candidates in a state, best first; failed ones and copies leave empty places.

    Args:
      space: the space that the genotypes belong to.
      state: candidates in any order.
      num: P, how many places the result has.
    Returns:
      The state with `num` places; empty ones hold zeros, NaN losses and infinite violation.
    """
    usable = is_usable(state.losses, state.valid, state.violations)
    order = best_first(state.losses, usable, state.violations)
    parents, valid = state.parents[order], usable[order]
    # A genotype that was told twice keeps its better result. Empty places may look like a copy of one another or of a
    # real genotype; they come last, so they never displace it.
    valid &= ~is_repeat(genotype_codes(space, parents))
    kept = jnp.argsort(~valid, stable=True)[:num]
    order, valid = order[kept], valid[kept]
    return EvolutionState(
        parents=jnp.where(valid[:, None], state.parents[order], 0),
        losses=jnp.where(valid[:, None], state.losses[order], jnp.nan),
        violations=jnp.where(valid, state.violations[order], jnp.inf),
        valid=valid,
        seen=state.seen,
    )


def breed(key: jax.Array, space: Space, parents: jax.Array, num_valid: jax.Array, num: int) -> jax.Array:
    """Makes children by tournament, uniform crossover and mutation. The key is consumed.

    Args:
      key: consumed.
      space: the space, D dimensions.
      parents: `(P, D)`, best first.
      num_valid: `()` int32, how many of the parents are real.
      num: how many children.
    Returns:
      `(num, D)`. Each differs from the cross of its parents in at least one dimension that can vary.
    """
    key_cross, key_mutate = jax.random.split(key)
    uniform = draw_uniform(key_cross, (num, 2 * TOURNAMENT_SIZE + 1 + space.num_dimensions))
    entrants, crossed, gene = jnp.split(uniform, [2 * TOURNAMENT_SIZE, 2 * TOURNAMENT_SIZE + 1], axis=1)
    entrants = scale_to_index(entrants, num_valid[None, None]).reshape(num, 2, TOURNAMENT_SIZE)
    couple = parents[entrants.min(axis=2)]  # (num, 2, D); parents are sorted, so the smaller index is the better
    from_second = (crossed < CROSSOVER_RATE) & (gene < 0.5)  # (num, D)
    return mutate(key_mutate, space, jnp.where(from_second, couple[:, 1], couple[:, 0]))
