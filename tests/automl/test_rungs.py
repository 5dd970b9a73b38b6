"""Successive halving inside a population."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import FAILED, PROPOSED, STOPPED, TRAINED, Candidate, Score
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.automl.rungs import schedule
from metagen_jax.spec import Objective
from metagen_jax.synth.architecture import Blueprint
from tests.automl.test_resume import Stop
from tests.runs import run_tiny

RUNGS = ("--quiet", "--set", "search.rungs=2", "--set", "search.reduction_factor=2", "--set", "outputs.project=false")
BLUEPRINT = Blueprint("vit", {}, {}, {})


@pytest.mark.parametrize("steps", [1, 7, 40, 100, 120, 1000])
@pytest.mark.parametrize("num_rungs", [1, 2, 3, 5])
def test_rungs_end_with_segments_and_the_last_is_the_whole(steps: int, num_rungs: int):
    length = schedule(steps, num_rungs, reduction_factor=3)
    assert length.rungs[-1] == steps
    assert list(length.rungs) == sorted(set(length.rungs))
    assert all(rung % length.segment == 0 for rung in length.rungs[:-1])
    assert 0 < length.segment <= 50


def candidate(number: int, losses: dict[int, float], status: str = PROPOSED) -> Candidate:
    scores = [Score(step, {"loss": loss}) for step, loss in losses.items()]
    return Candidate(number, 1, np.zeros(1), BLUEPRINT, {"params": number}, status, scores=scores)


def test_those_with_the_best_loss_at_the_rung_go_on_whatever_became_of_them_later():
    by_loss = [Objective("validation_loss", "minimize")]
    round_ = [
        candidate(0, {10: 0.5}),
        candidate(1, {10: 0.3, 30: 0.9}, TRAINED),
        candidate(2, {10: 0.4}, STOPPED),
        candidate(3, {10: 0.1}, FAILED),
        candidate(4, {}, FAILED),
    ]
    assert objectives.promoted(round_, by_loss, step=10, count=2) == {3, 1}
    assert objectives.promoted(round_, by_loss, step=30, count=2) == {1}


def test_stopped_candidates_are_told_but_never_on_the_front():
    by_loss = [Objective("validation_loss", "minimize")]
    both = [candidate(0, {10: 0.1}, STOPPED), candidate(1, {10: 0.5, 30: 0.2}, TRAINED)]
    assert objectives.losses(both, by_loss)[:, 0].tolist() == pytest.approx([0.1, 0.2])
    assert [c.number for c in objectives.front(both, by_loss)] == [1]
    assert [c.number for c in objectives.finalists(both, by_loss, 2)] == [1]


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rungs") / "run"
    assert run_tiny("image", folder, *RUNGS) == 0
    return folder


def _curves(folder: Path) -> dict[int, tuple[str, bytes]]:
    with sqlite3.connect(folder / "search.sqlite") as database:
        rows = database.execute(
            "SELECT number, status, losses FROM candidates JOIN curves ON candidate = number WHERE stage = 'prototype'"
        )
        return {number: (status, losses) for number, status, losses in rows}


def test_a_search_with_rungs_stops_the_worse_half_and_the_others_lose_no_bit(halved: Path, tmp_path: Path):
    counts = json.loads((halved / "result.json").read_text())["counts"]
    assert (counts["trained"], counts["stopped"], counts["failed"]) == (2, 4, 0)  # 1 of 3 in each of 2 rounds
    whole = tmp_path / "whole"
    assert run_tiny("image", whole, *RUNGS, "--set", "search.rungs=1") == 0
    unbroken = _curves(whole)
    for number, (status, losses) in _curves(halved).items():
        if number < 3:  # later rounds follow from what the first has told
            assert len(losses) == 4 * (20 if status == TRAINED else 10)
            assert unbroken[number][1].startswith(losses)


@pytest.mark.parametrize("call", [2, *(pytest.param(call, marks=pytest.mark.slow) for call in (1, 3))])
def test_a_search_that_was_interrupted_at_a_rung_ends_with_the_same_bytes(
    halved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
):
    from metagen_jax.automl.database import RunDatabase

    with monkeypatch.context() as patch:
        Stop(patch).at(RunDatabase, "record", call, KeyboardInterrupt, after=True)
        assert run_tiny("image", tmp_path / "run", *RUNGS) == 130
    assert run_tiny("image", tmp_path / "run", *RUNGS) == 0
    assert RunFolder(tmp_path / "run").sha256() == RunFolder(halved).sha256()
