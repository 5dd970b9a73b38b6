"""Searchers on NAS-Bench-201, a table of 15,625 trained networks, beside Optuna's TPE in the same run.

    python benchmarks/search/nas_bench_201.py [--repeats 200]

Mean best-so-far validation accuracy (percent, mean over training seeds) at 50 and 100 evaluations, one evaluation a time
unless stated. Takes about 20 minutes on two cores with 200 repeats, most of it Optuna's.
"""

import argparse
import pathlib
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optuna
from record import write_results
from scipy.stats import mannwhitneyu

from metagen_jax.search import STRATEGIES, discrete_space

TABLE = pathlib.Path(__file__).parents[2] / "tests" / "search" / "data" / "nas_bench_201.npz"
DATA_SETS = ("cifar10", "cifar100", "imagenet16_120")
CELLS = discrete_space((5,) * 6, (False,) * 6)  # one of five operations on each of six edges
ROW_WEIGHTS = np.array([3125, 625, 125, 25, 5, 1])
BUDGETS = (50, 100)
# Strategy, and how many evaluations are told at a time.
OURS = [(name, 1) for name in STRATEGIES] + [("predictor_guided", 8), ("evolution", 8), ("random", 8)]


def accuracies() -> np.ndarray:
    """`(3, 15625)` float32, the mean over training seeds for each data set."""
    table = np.load(TABLE)
    return np.stack([np.nanmean(table[f"val_acc_{name}"], axis=1) for name in DATA_SETS])


def run_ours(name: str, population_size: int, repeats: int) -> tuple[np.ndarray, dict[str, float]]:
    """Best so far, `(3, repeats, evaluations)`, and seconds a repeat of the largest budget, cold and warm."""
    num_asks = -(-max(BUDGETS) // population_size)
    strategy = STRATEGIES[name](CELLS, population_size=population_size, num_objectives=1, capacity=max(BUDGETS) + 8)

    def run(accuracy, key):
        def generation(state, key):
            genotypes, state = strategy.ask(key, state)
            loss = -accuracy[genotypes @ jnp.array(ROW_WEIGHTS)]
            return strategy.tell(state, genotypes, loss[:, None], jnp.zeros(population_size)), loss

        keys = jax.random.split(key, num_asks + 1)
        return jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])[1].reshape(-1)

    over_repeats = jax.jit(lambda accuracy, keys: jax.lax.map(lambda key: run(accuracy, key), keys))
    keys = jax.random.split(jax.random.key(0), repeats)
    best, seconds = [], []
    for accuracy in accuracies():
        started = time.perf_counter()
        losses = np.asarray(over_repeats(jnp.array(accuracy), keys))
        seconds.append(time.perf_counter() - started)
        best.append(np.maximum.accumulate(-losses, axis=1))
    warm = statistics.mean(seconds[1:])
    return np.stack(best), {"compile": seconds[0] - warm, "warm_a_repeat": warm / repeats}


def run_optuna(repeats: int) -> tuple[np.ndarray, dict[str, float]]:
    """The same with Optuna's TPE at its defaults."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    best, started = [], time.perf_counter()
    for accuracy in accuracies():
        rows = []
        for seed in range(repeats):
            study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))

            def evaluate(trial, accuracy=accuracy):
                operations = [trial.suggest_categorical(f"edge_{edge}", range(5)) for edge in range(6)]
                return float(accuracy[np.array(operations) @ ROW_WEIGHTS])

            study.optimize(evaluate, n_trials=max(BUDGETS))
            rows.append(np.maximum.accumulate([trial.value for trial in study.trials]))
        best.append(rows)
    return np.array(best), {"warm_a_repeat": (time.perf_counter() - started) / len(best) / repeats}


def summary(best: np.ndarray, seconds: dict[str, float], opponent: np.ndarray | None) -> dict:
    """Means, standard errors, quartiles and, against an opponent, one-sided Mann-Whitney p-values of each data set."""
    result: dict = {"seconds": seconds}
    for budget in BUDGETS:
        last = best[:, :, budget - 1]
        result[f"at_{budget}"] = {
            data_set: {
                "mean": float(row.mean()),
                "standard_error": float(row.std(ddof=1) / len(row) ** 0.5),
                "quartiles": np.percentile(row, [25, 50, 75]).tolist(),
            }
            | ({} if opponent is None else {"p_better_than_tpe": _p_better(row, opponent[number, :, budget - 1])})
            for number, (data_set, row) in enumerate(zip(DATA_SETS, last, strict=True))
        }
    return result


def _p_better(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(mannwhitneyu(ours, theirs, alternative="greater").pvalue)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--optuna-repeats", type=int, default=None, help="the same as --repeats unless given")
    arguments = parser.parse_args()

    def show(name: str, result: dict) -> None:
        means = [" / ".join(f"{each['mean']:.2f}" for each in result[f"at_{b}"].values()) for b in BUDGETS]
        print(f"{name:30s} {'   '.join(means)}   {result['seconds']['warm_a_repeat']:.3f} s a repeat", flush=True)

    theirs, seconds = run_optuna(arguments.optuna_repeats or arguments.repeats)
    methods = {"Optuna TPE": summary(theirs, seconds, None)}
    show("Optuna TPE", methods["Optuna TPE"])
    for name, population_size in OURS:
        label = name if population_size == 1 else f"{name}, {population_size} a time"
        best, seconds = run_ours(name, population_size, arguments.repeats)
        methods[label] = summary(best, seconds, theirs)
        show(label, methods[label])
    print(write_results("nas_bench_201", {"repeats": arguments.repeats, "methods": methods}))


if __name__ == "__main__":
    main()
