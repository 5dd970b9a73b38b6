"""Searchers on small budgets of mixed functions (continuous, logarithmic, integer and categorical dimensions together).

    python benchmarks/search/mixed_integer.py [--seeds 15]

Median and quartiles of the best loss after 50 and 100 evaluations, one at a time, beside Optuna's TPE in the same run.
The first step size of CMA-ES was chosen on functions of this kind, and nothing else. Takes about ten minutes on two cores.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optuna
from bbob import MIXED, Function
from record import write_results

from metagen_jax.search import STRATEGIES, Categorical, Continuous, Space

BUDGETS = (50, 100)


def run_ours(name: str, space: Space, functions: list[Function], seeds: int) -> np.ndarray:
    """Best so far, `(functions, seeds, evaluations)`; all functions share one compiled search."""
    strategy = STRATEGIES[name](space, population_size=1, num_objectives=1, capacity=max(BUDGETS))

    def run(which, key):
        def generation(state, key):
            genotypes, state = strategy.ask(key, state)
            losses = jax.lax.switch(which, [function.evaluate for function in functions], genotypes)
            return strategy.tell(state, genotypes, losses[:, None], jnp.zeros(1)), losses[0]

        keys = jax.random.split(key, max(BUDGETS) + 1)
        return jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])[1]

    keys = jax.random.split(jax.random.key(0), seeds)
    over_seeds = jax.jit(lambda which: jax.lax.map(lambda key: run(which, key), keys))
    losses = np.stack([np.asarray(over_seeds(which)) for which in range(len(functions))])
    return np.minimum.accumulate(losses, axis=2)


def run_optuna(space: Space, functions: list[Function], seeds: int) -> np.ndarray:
    """The same with Optuna's TPE at its defaults."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def suggest(trial, dimension, choice):
        name = f"x{dimension}"
        if isinstance(choice, Categorical):
            return trial.suggest_categorical(name, range(choice.num_choices))
        if isinstance(choice, Continuous):
            return trial.suggest_float(name, choice.low, choice.high, log=choice.log)
        return trial.suggest_int(name, choice.low, choice.high)

    def run(evaluate, seed):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))

        def objective(trial):
            row = [suggest(trial, dimension, choice) for dimension, choice in enumerate(space.choices)]
            return float(evaluate(np.array([row], np.float32))[0])

        study.optimize(objective, n_trials=max(BUDGETS))
        return np.minimum.accumulate([trial.value for trial in study.trials])

    jitted = [jax.jit(function.evaluate) for function in functions]
    return np.array([[run(evaluate, seed) for seed in range(seeds)] for evaluate in jitted])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=15)
    seeds = parser.parse_args().seeds
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    for num_dimensions in (8, 16):
        functions = [function for function in MIXED if function.space.num_dimensions == num_dimensions]
        space = functions[0].space
        searchers = {name: lambda name=name: run_ours(name, space, functions, seeds) for name in STRATEGIES}  # noqa: B023
        for name, run in {"Optuna TPE": lambda: run_optuna(space, functions, seeds), **searchers}.items():  # noqa: B023
            best = run()
            for function, rows in zip(functions, best, strict=True):
                quartiles = {f"at_{b}": np.percentile(rows[:, b - 1], [25, 50, 75]).tolist() for b in BUDGETS}
                results.setdefault(function.name, {})[name] = quartiles
            medians = [results[function.name][name]["at_100"][1] for function in functions]
            print(f"D = {num_dimensions}, {name:20s}", *(f"{median:12.4g}" for median in medians), flush=True)
    print(write_results("mixed_integer", {"seeds": seeds, "functions": results}))


if __name__ == "__main__":
    main()
