"""The same candidates in other slots, other populations and on other meshes: the same bits."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.faults.common import repeat_command, say
from experiments.faults.in_process import (
    HOST_DEVICES,
    Trained,
    bits,
    largest_difference,
    make_trainer,
    prepared,
    sample_candidates,
    train,
)
from metagen_jax.automl.candidate import Candidate
from metagen_jax.cli.environment import start_jax

PART = "packing"
LARGE, SMALL = 64, 8
MESHES = (8, 2, 1)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shuffles", type=int, default=3, help="orders of the candidates on the largest mesh")


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Packs the populations of both specs in every way."""
    start_jax(HOST_DEVICES)
    comparisons = [
        {"kind": kind, **comparison}
        for kind in ("image", "text")
        for comparison in repack(kind, options.shuffles, options.seed)
    ]
    failures = [
        comparison | {"repeat": repeat_command(PART, options)}
        for comparison in comparisons
        if comparison["identical"] < comparison["candidates"]
    ]
    return {"seed": options.seed, "comparisons": comparisons, "failures": failures}


def repack(
    kind: str, shuffles: int, seed: int, meshes: Sequence[int] = MESHES, large: int = LARGE
) -> list[dict[str, Any]]:
    """Trains a large population on the first mesh and compares it with every other way to train its members."""
    project, rng = prepared(kind), np.random.default_rng(seed)
    candidates = sample_candidates(project, large, seed)
    few = [candidates[i] for i in rng.choice(large, SMALL, replace=False)]
    reference: Trained | None = None
    comparisons = []
    for num_devices in meshes:
        trainer = make_trainer(project, num_devices)
        packed = {"in order": candidates, f"{SMALL} of them": few}
        packed |= {
            f"shuffled, {i + 1}": [candidates[j] for j in rng.permutation(large)]
            for i in range(shuffles if num_devices == meshes[0] else 1)
        }
        for name, members in packed.items():
            trained = train(trainer, members)
            if reference is None:
                reference = trained
                continue
            comparisons.append(_compared(name, num_devices, reference, trained))
            say(f"{kind}: {comparisons[-1]}")
    return comparisons


def _compared(name: str, num_devices: int, reference: Trained, trained: Trained) -> dict[str, Any]:
    pairs: list[tuple[Candidate, Candidate]] = [
        (reference.candidates[number], candidate) for number, candidate in trained.candidates.items()
    ]
    changed = [pair for pair in pairs if bits(pair[0]) != bits(pair[1])]
    return {
        "order": name,
        "devices": num_devices,
        "candidates": len(pairs),
        "identical": len(pairs) - len(changed),
        "largest_relative_loss_difference": max((largest_difference(*pair) for pair in changed), default=0.0),
    }
