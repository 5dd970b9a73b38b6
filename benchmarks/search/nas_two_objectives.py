"""Searchers for accuracy and size on NAS-Bench-201: the hypervolume after 48 trainings in batches of 8.

    python benchmarks/search/nas_two_objectives.py [--repeats 100]

The reference point is the error of guessing nearly nothing right (20, 50 and 80 percent) and 1.6 million parameters. Takes
about three minutes on two cores.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from nas_bench_201 import CELLS, DATA_SETS, ROW_WEIGHTS, TABLE, accuracies
from record import write_results
from scipy.stats import mannwhitneyu

from metagen_jax.search import STRATEGIES, hypervolume, optimize

BUDGET, BATCH = 48, 8
WORST_ERRORS = (20.0, 50.0, 80.0)
MOST_PARAMS = 1.6  # million


def hypervolumes(name: str, repeats: int) -> np.ndarray:
    """`(data sets, repeats)`."""
    params = jnp.array(np.load(TABLE)["params_m_cifar10"])
    strategy = STRATEGIES[name](CELLS, population_size=BATCH, num_objectives=2, capacity=BUDGET)

    def run(key, accuracy, worst_error):
        def evaluate(genotypes):
            row = genotypes @ jnp.array(ROW_WEIGHTS)
            return jnp.stack([100.0 - accuracy[row], params[row]], axis=1)

        result = optimize(strategy, evaluate, key, BUDGET)
        reference_point = jnp.stack([worst_error, jnp.float32(MOST_PARAMS)])
        return hypervolume(result.losses, jnp.ones(BUDGET, bool), reference_point)

    keys = jax.random.split(jax.random.key(0), repeats)
    over_repeats = jax.jit(lambda accuracy, worst: jax.lax.map(lambda key: run(key, accuracy, worst), keys))
    pairs = zip(accuracies(), WORST_ERRORS, strict=True)
    return np.stack([over_repeats(jnp.array(accuracy), jnp.float32(worst)) for accuracy, worst in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    volumes = {name: hypervolumes(name, repeats) for name in sorted(STRATEGIES)}
    methods = {
        name: {
            data_set: {
                "mean": float(rows[i].mean()),
                "standard_error": float(rows[i].std(ddof=1) / repeats**0.5),
                "p_better_than_random": float(
                    mannwhitneyu(rows[i], volumes["random"][i], alternative="greater").pvalue
                ),
            }
            for i, data_set in enumerate(DATA_SETS)
        }
        for name, rows in volumes.items()
    }
    for name, by_data_set in methods.items():
        print(f"{name:20s}", *(f"{each['mean']:.3f} +- {each['standard_error']:.3f}" for each in by_data_set.values()))
    print(write_results("nas_two_objectives", {"repeats": repeats, "budget": BUDGET, "methods": methods}))


if __name__ == "__main__":
    main()
