"""What does a search buy? Each example spec as it is, by random search, and a network written down by hand.

    python experiments/tasks/run.py                            # every spec that has a network by hand
    python experiments/tasks/run.py image_cnn_edge --seeds 3   # some specs, more seeds

All three train for as many steps, of candidates and finalists together. See README.md beside it. Results are written
after each; the same command goes on with what is not there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # wherever the script is started

from experiments.provenance import provenance  # noqa: E402
from metagen_jax.spec import ModelSpec, load_spec  # noqa: E402

HERE = Path(__file__).parent
BY_HAND: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "by_hand.yaml").read_text(encoding="utf-8"))
SEARCHED, RANDOM, HAND = "the spec's search", "random search", "by hand"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compares searches with networks written down by hand.")
    parser.add_argument("specs", nargs="*", metavar="SPEC", help=f"of {', '.join(BY_HAND)} (default: all)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each kind (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="changes of every spec")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the JSON")
    options = parser.parse_args(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.specs or BY_HAND:
        path = options.results / f"{name}.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        rows = found["rows"] if found.get("set") == options.set else []
        for seed in range(options.seeds):
            for kind, command in commands(name, options.set, seed).items():
                if any((row["seed"], row["kind"]) == (seed, kind) for row in rows):
                    continue
                rows.append({"kind": kind, "seed": seed, **measure(command)})
                result = {**provenance("experiments/tasks/run.py", "two cores", seed), "spec": name, "set": options.set}
                path.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n", encoding="utf-8")
                print(name, rows[-1], flush=True)
        print(path)


def commands(name: str, overrides: list[str], seed: int) -> dict[str, list[str]]:
    """What is told to metagen, for each of the three kinds."""
    path = ROOT / "specs" / f"{name}.yaml"
    seeded = [*overrides, f"reproducibility.seed={seed}"]
    by_hand = [f"architecture.choices={json.dumps(BY_HAND[name])}", f"training.steps={total_steps(path, overrides)}"]
    return {
        SEARCHED: ["automl", "--spec", str(path), *_set(seeded)],
        RANDOM: ["automl", "--spec", str(path), *_set([*seeded, "search.strategy=random"])],
        HAND: ["synth", str(path), *_set([*seeded, *by_hand])],
    }


def total_steps(path: Path, overrides: list[str]) -> int:
    """How many training steps a search takes, over all of its candidates and finalists."""
    spec: ModelSpec = load_spec(path, overrides)
    return spec.search.budget * spec.search.prototype_steps + spec.search.finalists * spec.training.steps


def metagen(command: list[str], run: Path) -> float:
    """Runs a command of metagen in a process of its own, into the folder `run`; returns its seconds.

    What this machine remembers of other runs must not help it, nor what ships of them.
    """
    program = [sys.executable, "-m", "metagen_jax", *command, "--out", str(run), "--quiet", "--no-memory"]
    # A search starts from nothing, and each process compiles all that it needs.
    environment = os.environ | {"METAGEN_COLD": "1", "JAX_ENABLE_COMPILATION_CACHE": "false"}
    started = time.monotonic()
    subprocess.run(program, check=True, cwd=ROOT, env=environment)
    return time.monotonic() - started


def measure(command: list[str]) -> dict[str, Any]:
    """What a command of metagen comes to."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        seconds = metagen(command, run)
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    winner = result["winner"]
    return {
        "test": winner["test"],
        "validation": winner["validation"],
        "params": winner["params"],
        "sizes": winner["sizes"],
        "hyperparameters": winner["hyperparameters"],
        "baselines": result["baselines"],
        "seconds": round(seconds, 1),
    }


def _set(overrides: list[str]) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


if __name__ == "__main__":
    main()
