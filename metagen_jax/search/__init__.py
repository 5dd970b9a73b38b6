"""Search strategies as pure `init` / `ask` / `tell` functions, and Pareto tools; nothing here knows of networks or specs."""

from collections.abc import Mapping
from types import MappingProxyType

from metagen_jax.search.evolution import EvolutionState, evolution
from metagen_jax.search.pareto import (
    best_first,
    constrained_domination,
    crowding_distance,
    crowding_distance_by_front,
    hypervolume_2d,
    non_dominated_rank,
    pareto_mask,
)
from metagen_jax.search.random_search import random_search
from metagen_jax.search.space import Categorical, Choice, Continuous, Integer, Space, discrete_space
from metagen_jax.search.strategy import SearchStrategy, StrategyConstructor

STRATEGIES: Mapping[str, StrategyConstructor] = MappingProxyType({"evolution": evolution, "random": random_search})
"""Every strategy by the name that a spec gives it; all constructors take the same arguments."""

__all__ = [
    "STRATEGIES",
    "Categorical",
    "Choice",
    "Continuous",
    "EvolutionState",
    "Integer",
    "SearchStrategy",
    "Space",
    "StrategyConstructor",
    "best_first",
    "constrained_domination",
    "crowding_distance",
    "crowding_distance_by_front",
    "discrete_space",
    "evolution",
    "hypervolume_2d",
    "non_dominated_rank",
    "pareto_mask",
    "random_search",
]
