"""CMA-ES against pycma and evosax: evaluations until 1e-8, and generations a second.

    JAX_PLATFORMS=cpu python benchmarks/search/cma_es.py [--seeds 11]     # about 5 minutes on 2 cores

Everyone starts at the same point with step size 1 and population 4 + 3 ln n, and evaluations are counted in whole
generations. pycma works in float64, the others in float32.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import cma
import jax
import jax.numpy as jnp
import numpy as np
from bbob import BOUND, Function, box, continuous_function, ellipsoid
from evosax.algorithms import CMA_ES as EvosaxCmaEs
from record import write_results

from metagen_jax.search import cma_es, sep_cma_es
from metagen_jax.search.strategy import SearchStrategy

TARGET = 1e-8
FUNCTIONS = ("sphere", "ellipsoid", "rosenbrock")
DIMENSIONS = (5, 10, 20)
GENERATIONS = {"sphere": 25, "ellipsoid": 75, "rosenbrock": 105, "rastrigin": 60, "rotated ellipsoid": 75}  # times n
RASTRIGIN_POPULATIONS = (50, 100, 200)
SPEED_DIMENSIONS, SPEED_GENERATIONS, SPEED_RUNS = 10, 1000, 11
LONG = 200  # dimensions for the separable variant

Run = Callable[[jax.Array], jax.Array]  # key -> (generations,) best loss of each generation


def default_population(num_dimensions: int) -> int:
    """Hansen's default."""
    return 4 + int(3 * np.log(num_dimensions))


def ours(function: Function, population: int, generations: int, constructor: Any = cma_es) -> Run:
    """One run of this library's strategy."""
    space = function.space
    strategy: SearchStrategy = constructor(
        space,
        population_size=population,
        num_objectives=1,
        capacity=1,
        initial_mean=(function.start,) * space.num_dimensions,
        initial_step=1.0 / (2.0 * BOUND),
    )

    def generation(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        genotypes, state = strategy.ask(key, state)
        losses = function.evaluate(genotypes)
        return strategy.tell(state, genotypes, losses[:, None], jnp.zeros(population)), losses.min()

    def run(key: jax.Array) -> jax.Array:
        key_init, key_run = jax.random.split(key)
        return jax.lax.scan(generation, strategy.init(key_init), jax.random.split(key_run, generations))[1]

    return run


def evosax(function: Function, population: int, generations: int) -> Run:
    """One run of evosax."""
    start = jnp.full(function.space.num_dimensions, function.start)
    algorithm = EvosaxCmaEs(population_size=population, solution=start)
    params = algorithm.default_params

    def generation(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        key_ask, key_tell = jax.random.split(key)
        points, state = algorithm.ask(key_ask, state, params)
        losses = function.evaluate(points)
        state, _ = algorithm.tell(key_tell, points, losses, state, params)
        return state, losses.min()

    def run(key: jax.Array) -> jax.Array:
        key_init, key_run = jax.random.split(key)
        state = algorithm.init(key_init, start, params)
        return jax.lax.scan(generation, state, jax.random.split(key_run, generations))[1]

    return run


def evaluations_until_target(run: Run, population: int, num_seeds: int) -> list[float]:
    """Evaluations of each seed in whole generations; infinity where the target is not reached."""
    best = np.array(jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), num_seeds)))
    reached = best <= TARGET
    return np.where(reached.any(axis=1), (reached.argmax(axis=1) + 1) * population, np.inf).tolist()


def pycma_evaluations(function: Function, population: int, generations: int, num_seeds: int) -> list[float]:
    """The same by pycma, in NumPy and float64."""
    evaluate = NUMPY_FUNCTIONS[function.name.split(",")[0]]
    return [_pycma_run(evaluate, function, population, generations, seed) for seed in range(num_seeds)]


def _pycma_run(evaluate: Any, function: Function, population: int, generations: int, seed: int) -> float:
    options = {"seed": seed + 1, "verbose": -9, "popsize": population, "CMA_diagonal": function.name == "separable"}
    search = cma.CMAEvolutionStrategy([function.start] * function.space.num_dimensions, 1.0, options)
    for generation in range(generations):
        points = search.ask()
        losses = evaluate(np.array(points))
        search.tell(points, losses.tolist())
        if losses.min() <= TARGET:
            return float((generation + 1) * population)
        if search.stop():
            break
    return float("inf")


