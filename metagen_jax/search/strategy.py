"""What a search strategy is: three pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax

from metagen_jax.search.counts import check_counts
from metagen_jax.search.space import Space


class SearchStrategy(NamedTuple):
    """Three pure functions that together search a `Space`.

    N: rows of a batch, D: genotype length, M: objectives. Every function works under `jit`, `vmap` and `lax.scan`;
    the state is a pytree of arrays with shapes fixed by the constructor, so it can be stored and continued bit for bit.

    Attributes:
      init: `key -> state`. The key is consumed.
      ask: `key, state -> genotypes, state`. The key is consumed. `genotypes` is `(N, D)` of the space's type, with N
        the `population_size` of the constructor. Genotypes that are feasible and were neither asked nor told come
        first; when none can be found, infeasible ones by rising violation, and only then repeats.
      tell: `state, genotypes, losses, violations -> state`. `losses` is `(N, M)` float32, every objective minimised; a
        row with a NaN or an infinity is a failed evaluation and never wins. `violations` is `(N,)` float32: `<= 0` is
        feasible, above 0 says how badly infeasible; an infeasible row never beats a feasible one. The batch may have any
        number of rows, and rows that were never asked are welcome (a warm start).
    """

    init: Callable[[jax.Array], Any]
    ask: Callable[[jax.Array, Any], tuple[jax.Array, Any]]
    tell: Callable[[Any, jax.Array, jax.Array, jax.Array], Any]


class StrategyConstructor(Protocol):
    """The signature that every constructor in `STRATEGIES` has."""

    def __call__(self, space: Space, *, population_size: int, num_objectives: int, capacity: int) -> SearchStrategy: ...


def check_settings(space: Space, *, population_size: int, num_objectives: int, capacity: int) -> None:
    """Refuses settings that no strategy can work with.

    Raises:
      ValueError: `space` is not a `Space`, or a count is not an int of 1 or more.
    """
    if not isinstance(space, Space):
        raise ValueError(
            f"space must be a Space, got {space!r}. Write for example Space((Integer(1, 8), Categorical(3)))."
        )
    check_counts(population_size=population_size, num_objectives=num_objectives, capacity=capacity)


def check_told(
    space: Space, num_objectives: int, genotypes: jax.Array, losses: jax.Array, violations: jax.Array
) -> None:
    """Refuses a told batch whose shapes would broadcast into nonsense.

    Raises:
      ValueError: a shape differs from `(N, D)`, `(N, M)`, `(N,)`.
    """
    if genotypes.ndim != 2 or genotypes.shape[1] != space.num_dimensions:
        raise ValueError(
            f"genotypes must be (N, {space.num_dimensions}), got shape {genotypes.shape}. For one genotype pass genotype[None]."
        )
    rows = genotypes.shape[0]
    if losses.shape != (rows, num_objectives):
        raise ValueError(
            f"losses must be ({rows}, {num_objectives}): one row a genotype, one column an objective; got shape "
            f"{losses.shape}. For one objective pass losses[:, None]."
        )
    if violations.shape != (rows,):
        raise ValueError(
            f"violations must be ({rows},), got shape {violations.shape}. "
            "Where everything is feasible pass jnp.zeros(len(genotypes))."
        )
