"""A device without memory for large chunks: they shrink, and every candidate keeps its bits."""

import argparse
from pathlib import Path
from typing import Any
from unittest import mock

import jax

from experiments.faults.common import repeat_command, say
from experiments.faults.in_process import HOST_DEVICES, bits, make_trainer, prepared, sample_candidates, train
from metagen_jax.cli.environment import start_jax

PART = "out-of-memory"
NUM_CANDIDATES, NUM_DEVICES = 20, 2
LARGEST_CHUNKS = (4, 2, 1)  # that fit


def add_options(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Starves the populations of both specs."""
    start_jax(HOST_DEVICES)
    runs = [{"kind": kind, **run} for kind in ("image", "text") for run in starve(kind, options.seed)]
    failures = [run | {"repeat": repeat_command(PART, options)} for run in runs if run["identical"] < run["candidates"]]
    return {"seed": options.seed, "runs": runs, "failures": failures}


def starve(kind: str, seed: int, largest_chunks: tuple[int, ...] = LARGEST_CHUNKS) -> list[dict[str, Any]]:
    """Trains a population with all the memory it wants, then with less and less of it."""
    from metagen_jax.population.program import Program

    project, whole = prepared(kind), Program.train
    candidates = sample_candidates(project, NUM_CANDIDATES, seed)
    reference = train(make_trainer(project, NUM_DEVICES), candidates)
    runs = []
    for largest in largest_chunks:

        def starved(self: Program, *arguments: Any, largest: int = largest) -> Any:
            if self.capacity > largest:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1073741824 bytes.")
            return whole(self, *arguments)

        with mock.patch.object(Program, "train", starved):
            trained = train(make_trainer(project, NUM_DEVICES), candidates)
        same = sum(bits(trained.candidates[n]) == bits(reference.candidates[n]) for n in reference.candidates)
        runs.append({"largest_chunk": largest, "candidates": len(candidates), "identical": same})
        say(f"{kind}: {runs[-1]}")
    return runs
