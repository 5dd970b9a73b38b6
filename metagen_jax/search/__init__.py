"""Search strategies as pure `init` / `ask` / `tell` functions, and Pareto tools; nothing here knows of networks or specs."""

from collections.abc import Mapping
from types import MappingProxyType

from metagen_jax.search.aging_evolution import AgingEvolutionState, aging_evolution
from metagen_jax.search.cma_es import CmaEsState, cma_es
from metagen_jax.search.compare import ComparedStrategy, Comparison, compare, judge
from metagen_jax.search.evolution import EvolutionState, evolution
from metagen_jax.search.halving import (
    Rung,
    RungsResult,
    hyperband,
    optimize_with_rungs,
    promote,
    successive_halving,
)
from metagen_jax.search.hypervolume import hypervolume
from metagen_jax.search.knee import KneePoint, knee_point
from metagen_jax.search.local_search import LocalSearchState, local_search
from metagen_jax.search.nsga2 import Nsga2State, nsga2
from metagen_jax.search.optimize import OptimizeResult, batch_size_of, optimize
from metagen_jax.search.pareto import (
    best_first,
    constrained_domination,
    crowding_distance,
    crowding_distance_by_front,
    non_dominated_rank,
    pareto_mask,
)
from metagen_jax.search.predictor_guided import PredictorState, Prior, normal_quantiles, predictor_guided
from metagen_jax.search.proxy import ProxyState, is_trusted, proxy_start, rank_agreement
from metagen_jax.search.random_search import random_search
from metagen_jax.search.repair import Repaired, repair
from metagen_jax.search.seen import was_repaired
from metagen_jax.search.sep_cma_es import sep_cma_es
from metagen_jax.search.space import Categorical, Choice, Continuous, Integer, Space, discrete_space
from metagen_jax.search.strategy import SearchStrategy, StrategyConstructor
from metagen_jax.search.truncation import truncate_front
from metagen_jax.search.warm_start import StartState, start_from

STRATEGIES: Mapping[str, StrategyConstructor] = MappingProxyType(
    {
        "aging_evolution": aging_evolution,
        "cma_es": cma_es,
        "evolution": evolution,
        "local_search": local_search,
        "predictor_guided": predictor_guided,
        "nsga2": nsga2,
        "random": random_search,
        "sep_cma_es": sep_cma_es,
    }
)
"""Every strategy by the name that a spec gives it; all constructors take the same arguments."""

__all__ = [
    "STRATEGIES",
    "AgingEvolutionState",
    "Categorical",
    "Choice",
    "CmaEsState",
    "ComparedStrategy",
    "Comparison",
    "Continuous",
    "EvolutionState",
    "Integer",
    "KneePoint",
    "LocalSearchState",
    "Nsga2State",
    "OptimizeResult",
    "PredictorState",
    "Prior",
    "ProxyState",
    "Repaired",
    "Rung",
    "RungsResult",
    "SearchStrategy",
    "Space",
    "StartState",
    "StrategyConstructor",
    "aging_evolution",
    "batch_size_of",
    "best_first",
    "cma_es",
    "compare",
    "constrained_domination",
    "crowding_distance",
    "crowding_distance_by_front",
    "discrete_space",
    "evolution",
    "hyperband",
    "hypervolume",
    "is_trusted",
    "judge",
    "knee_point",
    "local_search",
    "non_dominated_rank",
    "normal_quantiles",
    "nsga2",
    "optimize",
    "optimize_with_rungs",
    "pareto_mask",
    "predictor_guided",
    "promote",
    "proxy_start",
    "random_search",
    "rank_agreement",
    "repair",
    "sep_cma_es",
    "start_from",
    "successive_halving",
    "truncate_front",
    "was_repaired",
]
