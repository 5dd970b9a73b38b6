"""The population engine beside its peers, on the CPU.

    python benchmarks/population/run.py                                  # everything: leave the machine alone meanwhile
    python benchmarks/population/run.py --family vit --only engine       # one figure again; merged into the results

Each measurement is a process of its own, so that cold is cold and peak memory is the peer's. All peers of a family train
the same candidates from the same initial weights on the same batches with the same optimiser; peers take turns over the
repeats. The two peers that take long and decide little are measured `--slow-repeats` times. Writes results/cpu.json after
every family; then run `python benchmarks/population/page.py`.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
from typing import Any

import candidate_set
import numpy as np

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
FAMILIES = ("vit", "decoder_transformer", "cnn")
PEERS = ("engine", "per_shape", "torch_eager", "torch_workers", "torch_ensembles")
SLOW = ("per_shape", "torch_ensembles")
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch")
COMPARED_STEPS = 100
LONGEST_S = 3600


def measure(
    path: pathlib.Path, repeats: dict[str, int], device: str = "cpu", only_members: dict[str, int] | None = None
) -> dict[str, Any]:
    """Measures peers on one set of candidates.

    Args:
      path: the set, as `candidates.py` has written it.
      repeats: how often each peer is measured.
      only_members: peers that train the first so many candidates only, and how many.
    Returns:
      What there is to know about the set, and about each peer when, where, with what and how long.
    """
    only_members, chosen = only_members or {}, candidate_set.load(path)
    with tempfile.TemporaryDirectory(prefix="population_benchmark_") as folder:
        runs: dict[str, list[dict[str, Any]]] = {peer: [] for peer in repeats}
        for repeat in range(max(repeats.values())):
            for peer in (peer for peer, times in repeats.items() if repeat < times):
                out = pathlib.Path(folder) / f"{peer}.json"
                members = ["--members", str(only_members[peer])] if peer in only_members else []
                python(f"{peer}.py", str(path), str(out), "--device", device, *members, device=device)
                runs[peer].append(json.loads(out.read_text()))
                seconds = f"cold {runs[peer][-1]['cold_s']:.1f} s, warm {runs[peer][-1]['warm_s']:.1f} s"
                which = f"{chosen.family}, {len(chosen.members)} candidates, {peer}, {repeat + 1}"
                print(f"{which}: {seconds}", file=sys.stderr, flush=True)
    differences = _loss_differences({peer: own[0]["losses"] for peer, own in runs.items()})
    for own in runs.values():
        for run in own:
            del run["losses"]
    where = _where()
    peers = {
        peer: where | {"loss_difference_from_per_shape": differences.get(peer), "runs": own}
        for peer, own in runs.items()
    }
    return {"set": _described(chosen), "peers": peers}


def merge(path: pathlib.Path, family: str, measured: dict[str, Any]) -> None:
    """Puts new measurements into the file; what was measured on another set of candidates goes."""
    results = json.loads(path.read_text()) if path.exists() else {}
    name = f"{family}-{measured['set']['candidates']}"
    kept = results.get(name, {})
    peers = kept["peers"] if kept.get("set") == measured["set"] else {}
    results[name] = {"set": measured["set"], "peers": peers | measured["peers"]}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def python(script: str, *arguments: str, device: str) -> None:
    """Runs a script beside this one in a fresh process that finds this checkout's package, with nothing cached."""
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    platforms = "cpu" if device == "cpu" else f"{device},cpu"  # the search stays on the CPU
    environment |= {"PYTHONPATH": paths, "JAX_PLATFORMS": platforms, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    subprocess.run([sys.executable, str(HERE / script), *arguments], env=environment, check=True, timeout=LONGEST_S)


def _loss_differences(losses: dict[str, Any]) -> dict[str, float]:
    """The largest relative difference of any training loss of the first steps from training alone at exact sizes."""
    if "per_shape" not in losses:
        return {}
    alone = np.array(losses["per_shape"])[:, :COMPARED_STEPS]
    differences = {}
    for peer, own in losses.items():
        count = min(len(own), len(alone))
        relative = np.abs(np.array(own)[:count, :COMPARED_STEPS] - alone[:count]) / np.abs(alone[:count])
        differences[peer] = float(np.max(relative))
    return differences


def _described(chosen: candidate_set.CandidateSet) -> dict[str, Any]:
    sizes = {axis: sorted({member.sizes[axis] for member in chosen.members}) for axis in chosen.members[0].sizes}
    return {
        "family": chosen.family,
        "spec": chosen.spec,
        "overrides": list(chosen.overrides),
        "candidates": len(chosen.members),
        "steps": chosen.num_steps,
        "shapes": len({member.shape for member in chosen.members}),
        "batch": list(chosen.batches[0][0].shape),
        "sizes": sizes,
    }


def _where() -> dict[str, Any]:
    """Date, machine and versions."""
    models = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": {
            "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
        },
        "versions": {"python": platform.python_version()} | {library: _version(library) for library in LIBRARIES},
    }


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, action="append", help="one of them; may be given again")
    parser.add_argument("--only", choices=PEERS, action="append", help="one peer; may be given again")
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow-repeats", type=int, default=1, help=f"of {' and '.join(SLOW)}")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "results")
    args = parser.parse_args()
    repeats = {
        peer: args.slow_repeats if peer in SLOW else args.repeats for peer in PEERS if peer in (args.only or PEERS)
    }
    with tempfile.TemporaryDirectory(prefix="population_benchmark_") as folder:
        path = pathlib.Path(folder) / "set.pickle"
        for family in args.family or FAMILIES:
            options = ["--family", family, "--candidates", str(args.candidates), "--steps", str(args.steps)]
            python("candidates.py", *options, str(path), device="cpu")
            merge(args.out / "cpu.json", family, measure(path, repeats))


if __name__ == "__main__":
    main()
