"""How long does a starting point take when a million candidates are remembered?

    python experiments/memory/scale.py                       # a million candidates in 25,000 runs
    python experiments/memory/scale.py --candidates 10_000   # a short form

Fills a memory with made-up runs of 40 candidates each: random networks of the spec's space, with the features of its task
moved at random, so that some are similar and most are not. Then a starting point is asked for, first and again. Writes
results/scale.json.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

import numpy as np

from experiments.provenance import provenance
from metagen_jax.automl.meta_learner import MetaLearner
from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.automl.remembering import task_of
from metagen_jax.memory import Measured, Memory, RunRecord
from metagen_jax.spec import load_spec

ROOT = Path(__file__).parents[2]
SPEC = "specs/image_vit_classification.yaml"
OF_A_RUN = 40  # candidates
AT_ONCE = 500  # runs that are stored together
NUM_STARTS = 8
SPREAD = 0.7  # standard deviation of a feature between runs


def made_up(prepared: Prepared, candidates: int, seed: int) -> Iterator[RunRecord]:
    """Runs of random networks within the limits, in no order of quality."""
    rng, space = np.random.default_rng(seed), prepared.space
    task, features = task_of(prepared)
    networks = rng.choice(space.feasible_networks(), 4 * OF_A_RUN)
    blueprints = [blueprint.to_json() for blueprint in space.blueprints(networks)]
    costs = space.costs_of(networks)
    choices = {dimension.name: list(dimension.values) for dimension in space.dimensions}
    for number in range(candidates // OF_A_RUN):
        chosen = rng.integers(0, len(networks), OF_A_RUN)
        yield RunRecord(
            name=f"run {number}",
            date="2026-11-27",
            task=task,
            spec=f"name: run {number}\n",
            features={name: value + SPREAD * rng.standard_normal() for name, value in features.items()},
            objectives=({"metric": "validation_loss", "direction": "minimize"},),
            versions={},
            candidates=tuple(
                Measured(place, blueprints[which], _plain(costs[which]), "trained", "", place, _measured(rng))
                for place, which in enumerate(chosen)
            ),
            space=choices,
        )


def measure(folder: Path, candidates: int, seed: int) -> dict[str, Any]:
    prepared = prepare(load_spec(ROOT / SPEC))
    prepared.space.feasible_share()  # every run knows it before it asks
    with Memory(folder / "memory.sqlite") as memory:
        began, stored, runs = time.perf_counter(), 0, made_up(prepared, candidates, seed)
        while part := [run for _, run in zip(range(AT_ONCE), runs, strict=False)]:
            stored += memory.merge(part)
        filled_s = time.perf_counter() - began
    seconds = []
    for _ in range(3):  # each time the file is opened anew, as a run does
        began = time.perf_counter()
        with Memory(folder / "memory.sqlite") as memory:
            starts = MetaLearner(memory).predict_good_starting_point(prepared, NUM_STARTS)
        seconds.append(round(time.perf_counter() - began, 3))
    size = (folder / "memory.sqlite").stat().st_size
    return {
        "spec": SPEC,
        "runs": stored,
        "candidates": stored * OF_A_RUN,
        "fill_s": round(filled_s, 1),
        "file_mb": round(size / 1e6, 1),
        "first_s": seconds[0],
        "again_s": seconds[1:],
        "starts": [dataclasses.asdict(start) for start in starts],
    }


def _plain(costs: dict[str, Any]) -> dict[str, float]:
    return {name: float(costs[name]) for name in ("params", "flops", "memory_bytes", "latency_ms")}


def _measured(rng: np.random.Generator) -> tuple[dict[str, Any], ...]:
    return ({"stage": "prototype", "step": 100, "metrics": {"loss": float(rng.uniform(0.1, 2.3))}},)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Times a starting point in a large memory.")
    parser.add_argument("--candidates", type=int, default=1_000_000, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up runs (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.candidates, options.seed)
    result = provenance("experiments/memory/scale.py", "one core", options.seed) | found
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "scale.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if name != "starts"}, indent=1))


if __name__ == "__main__":
    main()
