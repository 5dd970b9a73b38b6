"""Runs to remember, small and made up."""

from collections.abc import Callable

import pytest

from metagen_jax.memory import Measured, RunRecord
from metagen_jax.synth.architecture import Blueprint

MakeRun = Callable[[int, int], RunRecord]


def make_run(seed: int, num_candidates: int = 3) -> RunRecord:
    candidates = tuple(
        Measured(
            number=number,
            blueprint=Blueprint("vit", {}, {"d_model": 8 * (number + 1)}, {}).to_json(),
            costs={"params": 100.0 * (number + 1), "flops": 1e6, "memory_bytes": 2e6, "latency_ms": 0.5},
            status="trained" if number else "failed",
            reason="" if number else "the loss was no number at step 3",
            place=number - 1 if number else None,
            measurements=({"stage": "prototype", "step": 20, "metrics": {"loss": 1.0 / (number + 1)}},)
            if number
            else (),
            initial_key=(seed, number),
        )
        for number in range(num_candidates)
    )
    return RunRecord(
        name="digits",
        date=f"2026-11-{1 + seed % 28:02}",
        task="image -> label",
        spec=f"name: digits\nreproducibility:\n  seed: {seed}\n",
        features={"log_examples": 7.25},
        objectives=({"metric": "validation_loss", "direction": "minimize"},),
        versions={"jax": "0.10.2"},
        candidates=candidates,
    )


@pytest.fixture(name="make_run")
def make_run_fixture() -> MakeRun:
    return make_run