NUMPY_FUNCTIONS = {
    "sphere": lambda x: (x**2).sum(axis=1),
    "ellipsoid": lambda x: (10.0 ** np.linspace(0.0, 6.0, x.shape[1]) * x**2).sum(axis=1),
    "separable": lambda x: (10.0 ** np.linspace(0.0, 6.0, x.shape[1]) * x**2).sum(axis=1),
    "rosenbrock": lambda x: (100.0 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1.0 - x[:, :-1]) ** 2).sum(axis=1),
    "rastrigin": lambda x: (x**2 + 10.0 - 10.0 * np.cos(2.0 * np.pi * x)).sum(axis=1),
}


def summary(evaluations: list[float]) -> dict[str, Any]:
    """Median and quartiles over all seeds, a failed one being the worst; and how many succeeded."""
    low, median, high = np.quantile(evaluations, [0.25, 0.5, 0.75], method="nearest")
    successes = int(np.isfinite(evaluations).sum())
    shown = [None if np.isinf(value) else int(value) for value in (median, low, high)]
    return {"median": shown[0], "quartiles": shown[1:], "successes": successes, "seeds": len(evaluations)}


def compare(function: Function, population: int, generations: int, num_seeds: int) -> dict[str, Any]:
    """All three on one function."""
    row = {
        "ours": evaluations_until_target(ours(function, population, generations), population, num_seeds),
        "pycma": pycma_evaluations(function, population, generations, num_seeds),
        "evosax": evaluations_until_target(evosax(function, population, generations), population, num_seeds),
    }
    return {"population": population} | {name: summary(evaluations) for name, evaluations in row.items()}


def speed(make_run: Callable[[Function, int, int], Run]) -> dict[str, float]:
    """Generations a second of 11 runs together, with compilation and without (the best of 5)."""
    function = continuous_function("sphere", SPEED_DIMENSIONS)
    run = jax.jit(jax.vmap(make_run(function, default_population(SPEED_DIMENSIONS), SPEED_GENERATIONS)))
    keys = jax.random.split(jax.random.key(0), SPEED_RUNS)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        jax.block_until_ready(run(keys))
        seconds.append(time.perf_counter() - start)
    total = SPEED_GENERATIONS * SPEED_RUNS
    return {"cold": total / seconds[0], "warm": total / min(seconds[1:]), "cold_seconds": seconds[0]}


def separable(num_seeds: int) -> dict[str, Any]:
    """The separable variants on the ellipsoid in 200 dimensions."""
    function, population = Function("separable", box(LONG), ellipsoid, 3.0), default_population(LONG)
    run = ours(function, population, 25 * LONG, sep_cma_es)
    return {
        "population": population,
        "ours": summary(evaluations_until_target(run, population, num_seeds)),
        "pycma": summary(pycma_evaluations(function, population, 25 * LONG, num_seeds)),
    }


def show(name: str, row: dict[str, Any]) -> None:
    """Prints one row of the table."""
    cells = []
    for peer in ("ours", "pycma", "evosax"):
        if peer in row:
            low, high = row[peer]["quartiles"]
            cells.append(f"{row[peer]['median']} [{low}, {high}] {row[peer]['successes']}/{row[peer]['seeds']}")
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=11)
    num_seeds = parser.parse_args().seeds
    warnings.filterwarnings("ignore", module="cma")
    rates = {"ours": speed(ours), "evosax": speed(evosax)}
    for name, rate in rates.items():
        print(f"{name}: {rate['warm']:,.0f} generations/s warm, {rate['cold']:,.0f} with compilation", flush=True)
    print("| function | ours | pycma | evosax |\n|---|---|---|---|")
    table = {}
    for num_dimensions in DIMENSIONS:
        for name in FUNCTIONS:
            function = continuous_function(name, num_dimensions)
            population = default_population(num_dimensions)
            table[function.name] = compare(function, population, GENERATIONS[name] * num_dimensions, num_seeds)
            show(function.name, table[function.name])
    for population in RASTRIGIN_POPULATIONS:
        function = continuous_function("rastrigin", 10)
        row = compare(function, population, GENERATIONS["rastrigin"] * 10, num_seeds)
        table[f"{function.name}, population {population}"] = row
        show(f"rastrigin, population {population}", row)
    table["separable ellipsoid, n = 200"] = separable(num_seeds)
    show("separable ellipsoid, n = 200", table["separable ellipsoid, n = 200"])
    path = write_results("cma_es", {"target": TARGET, "evaluations": table, "generations_per_second": rates})
    print(path)


if __name__ == "__main__":
    main()
