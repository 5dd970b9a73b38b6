"""A short form of experiments/memory/; its page holds what the stored results say."""

import json
from pathlib import Path

import pytest

from experiments.memory import page, run, scale


def test_the_page_says_what_is_stored():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "stale: run python experiments/memory/page.py"


def test_a_search_that_never_comes_to_the_goal_counts_as_longer_than_all():
    row = {"goal": 1.0, "cold": [3.0, 1.0], "unrelated_starts": 0, "half_cold": [2.0]}
    row |= {"others": [2.0] * run.LONGEST, "unrelated": [0.9], "same_again": [1.0], "half": [1.0, 3.0]}
    found = run.summary([row])
    assert found["from_others"]["worst"] == (run.LONGEST + 1) / run.BUDGET
    assert found["from_unrelated"]["median"] == 1 / run.BUDGET
    assert (found["same_again_first_round"]["median"], found["half_budget_first_round"]["median"]) == (1.0, 0.5)


def test_a_large_memory_is_filled_and_asked(tmp_path: Path):
    scale.main(["--candidates", "400", "--results", str(tmp_path)])
    found = json.loads((tmp_path / "scale.json").read_text(encoding="utf-8"))
    assert (found["runs"], found["candidates"], len(found["starts"])) == (10, 400, scale.NUM_STARTS)


@pytest.mark.slow
def test_a_short_form_measures_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "BUDGET", 4)
    monkeypatch.setattr(run, "LONGEST", 4)
    monkeypatch.setattr(run, "ROUND", 2)
    monkeypatch.setattr(run, "STEPS", 5)
    tasks = ("image_digits_demo", "image_digits_cnn")
    colds = {task: run.cold(task, 1) for task in tasks}
    (row,) = run.warm(tasks[0], colds, 1)
    assert [len(row[kind]) for kind in ("cold", "others", "same_again", "half", "half_cold")] == [4, 4, 2, 2, 4]
    assert len(row["starts"]) == 1 and row["unrelated_starts"] == 0
    assert json.loads(json.dumps(run.summary([row])))["searches"] == 1
