"""One candidate of each chunk starts from NaN: it fails with its reason, and all others keep their bits."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from experiments.faults.common import repeat_command, say
from experiments.faults.in_process import HOST_DEVICES, bits, make_trainer, prepared, sample_candidates, train
from metagen_jax.automl.candidate import FAILED
from metagen_jax.cli.environment import start_jax

PART = "nan"
NUM_CANDIDATES = 20  # two chunks and a half on two devices: the last one has free slots
NUM_DEVICES = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--poisonings", type=int, default=3, help="different candidates each time")


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Poisons the populations of both specs."""
    start_jax(HOST_DEVICES)
    by_kind = {kind: poison(kind, options.poisonings, options.seed) for kind in ("image", "text")}
    failures = [
        {"kind": kind, "problem": problem, "repeat": repeat_command(PART, options)}
        for kind, measured in by_kind.items()
        for problem in measured.pop("problems")
    ]
    return {"seed": options.seed, "devices": NUM_DEVICES, "kinds": by_kind, "failures": failures}


def poison(kind: str, times: int, seed: int) -> dict[str, Any]:
    """Trains a population undisturbed, then with one poisoned candidate a chunk, and compares."""
    project, rng = prepared(kind), np.random.default_rng(seed)
    trainer, candidates = make_trainer(project, NUM_DEVICES), sample_candidates(project, NUM_CANDIDATES, seed)
    clean = train(trainer, candidates)
    compared, problems, chosen = 0, [], []
    for _ in range(times):
        poisoned = frozenset(int(rng.choice(chunk)) for chunk in clean.chunks)
        chosen.append(sorted(poisoned))
        for number, candidate in train(trainer, candidates, poisoned).candidates.items():
            if number in poisoned:
                problems += [] if candidate.status == FAILED and "step 1" in candidate.reason else [f"{number} lives"]
                continue
            compared += 1
            same = bits(candidate) == bits(clean.candidates[number])
            problems += [] if same else [f"candidate {number} changes when {sorted(poisoned)} are poisoned"]
    say(f"{kind}: {compared} candidates beside poisoned ones, {len(problems)} problems")
    return {
        "candidates": len(candidates),
        "chunks": len(clean.chunks),
        "poisoned": chosen,
        "others_compared": compared,
        "problems": problems,
    }
