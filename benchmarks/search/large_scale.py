"""How long a search of 100,000 networks at the scale of billions of parameters takes, without training.

    python benchmarks/search/large_scale.py [--spec specs/text_llm_8b.yaml]

The engine of a run, with a strategy and the spec's limits: every proposal is decoded, costed, checked and told. In the
place of a trained network's quality stands the number of parameters, as with `--no-train-prototypes`. Times include
everything from reading the spec, with compilation, in a process that has compiled nothing before.
"""

import argparse
import dataclasses
import time

from metagen_jax.cli.environment import start_jax

start_jax(1)

import jax  # noqa: E402  after its flags are set
from record import write_results  # noqa: E402

from metagen_jax.automl.pipeline import UNTRAINED, prepare  # noqa: E402
from metagen_jax.automl.progress import Silent  # noqa: E402
from metagen_jax.automl.refiner import ArchitectureRefiner  # noqa: E402
from metagen_jax.automl.search_engine import ArchitectureSearchEngine  # noqa: E402
from metagen_jax.spec import Objective, load_spec  # noqa: E402

CANDIDATES = 100_000
ROUNDS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="specs/text_llm_8b.yaml")
    parser.add_argument("--strategy", default="random")
    arguments = parser.parse_args()
    started = time.perf_counter()
    prepared = prepare(load_spec(arguments.spec))
    limits = prepared.spec.constraints
    search = dataclasses.replace(
        prepared.spec.search,
        strategy=arguments.strategy,
        budget=CANDIDATES,
        rounds=ROUNDS,
        objectives=(Objective("params", "maximize"),),
    )
    ready = time.perf_counter()
    engine = ArchitectureSearchEngine(prepared.space, search, jax.random.key(0), Silent(), prepared.prototypes)
    result = ArchitectureRefiner(engine, search, UNTRAINED, Silent()).run()
    ended = time.perf_counter()
    params = [candidate.costs["params"] for candidate in result.candidates]
    outside = sum(not limits.min_params <= count <= (limits.max_params or count) for count in params)
    found = {
        "spec": arguments.spec,
        "strategy": arguments.strategy,
        "rounds": ROUNDS,
        "candidates": len(params),
        "outside_the_budget": outside,
        "proposed_outside_the_limits": result.num_infeasible,
        "prepare_s": ready - started,
        "search_s": ended - ready,
        "candidates_per_s": len(params) / (ended - ready),
    }
    print(found)
    print(write_results(f"large_scale_{arguments.strategy}", found))


if __name__ == "__main__":
    main()
