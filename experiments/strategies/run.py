"""Does a strategy find better networks than random search on a real spec, with the same number of trainings?

    python experiments/strategies/run.py [--strategies predictor_guided random] [--seeds 5] [--budget 48]

Runs only the search of `specs/image_vit_classification.yaml`: candidates are trained as prototypes in rounds of 8 and
judged by their validation loss and size. One search takes two to three minutes on two cores. Writes results.json beside
itself after each search, and skips what is already in it.
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, start_jax

start_jax(DEFAULT_HOST_DEVICES)

import jax  # noqa: E402  after its flags are set
import numpy as np  # noqa: E402
from scipy.stats import mannwhitneyu  # noqa: E402

from metagen_jax.automl import objectives  # noqa: E402
from metagen_jax.automl.pipeline import Options, Prepared, prepare  # noqa: E402
from metagen_jax.automl.planning import new_plan  # noqa: E402
from metagen_jax.automl.progress import Silent  # noqa: E402
from metagen_jax.automl.prototype_trainer import PrototypeTrainer  # noqa: E402
from metagen_jax.automl.refiner import ArchitectureRefiner  # noqa: E402
from metagen_jax.automl.search_engine import ArchitectureSearchEngine  # noqa: E402
from metagen_jax.population.devices import population_mesh  # noqa: E402
from metagen_jax.search import hypervolume  # noqa: E402
from metagen_jax.spec import load_spec  # noqa: E402

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results.json"
SPEC = "specs/image_vit_classification.yaml"
ROUND = 8
NUM_DEVICES = 2
REFERENCE_POINT = (2.3, 250_000.0)  # the loss of guessing, and the spec's limit


def search(prepared: Prepared, strategy: str, budget: int, seed: int) -> dict[str, float]:
    """Runs one search and returns what its candidates reached in validation."""
    run_key, search_key = jax.random.split(jax.random.key(seed))
    plan, mesh = new_plan(prepared, Options()), population_mesh(NUM_DEVICES)
    trainer = PrototypeTrainer(prepared.space, prepared.dataset, run_key, mesh, plan, Silent())
    settings = dataclasses.replace(prepared.spec.search, strategy=strategy, budget=budget, rounds=budget // ROUND)
    engine = ArchitectureSearchEngine(prepared.space, settings, search_key, Silent())
    result = ArchitectureRefiner(engine, settings, trainer, Silent()).run()
    losses = objectives.losses(result.candidates, settings.objectives)
    failed = np.isnan(losses).any(axis=1)
    area = hypervolume(losses, ~failed, np.float32(REFERENCE_POINT)) / np.prod(REFERENCE_POINT)
    return {
        "best_loss": float(np.nanmin(losses[:, 0])),
        "best_accuracy": max(c.metrics.get("accuracy", 0.0) for c in result.candidates),
        "hypervolume": float(area),
        "trained": len(result.candidates),
        "failed": int(failed.sum()),
    }


def comparison(runs: dict[str, dict[str, dict[str, float]]], baseline: str) -> dict[str, dict[str, float]]:
    """Means and one-sided Mann-Whitney p-values of every strategy against the baseline."""
    table: dict[str, dict[str, float]] = {}
    for name, by_seed in runs.items():
        table[name] = {"seeds": len(by_seed)}
        for metric, better in (("best_loss", "less"), ("best_accuracy", "greater"), ("hypervolume", "greater")):
            values = [run[metric] for run in by_seed.values()]
            table[name][metric] = float(np.mean(values))
            if name != baseline and baseline in runs:
                others = [run[metric] for run in runs[baseline].values()]
                table[name][f"{metric}_p"] = float(mannwhitneyu(values, others, alternative=better).pvalue)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", nargs="+", default=["predictor_guided", "random"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=48)
    arguments = parser.parse_args()
    jax.config.update("jax_compilation_cache_dir", tempfile.mkdtemp(prefix="metagen_jax_strategies_"))
    prepared = prepare(load_spec(ROOT / SPEC))
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    runs = stored["runs"] if stored.get("budget") == arguments.budget else {}
    for seed in range(arguments.seeds):
        for name in arguments.strategies:
            if str(seed) not in runs.setdefault(name, {}):
                runs[name][str(seed)] = search(prepared, name, arguments.budget, seed)
                print(name, seed, runs[name][str(seed)], flush=True)
            record = {"spec": SPEC, "budget": arguments.budget, "jax": jax.__version__, "runs": runs}
            record["summary"] = comparison(runs, "random")
            RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(comparison(runs, "random"), indent=1))


if __name__ == "__main__":
    main()
