"""One bad candidate is one row; a run of bad ones says so."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import pytest

from metagen_jax.automl.chunks import ChunkTrainer, Member
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.population.program import Program
from tests.runs import run_tiny

QUICK = ("--quiet", "--set", "outputs.project=false", "--set", "search.finalists=1")


def break_candidates(monkeypatch: pytest.MonkeyPatch, is_broken) -> None:
    whole = ChunkTrainer.initial_weights

    def initial_weights(self: ChunkTrainer, members: Sequence[Member]):
        return [
            {path: value * np.float32(np.nan) for path, value in weights.items()} if is_broken(member) else weights
            for member, weights in zip(members, whole(self, members), strict=True)
        ]

    monkeypatch.setattr(ChunkTrainer, "initial_weights", initial_weights)


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


def out_of_memory_unless(monkeypatch: pytest.MonkeyPatch, fits) -> None:
    whole = Program.train

    def train(self: Program, *arguments):
        if not fits(self):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123456789 bytes.")
        return whole(self, *arguments)

    monkeypatch.setattr(Program, "train", train)


def test_chunks_shrink_until_they_fit_into_memory_and_the_numbers_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    whole, small = tmp_path / "whole", tmp_path / "small"
    assert run_tiny("image", whole, *QUICK) == 0
    plan = json.loads((whole / "manifest.json").read_text())["plan"]
    plan["programs"][0]["width"] = 4  # what a chunk holds changes no bit either
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    out_of_memory_unless(monkeypatch, lambda program: program.capacity <= 1)
    assert run_tiny("image", small, *QUICK, "--plan", str(tmp_path / "plan.json")) == 0
    assert RunFolder(small).sha256() == RunFolder(whole).sha256()
    notes = (small / "log.jsonl").read_text()
    assert "out of memory: chunks of 2 on 2 device(s)" in notes
    assert "out of memory: chunks of 1 on 2 device(s)" in notes
    assert "out of memory: chunks of 1 on 1 device(s)" in notes


def test_a_run_that_never_fits_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out_of_memory_unless(monkeypatch, lambda program: False)
    assert run_tiny("image", tmp_path / "run", *QUICK) == 1
    assert "no candidate could be trained: out of memory, even alone on one device" in capsys.readouterr().err


def test_a_program_that_cannot_be_compiled_fails_its_candidates_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, refused = Program.compile, []

    def compile_(self: Program, *arguments):
        refused[:] = refused or [self]
        if self is refused[0]:
            raise NotImplementedError("no such instruction\nand more")
        return whole(self, *arguments)

    monkeypatch.setattr(Program, "compile", compile_)
    two = ("--set", "architecture.choices.activation=[gelu, relu]")
    assert run_tiny("image", tmp_path / "run", *QUICK, *two) == 0
    with sqlite3.connect(tmp_path / "run" / "search.sqlite") as database:
        rows = database.execute("SELECT status, reason, blueprint FROM candidates").fetchall()
    by_activation: dict[str, set[tuple[str, str]]] = {}
    for status, reason, blueprint in rows:
        by_activation.setdefault(json.loads(blueprint)["structure"]["activation"], set()).add((status, reason))
    failed = ("failed", "its program could not be compiled: NotImplementedError: no such instruction")
    assert sorted(by_activation.values(), key=str) == [{failed}, {("trained", "")}]
