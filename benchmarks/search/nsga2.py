"""Compares `nsga2` with pymoo's NSGA2 on ZDT1-4, ZDT6 and DTLZ2, and with Optuna's sampler on a small budget.

    python benchmarks/search/nsga2.py --seeds 5        # about 2 minutes on 2 cores

Both run 250 generations of 100 with their default operators, on the same settings everywhere. The hypervolume is that of
the last survivors below 1.1 in every objective, by the same function. Cold includes compilation, warm does not; "parallel"
is all seeds under `vmap` in one program, a seed's share of the time. pymoo is several times faster where its compiled
modules are installed; the results say whether they were. Timed runs of both alternate, so that both meet the same load.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optuna
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem as PymooProblem
from pymoo.functions import is_compiled
from pymoo.optimize import minimize
from record import write_results
from zdt import PROBLEMS, REFERENCE, Problem

from metagen_jax.search import hypervolume, nsga2

POPULATION, GENERATIONS = 100, 250
SMALL_POPULATION, SMALL_GENERATIONS = 50, 20


def search(problem: Problem, population: int, generations: int) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    """Returns a function of the key that runs our strategy and gives the survivors' losses and which are real."""
    strategy = nsga2(
        problem.space,
        population_size=population,
        num_objectives=problem.num_objectives,
        capacity=population * generations,
    )

    def generation(state, key):
        genotypes, state = strategy.ask(key, state)
        return strategy.tell(state, genotypes, problem.evaluate(genotypes), jnp.zeros(population)), None

    def run(key):
        keys = jax.random.split(key, generations + 1)
        state = jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])[0]
        return state.losses, state.valid

    return run


@functools.cache
def _measure(num_objectives: int) -> Callable:
    return jax.jit(lambda losses, valid: hypervolume(losses, valid, jnp.full(num_objectives, REFERENCE)))


def volume(losses: Any, valid: Any = None) -> float:
    losses = jnp.asarray(losses, jnp.float32)
    return float(_measure(losses.shape[1])(losses, jnp.ones(len(losses), bool) if valid is None else valid))


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = jax.block_until_ready(function())
    return result, time.perf_counter() - start


Runner = Callable[[int], tuple[Any, Any]]  # seed -> losses of the last survivors, which of them are real


def ours(problem: Problem, population: int, generations: int) -> tuple[Runner, float]:
    """Returns our runner, compiled, and the seconds of its first run."""
    run = jax.jit(search(problem, population, generations))
    _, cold = timed(lambda: run(jax.random.key(99)))
    return lambda seed: run(jax.random.key(seed)), cold


def parallel_seconds(problem: Problem, num_seeds: int) -> float:
    together = jax.jit(jax.vmap(search(problem, POPULATION, GENERATIONS)))
    keys = jax.random.split(jax.random.key(0), num_seeds)
    timed(lambda: together(keys))
    return timed(lambda: together(keys))[1] / num_seeds


def measure(runners: dict[str, Runner], num_seeds: int) -> dict[str, dict[str, Any]]:
    """Runs all in turn for each seed; volumes are taken outside of the timed part."""
    volumes: dict[str, list[float]] = {name: [] for name in runners}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for seed in range(num_seeds):
        for name, runner in runners.items():
            front, took = timed(lambda: runner(seed))  # noqa: B023
            volumes[name].append(volume(*front))
            seconds[name].append(took)
    return {name: summary(volumes[name], seconds[name]) for name in runners}


class NumpyProblem(PymooProblem):
    """The same function in pymoo's interface; float64, as pymoo's own problems are."""

    def __init__(self, problem: Problem):
        low, high = np.array([(choice.low, choice.high) for choice in problem.space.choices]).T
        super().__init__(n_var=len(low), n_obj=problem.num_objectives, xl=low, xu=high)
        self._evaluate_jax = jax.jit(problem.evaluate)

    def _evaluate(self, x, out, *args, **kwargs):
        with jax.enable_x64(True):
            out["F"] = np.asarray(self._evaluate_jax(np.asarray(x, np.float64)))


