"""Random search without repeats: the baseline that every other strategy has to beat."""

import jax

from metagen_jax.search.sampling import draw_unseen, new_archive, remember_asked
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, remember
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told


def random_search(space: Space, *, population_size: int, num_objectives: int, capacity: int) -> SearchStrategy:
    """Draws genotypes uniformly from the feasible part of the space, each at most once.

    Its state is the set of genotypes seen; losses are not looked at.

    Args:
      space: what to search.
      population_size: N, genotypes an `ask`.
      num_objectives: M, columns of the losses that will be told.
      capacity: the most evaluations ever told. Beyond it the oldest are forgotten and may be proposed again.
    Returns:
      The strategy.
    Raises:
      ValueError: a setting is not positive.
    References:
      Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012.

    Examples:
      >>> from metagen_jax.search import discrete_space
      >>> space = discrete_space(num_choices=(2, 3), ordered=(True, True))
      >>> strategy = random_search(space, population_size=6, num_objectives=1, capacity=6)
      >>> genotypes, state = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)))
      >>> sorted(tuple(map(int, genotype)) for genotype in genotypes)
      [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
      >>> odd = discrete_space((4,), ordered=(True,), violation=lambda genotypes: 1.0 - genotypes[:, 0] % 2)
      >>> strategy = random_search(odd, population_size=2, num_objectives=1, capacity=6)
      >>> genotypes, _ = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)))
      >>> sorted(genotypes[:, 0].tolist())
      [1, 3]
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)

    def init(key: jax.Array) -> Seen:
        del key  # nothing is random before the first ask
        return new_archive(space, archive_size(space, capacity, population_size))

    def ask(key: jax.Array, state: Seen) -> tuple[jax.Array, Seen]:
        drawn = draw_unseen(key, space, population_size, state)
        return drawn.genotypes, remember_asked(space, state, drawn.genotypes, drawn)

    def tell(state: Seen, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> Seen:
        check_told(space, num_objectives, genotypes, losses, violations)
        return remember(state, genotype_codes(space, genotypes))

    return SearchStrategy(init, ask, tell)
