"""Separable CMA-ES: CMA-ES with a diagonal covariance matrix, for long genotypes."""

from collections.abc import Sequence

import jax.numpy as jnp

from metagen_jax.search.cma_es import normal_search
from metagen_jax.search.normal_distribution import Covariance, unfused
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy, check_settings

DIAGONAL = Covariance(
    identity=lambda n: jnp.ones(n, jnp.float32),
    colour=lambda factor, rows: rows * factor[None],
    whiten=lambda factor, rows: rows * (1.0 / factor)[None],
    adapt=lambda factor, keep, weights, rows: factor * jnp.sqrt(keep + unfused(weights[:, None] * rows**2).sum(axis=0)),
    deviations=lambda factor: factor,
    stretch=lambda factor, by: factor * by,
    learning_speed=lambda n: (n + 2) / 3,
)


def sep_cma_es(
    space: Space,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    initial_mean: Sequence[float] | None = None,
    initial_step: float = 0.2,
) -> SearchStrategy:
    """Samples from a normal distribution that learns the scale of every dimension by itself, and no correlations.

    It is `cma_es` with a diagonal covariance matrix: time and memory are linear in the number of coordinates n, and the n
    deviations are learned (n + 2) / 3 times faster than a full matrix. It is the better choice where dimensions act
    separately, where n is in the hundreds, or where evaluations are too few to learn correlations.

    Args:
      space: what to search, as in `cma_es`.
      population_size: N, genotypes an `ask`.
      num_objectives: M.
      capacity: the most evaluations ever told, where the space is discrete.
      initial_mean: a genotype to start around. None: the middle of the space.
      initial_step: the first standard deviation, as a share of each range.
    Returns:
      The strategy. O(n N min(n, N)) time an ask (the samples are orthogonal), O(n N) an update.
    Raises:
      ValueError: a setting is not positive, or `initial_mean` is not a genotype of the space.
    References:
      Ros and Hansen, A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity, 2008. Departures: those
      of `cma_es`, and negative weights.

    Examples:
      >>> import jax
      >>> from metagen_jax.search.space import Continuous
      >>> space = Space((Continuous(-5.0, 5.0),) * 50)
      >>> strategy = sep_cma_es(space, population_size=16, num_objectives=1, capacity=9600)
      >>> def generation(state, key):
      ...     genotypes, state = strategy.ask(key, state)
      ...     losses = ((genotypes - 1.0) ** 2 * 10.0 ** jnp.linspace(0, 4, 50)[None]).sum(axis=1, keepdims=True)
      ...     return strategy.tell(state, genotypes, losses, jnp.zeros(16)), losses.min()
      >>> keys = jax.random.split(jax.random.key(0), 601)
      >>> state, losses = jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])
      >>> bool(losses.min() < 1e-6)
      True

      The state holds n deviations, not n^2 numbers:

      >>> state.normal.factor.shape
      (50,)
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    return normal_search(
        space,
        DIAGONAL,
        population_size=population_size,
        num_objectives=num_objectives,
        capacity=capacity,
        initial_mean=initial_mean,
        initial_step=initial_step,
    )
