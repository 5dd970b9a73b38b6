"""What is remembered can be listed, shown, carried elsewhere and forgotten."""

import json
from pathlib import Path

import pytest

from metagen_jax.cli import main
from metagen_jax.memory import Memory
from tests.memory.conftest import make_run


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    path = tmp_path / "memory.sqlite"
    with Memory(path) as opened:
        opened.merge([make_run(0, 3), make_run(1, 4)])
    return path


def history(*words: str, memory: Path) -> int:
    return main(["history", *words, "--memory", str(memory)])


def test_runs_are_listed_in_the_order_of_their_dates(memory: Path, capsys: pytest.CaptureFixture[str]):
    assert history("list", memory=memory) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == [make_run(0, 3).id, "2026-11-01", "3", "candidates", "digits:", "image", "->", "label"]
    assert second.startswith(make_run(1, 4).id)


def test_a_run_is_shown_best_first_by_the_beginning_of_its_id(memory: Path, capsys: pytest.CaptureFixture[str]):
    assert history("show", make_run(1, 4).id[:6], memory=memory) == 0
    shown = capsys.readouterr().out
    assert "seed: 1" in shown
    candidates = [line for line in shown.splitlines() if "parameters" in line]
    assert candidates[0].split() == ["1", "200", "parameters", "loss", "0.5", "(d_model", "16)"]
    assert len(candidates) == 3  # one failed


def test_what_is_exported_is_imported_elsewhere_once(memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, other = tmp_path / "runs.jsonl", tmp_path / "other.sqlite"
    assert history("export", str(file), memory=memory) == 0
    assert history("export", str(file), memory=memory) == 2  # never over a file
    capsys.readouterr()
    assert history("import", str(file), memory=other) == 0
    assert history("import", str(file), str(memory), memory=other) == 0
    assert capsys.readouterr().out.splitlines() == ["2 of 2 runs are new", "0 of 4 runs are new"]
    with Memory(memory) as one, Memory(other) as another:
        assert one.overview() == another.overview()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blueprint": "{}"}, "no run (TypeError: "),
        ({"costs": {"params": "many"}}, "no run (TypeError: candidate 0 has no number of parameters)"),
    ],
)
def test_a_candidate_that_could_not_be_built_is_not_let_in(changes, message, memory: Path, tmp_path: Path, capsys):
    run = json.loads(make_run(2, 3).to_json())
    run["candidates"][0] |= changes
    file = tmp_path / "runs.jsonl"
    file.write_text(json.dumps(run))
    assert history("import", str(file), memory=memory) == 2
    assert message in capsys.readouterr().err


def test_lines_that_hold_no_run_are_named(memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "runs.jsonl"
    file.write_text(f'{make_run(2, 3).to_json()}\n{{"name": "half"}}\n')
    assert history("import", str(file), memory=memory) == 2
    assert f"{file}, line 2: no run" in capsys.readouterr().err
    with Memory(memory) as opened:
        assert len(opened.overview()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "zz"], "there is no run 'zz'"),
        (["forget", ""], "2 runs begin with ''"),
        (["forget"], "which runs"),
        (["import", "nowhere.jsonl"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    words: list[str], message: str, memory: Path, capsys: pytest.CaptureFixture[str]
):
    assert history(*words, memory=memory) == 2
    assert message in capsys.readouterr().err


def test_runs_are_forgotten_by_name_or_all(memory: Path, capsys: pytest.CaptureFixture[str]):
    assert history("forget", make_run(0, 3).id, memory=memory) == 0
    assert history("forget", "--all", memory=memory) == 0
    assert history("list", memory=memory) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 runs forgotten",
        "1 runs forgotten",
        f"nothing is remembered in {memory}",
    ]
