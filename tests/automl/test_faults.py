"""One bad candidate is one row; a run of bad ones says so."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.prototype_trainer import PrototypeTrainer
from tests.runs import run_tiny

QUICK = ("--quiet", "--set", "outputs.project=false", "--set", "search.finalists=1")


def break_candidates(monkeypatch: pytest.MonkeyPatch, is_broken) -> None:
    whole = PrototypeTrainer.initial_weights

    def initial_weights(self: PrototypeTrainer, candidate: Candidate):
        weights = whole(self, candidate)
        return (
            {path: value * np.float32(np.nan) for path, value in weights.items()} if is_broken(candidate) else weights
        )

    monkeypatch.setattr(PrototypeTrainer, "initial_weights", initial_weights)


def test_a_candidate_that_diverges_is_a_row_with_its_reason_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    break_candidates(monkeypatch, lambda candidate: candidate.number == 1)
    assert run_tiny("image", tmp_path / "run", *QUICK) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["counts"]["failed"] == 1
    assert result["counts"]["trained"] == result["counts"]["proposed"] - 1
    assert 1 not in {member["number"] for member in result["front"]}
    with sqlite3.connect(tmp_path / "run" / "search.sqlite") as database:
        row = database.execute("SELECT status, reason FROM candidates WHERE number = 1").fetchone()
    assert row == ("failed", "loss or gradient not finite at step 1")


def test_a_run_in_which_every_candidate_diverges_fails_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    break_candidates(monkeypatch, lambda candidate: True)
    assert run_tiny("image", tmp_path / "run", *QUICK) == 1
    message = capsys.readouterr().err
    assert "no candidate could be trained: loss or gradient not finite at step 1" in message
    assert not (tmp_path / "run" / "manifest.json").exists()