def pymoo(problem: Problem) -> Runner:
    wrapped = NumpyProblem(problem)
    minimize(wrapped, NSGA2(pop_size=POPULATION), ("n_gen", 2), seed=0)  # compiles the function

    def run(seed: int) -> tuple[Any, None]:
        result = minimize(wrapped, NSGA2(pop_size=POPULATION), ("n_gen", GENERATIONS), seed=seed)
        if result.algorithm.evaluator.n_eval != POPULATION * GENERATIONS:
            raise RuntimeError(f"pymoo stopped after {result.algorithm.evaluator.n_eval} evaluations")
        return result.F, None

    return run


def optuna_sampler(problem: Problem) -> Runner:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    evaluate = jax.jit(problem.evaluate)

    def objective(trial):
        values = [
            trial.suggest_float(f"x{i}", choice.low, choice.high) for i, choice in enumerate(problem.space.choices)
        ]
        return tuple(map(float, evaluate(jnp.array([values]))[0]))

    def run(seed: int) -> tuple[Any, None]:
        sampler = optuna.samplers.NSGAIISampler(population_size=SMALL_POPULATION, seed=seed)
        study = optuna.create_study(directions=["minimize"] * problem.num_objectives, sampler=sampler)
        study.optimize(objective, n_trials=SMALL_POPULATION * SMALL_GENERATIONS)
        return [trial.values for trial in study.best_trials], None  # of all trials, ours of the last survivors only

    return run


def summary(volumes: list[float], seconds: list[float]) -> dict[str, Any]:
    return {
        "hypervolume_median": statistics.median(volumes),
        "hypervolume_min": min(volumes),
        "hypervolume_max": max(volumes),
        "seconds_warm": statistics.median(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    num_seeds = parser.parse_args().seeds
    results: dict[str, Any] = {
        "settings": {
            "population": POPULATION,
            "generations": GENERATIONS,
            "reference": REFERENCE,
            "seeds": num_seeds,
            "pymoo_is_compiled": bool(is_compiled()),
        },
        "problems": {},
    }
    for problem in PROBLEMS:
        run, cold = ours(problem, POPULATION, GENERATIONS)
        both = measure({"nsga2": run, "pymoo": pymoo(problem)}, num_seeds)
        mine, peer = both["nsga2"], both["pymoo"]
        mine |= {"seconds_cold": cold, "seconds_parallel_per_seed": parallel_seconds(problem, num_seeds)}
        speedup = peer["seconds_warm"] / mine["seconds_warm"]
        results["problems"][problem.name] = {
            "front_hypervolume": problem.front_hypervolume,
            "speedup_warm": speedup,
            **both,
        }
        print(
            f"{problem.name}: {mine['hypervolume_median']:.4f} [{mine['hypervolume_min']:.4f}, {mine['hypervolume_max']:.4f}]"
            f" in {mine['seconds_warm']:.3f} s (cold {cold:.1f} s, parallel {mine['seconds_parallel_per_seed']:.3f} s);"
            f" pymoo {peer['hypervolume_median']:.4f} [{peer['hypervolume_min']:.4f}, {peer['hypervolume_max']:.4f}]"
            f" in {peer['seconds_warm']:.2f} s; {speedup:.1f} times faster",
            flush=True,
        )
    run, cold = ours(PROBLEMS[0], SMALL_POPULATION, SMALL_GENERATIONS)
    small = measure({"nsga2": run, "optuna": optuna_sampler(PROBLEMS[0])}, num_seeds)
    small["nsga2"]["seconds_cold"] = cold
    results["zdt1_1000_evaluations"] = {"population": SMALL_POPULATION, "generations": SMALL_GENERATIONS, **small}
    print("ZDT1, 1,000 evaluations:", small)
    print(write_results("nsga2", results))


if __name__ == "__main__":
    main()
