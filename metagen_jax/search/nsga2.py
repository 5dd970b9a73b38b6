"""NSGA-II: a genetic algorithm for several objectives, whose survivors are fronts that stay spread out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from metagen_jax.search.pareto import (
    best_first,
    constrained_domination,
    crowding_distance_by_front,
    is_usable,
    peel_fronts,
)
from metagen_jax.search.sampling import draw_unseen, new_archive, repaired_among, sample_uniform, spread_out
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, remember
from metagen_jax.search.space import Space, from_unit
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told
from metagen_jax.search.truncation import truncate_front
from metagen_jax.search.uniform import draw_uniform, scale_to_index
from metagen_jax.search.variation import mutate_one_dimension, polynomial_mutation, simulated_binary_crossover

TOURNAMENT_SIZE = 2  # a parent is the best of this many drawn survivors
CANDIDATES_PER_PROPOSAL = 8  # where genotypes may be infeasible or seen, so that enough of them are neither


class Nsga2State(NamedTuple):
    """The survivors and what was already tried. P: survivors (mu), N: population, D: genotype length, M: objectives."""

    parents: jax.Array  # (P, D), best first
    losses: jax.Array  # (P, M) float32
    violations: jax.Array  # (P,) float32
    valid: jax.Array  # (P,) bool, True for a survivor, False for an empty place; survivors come first
    strata: jax.Array  # (N, D) int32, a permutation in each column: the Latin hypercube of the first population
    seen: Seen  # both are there in every space, but only one is in use, and the other has no rows


def nsga2(
    space: Space,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    crossover_rate: float = 0.9,
    crossover_eta: float = 5.0,
    mutation_rate: float = 0.5,
    mutation_eta: float = 20.0,
) -> SearchStrategy:
    """Breeds from the fronts of all that was told, and keeps as many as it asks for.

    Parents win a binary tournament by constrained non-dominated rank and then crowding distance. Two parents give two
    children by simulated binary crossover and polynomial mutation; a child that repeats a survivor or another child is
    changed in one more dimension. The first population is a Latin hypercube, or as even as limits allow.

    Args:
      space: what to search.
      population_size: N, genotypes an `ask` and survivors.
      num_objectives: M, columns of the losses that will be told.
      capacity: the most evaluations ever told. Beyond it the oldest are forgotten and may be proposed again.
      crossover_rate: share of couples that are crossed, 0 to 1.
      crossover_eta: how alike to their parents crossed children are, 0 or more.
      mutation_rate: mean number of dimensions that mutation changes in a child, 0 or more.
      mutation_eta: how small its steps are, 0 or more.
    Returns:
      The strategy. A tell of K genotypes takes O((N + K)^2) time and memory.
    Raises:
      ValueError: a setting is out of its range.
    References:
      Deb, Pratap, Agarwal and Meyarivan, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002. Departures:
      the front that does not fit is shortened one by one with crowding measured anew (`truncate_front`); copies do not
      survive; crossed children are closer to 0 in eta, and mutants fewer, than in the paper (eta 20, rate 1), which reaches
      larger hypervolumes on ZDT and DTLZ2. In discrete spaces, and under limits, no genotype is tried twice and feasible
      ones come first.

    Examples:
      >>> from metagen_jax.search import Continuous, hypervolume
      >>> space = Space((Continuous(0.0, 1.0),) * 5)
      >>> strategy = nsga2(space, population_size=20, num_objectives=2, capacity=1000)
      >>> def generation(state, key):
      ...     x, state = strategy.ask(key, state)
      ...     losses = jnp.stack([(x**2).sum(axis=1), ((x - 1) ** 2).sum(axis=1)], axis=1)
      ...     state = strategy.tell(state, x, losses, jnp.zeros(20))
      ...     return state, hypervolume(state.losses, state.valid, jnp.array([2.0, 2.0]))
      >>> keys = jax.random.split(jax.random.key(0), 31)
      >>> state, volumes = jax.jit(lambda: jax.lax.scan(generation, strategy.init(keys[0]), keys[1:]))()
      >>> bool(volumes[-1] > 1.2 * volumes[0])
      True
      >>> nsga2(space, population_size=20, num_objectives=2, capacity=1000, mutation_eta=-1.0)
      Traceback (most recent call last):
      ...
      ValueError: mutation_eta must be 0 or more, got -1.0. Larger values make smaller steps; 20.0 is usual.
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    _check_rates(crossover_rate, crossover_eta, mutation_rate, mutation_eta)
    is_free = bool(space.is_continuous.all()) and space.violation is None

    def breed(key: jax.Array, state: Nsga2State, num: int) -> jax.Array:
        key_parents, key_cross, key_mutate, key_change = jax.random.split(key, 4)
        first, second = draw_couples(key_parents, state.parents, state.valid.sum(), (num + 1) // 2)
        crossed = simulated_binary_crossover(key_cross, space, first, second, rate=crossover_rate, eta=crossover_eta)
        children = jnp.concatenate(crossed)[:num]
        children = polynomial_mutation(key_mutate, space, children, rate=mutation_rate, eta=mutation_eta)
        repeated = _repeats(genotype_codes(space, children), genotype_codes(space, state.parents))
        changed = mutate_one_dimension(key_change, space, children, eta=mutation_eta)
        return jnp.where(repeated[:, None], changed, children)

    def init(key: jax.Array) -> Nsga2State:
        return Nsga2State(
            parents=jnp.zeros((population_size, space.num_dimensions), space.dtype),
            losses=jnp.full((population_size, num_objectives), jnp.nan, jnp.float32),
            violations=jnp.full(population_size, jnp.inf, jnp.float32),
            valid=jnp.zeros(population_size, bool),
            strata=_latin_strata(key, population_size if is_free else 0, space.num_dimensions),
            seen=new_archive(space, 0 if is_free else archive_size(space, capacity, population_size)),
        )

    def ask_freely(key: jax.Array, state: Nsga2State) -> tuple[jax.Array, Nsga2State]:
        key_breed, key_first = jax.random.split(key)
        first = _latin_hypercube(key_first, space, state.strata)
        return jnp.where(state.valid.any(), breed(key_breed, state, population_size), first), state

    def ask_unseen(key: jax.Array, state: Nsga2State) -> tuple[jax.Array, Nsga2State]:
        num_candidates = CANDIDATES_PER_PROPOSAL * population_size

        def spread(key: jax.Array, state: Nsga2State) -> tuple[jax.Array, jax.Array]:
            first = sample_uniform(jax.random.fold_in(key, 0), space, num_candidates)
            drawn = draw_unseen(key, space, num_candidates, state.seen, preferred=first)
            genotypes = spread_out(space, drawn.genotypes, drawn.good, population_size)
            return genotypes, repaired_among(space, genotypes, drawn)

        def bred(key: jax.Array, state: Nsga2State) -> tuple[jax.Array, jax.Array]:
            children = breed(jax.random.fold_in(key, 0), state, num_candidates)
            drawn = draw_unseen(key, space, population_size, state.seen, preferred=children, num_bred=population_size)
            return drawn.genotypes, drawn.repaired

        genotypes, repaired = jax.lax.cond(state.valid.any(), bred, spread, key, state)
        return genotypes, state._replace(seen=remember(state.seen, genotype_codes(space, genotypes), repaired))

    def tell(state: Nsga2State, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> Nsga2State:
        check_told(space, num_objectives, genotypes, losses, violations)
        genotypes = genotypes.astype(space.dtype)
        everyone = state._replace(
            parents=jnp.concatenate([state.parents, genotypes]),
            losses=jnp.concatenate([state.losses, losses.astype(jnp.float32)]),
            violations=jnp.concatenate([state.violations, violations.astype(jnp.float32)]),
            valid=jnp.concatenate([state.valid, jnp.ones(genotypes.shape[0], bool)]),
            seen=state.seen if is_free else remember(state.seen, genotype_codes(space, genotypes)),
        )
        return _survivors(space, everyone, population_size)

    return SearchStrategy(init, ask_freely if is_free else ask_unseen, tell)


def _check_rates(crossover_rate: float, crossover_eta: float, mutation_rate: float, mutation_eta: float) -> None:
    if not 0.0 <= crossover_rate <= 1.0:
        raise ValueError(f"crossover_rate must be from 0 to 1, got {crossover_rate}. 0.9 is usual.")
    if not mutation_rate >= 0.0:
        raise ValueError(
            f"mutation_rate must be 0 or more, got {mutation_rate}. 1.0 changes one dimension in the mean."
        )
    for name, eta in (("crossover_eta", crossover_eta), ("mutation_eta", mutation_eta)):
        if not eta >= 0.0:
            raise ValueError(f"{name} must be 0 or more, got {eta}. Larger values make smaller steps; 20.0 is usual.")


def draw_couples(key: jax.Array, parents: jax.Array, num_valid: jax.Array, num: int) -> tuple[jax.Array, jax.Array]:
    """Draws couples by binary tournaments. The key is consumed.

    Args:
      key: consumed.
      parents: `(P, D)`, best first.
      num_valid: `()` int32, how many of the parents are real; the others are not drawn.
      num: how many couples.
    Returns:
      The first and the second of each couple, `(num, D)` twice.
    """
    entrants = scale_to_index(draw_uniform(key, (2, num, TOURNAMENT_SIZE)), num_valid[None, None, None])
    winners = entrants.min(axis=-1)  # (2, num); parents are sorted, so the smaller index is the better
    return parents[winners[0]], parents[winners[1]]


def _repeats(codes: jax.Array, known: jax.Array) -> jax.Array:
    """Marks which of `(N,)` codes are known or stand earlier in the batch. O(N (N + K))."""
    position = jnp.arange(codes.size)
    earlier = (codes[:, None] == codes[None]) & (position[:, None] < position[None])
    return earlier.any(axis=0) | (known[:, None] == codes[None]).any(axis=0)


def _latin_strata(key: jax.Array, num: int, num_dimensions: int) -> jax.Array:
    """Draws a permutation of 0 .. num - 1 for each dimension, as `(num, num_dimensions)` int32."""
    return jnp.argsort(draw_uniform(key, (num, num_dimensions)), axis=0).astype(jnp.int32)


def _latin_hypercube(key: jax.Array, space: Space, strata: jax.Array) -> jax.Array:
    """Draws `(N, D)` genotypes, one from each of N strata in each dimension (McKay, Beckman and Conover, 1979).

    The strata are turned by a random number, so that a second batch from the same state differs from the first by more
    than where in a stratum its points lie.
    """
    num, num_dimensions = strata.shape
    uniform = draw_uniform(key, (num + 1, num_dimensions))
    turned = (strata + scale_to_index(uniform[:1], jnp.array(num))) % num
    return from_unit(space, (turned + uniform[1:]) / num)


def _survivors(space: Space, state: Nsga2State, num: int) -> Nsga2State:
    """Keeps the best `num` of the candidates in a state, best first; failed ones and copies leave empty places."""
    usable = is_usable(state.losses, state.valid, state.violations)
    excess = jnp.maximum(state.violations, 0.0)
    losses = jnp.where((usable & (excess == 0))[:, None], state.losses, 0.0)  # what a comparison may read
    usable &= ~_has_better_copy(genotype_codes(space, state.parents), losses, excess, usable)
    if losses.shape[1] == 1:
        kept = best_first(losses, usable, state.violations, num)
        return _take(state, kept, usable[kept])
    dominates = constrained_domination(losses, usable, state.violations)
    rank = peel_fronts(dominates, usable, num)
    num_ranked = (rank < usable.size).sum()
    last_front = rank == jnp.where(rank < usable.size, rank, -1).max()
    stays = truncate_front(losses, last_front, jnp.maximum(num_ranked - num, 0))
    rank = jnp.where(last_front & ~stays, usable.size, rank)
    kept = jnp.argsort(rank)[:num]  # crowding is measured among those that stay
    losses, rank = losses[kept], jnp.minimum(rank[kept], num)
    order = jnp.lexsort((-crowding_distance_by_front(losses, rank), rank))
    return _take(state, kept[order], (rank < num)[order])


def _has_better_copy(codes: jax.Array, losses: jax.Array, excess: jax.Array, usable: jax.Array) -> jax.Array:
    """Marks rows whose genotype was told with a better result: by excess, then by one loss after the other, then earlier."""
    position = jnp.arange(codes.size)
    better = position[:, None] < position[None]  # (N, N), row i is better than row j
    for column in (*losses.T[::-1], excess):
        mine, other = column[:, None], column[None]
        better = (mine < other) | ((mine == other) & better)
    return ((codes[:, None] == codes[None]) & better & usable[:, None]).any(axis=0)


def _take(state: Nsga2State, kept: jax.Array, valid: jax.Array) -> Nsga2State:
    """Moves the rows `kept` into the places of survivors; where `valid` is False, zeros, NaN and infinity stand for nobody."""
    return state._replace(
        parents=jnp.where(valid[:, None], state.parents[kept], 0),
        losses=jnp.where(valid[:, None], state.losses[kept], jnp.nan),
        violations=jnp.where(valid, state.violations[kept], jnp.inf),
        valid=valid,
    )
