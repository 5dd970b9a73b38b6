"""A short form of experiments/memory/; its page holds what the stored results say."""

import json
from pathlib import Path

import pytest

from experiments.memory import page, run, scale


def test_the_page_says_what_is_stored():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "stale: run python experiments/memory/page.py"


def test_a_search_that_never_comes_to_the_goal_counts_as_longer_than_all():
    row = {"task": "digits", "seed": 0, "goal": 1.0, "cold": [3.0, 1.0], "unrelated_starts": 0, "half_cold": [2.0]}
    row |= {"others": [2.0] * run.LONGEST, "unrelated": [0.9], "same_again": [1.0], "half": [1.0, 3.0]}
    row |= {"other_seed": [2.0, 1.5], "starts": [{}]}
    found = run.summary([row])
    assert (found["starts"], found["better_than_a_start"]["median"]) == (1, 0.5)
    assert found["from_others"]["worst"] == (run.LONGEST + 1) / run.BUDGET
    assert found["from_unrelated"]["median"] == 1 / run.BUDGET
    assert (found["same_again_first_round"]["median"], found["half_budget_first_round"]["median"]) == (1.0, 0.5)


def test_other_searches_without_a_memory_are_what_a_goal_is_measured_by():
    row = {"task": "digits", "unrelated_starts": 0, "half_cold": [1.0], "half": [1.0], "starts": []}
    lucky = row | {
        "seed": 0,
        "goal": 1.0,
        "cold": [2.0, 1.0],
        "others": [1.0],
        "same_again": [1.0, 1.1],
        "other_seed": [1.5, 1.1],
    }
    other = row | {
        "seed": 1,
        "goal": 2.0,
        "cold": [2.0, 3.0],
        "others": [2.0],
        "same_again": [2.0, 2.0],
        "other_seed": [2.0, 2.0],
    }
    found = run.summary([lucky, other])
    assert found["without_memory"]["worst"] == (run.BUDGET + 1) / run.BUDGET  # the second is never as good as the first
    assert (found["winner_at_other_seed"]["worst"], found["other_seed_first_round"]["worst"]) == (1.5, 1.1)
    assert found["same_again_first_round"]["worst"] == 1.0


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
    colds = {task: run.cold(task, 0) for task in tasks}
    row = run.warm(tasks[0], 0, colds)
    kinds = ("cold", "others", "same_again", "other_seed", "half", "half_cold")
    assert [len(row[kind]) for kind in kinds] == [4, 4, 2, 2, 2, 4]
    assert row["same_again"][0] == row["goal"]  # its winner, from the same initial weights
    assert len(row["starts"]) == 1 and row["unrelated_starts"] == 0
    assert json.loads(json.dumps(run.summary([row])))["searches"] == 1
