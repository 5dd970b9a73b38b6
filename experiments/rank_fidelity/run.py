"""How well do cheap measurements of small prototypes rank networks of four times the size that are trained to the end?

    taskset -c 1 python experiments/rank_fidelity/run.py     # about an hour on one core
    python experiments/rank_fidelity/page.py                 # README.md and figure from the results

Every finished measurement is a line of results/measurements.jsonl; the same command goes on after the last one. In the
end results/results.json holds the rank correlations.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # `experiments` and `tests`, wherever the script is started

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, start_jax

start_jax(DEFAULT_HOST_DEVICES)

import jax  # noqa: E402  after its flags are set

from experiments.rank_fidelity.measure import measure  # noqa: E402
from experiments.rank_fidelity.settings import Settings, draw, measurements  # noqa: E402
from experiments.rank_fidelity.store import Store  # noqa: E402
from experiments.rank_fidelity.summary import write_summary  # noqa: E402
from metagen_jax.automl.run_folder import versions  # noqa: E402

RESULTS = Path(__file__).parent / "results"
MEASUREMENTS, SUMMARY = "measurements.jsonl", "results.json"


def run(settings: Settings, folder: Path) -> None:
    """Measures what `folder` does not hold yet, then writes the summary."""
    header = {
        "settings": dataclasses.asdict(settings),
        "architectures": [dataclasses.asdict(architecture) for architecture in draw(settings)],
        "versions": versions(),
    }
    store = Store(folder / MEASUREMENTS, header)
    for what in measurements(settings):
        if what not in store.results:
            started = time.process_time()
            result = measure(settings, what)
            store.add(what, result | {"cpu_s": round(time.process_time() - started, 2)})
            print(what, store.results[what], file=sys.stderr, flush=True)
    write_summary(folder / MEASUREMENTS, folder / SUMMARY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder (default: beside this script)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="metagen_jax_rank_fidelity_") as cache:
        jax.config.update("jax_compilation_cache_dir", cache)  # seeds share programs
        run(Settings(), arguments.results)


if __name__ == "__main__":
    main()
