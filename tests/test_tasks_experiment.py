"""A short form of experiments/tasks/; its page holds what the stored results say."""

import json
from pathlib import Path

import pytest

from experiments.tasks import page, run
from tests.runs import TINY


def test_the_page_says_what_is_stored():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "stale: run python experiments/tasks/page.py"


def test_the_steps_of_a_search_are_those_of_all_its_trainings():
    path = run.ROOT / "specs" / "image_vit_classification.yaml"
    assert run.total_steps(path, []) == 32 * 120 + 2 * 2000


def test_what_is_stored_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    measured = []
    monkeypatch.setattr(run, "measure", lambda command: measured.append(command) or {})
    run.main(["image_cnn_edge", "--results", str(tmp_path)])
    run.main(["image_cnn_edge", "--results", str(tmp_path), "--seeds", "2"])
    assert len(measured) == 6 and len({tuple(command) for command in measured}) == 6
    run.main(["image_cnn_edge", "--results", str(tmp_path), "--set", "search.budget=4"])  # another spec
    assert len(measured) == 9


@pytest.mark.slow
def test_a_short_form_measures_all_three_kinds(tmp_path: Path):
    quick = [override for override in TINY["image"][1] if not override.startswith("architecture")]
    changes = [word for override in [*quick, "data.max_examples=200"] for word in ("--set", override)]
    run.main(["image_vit_classification", *changes, "--results", str(tmp_path)])
    (path,) = tmp_path.iterdir()
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert [row["kind"] for row in rows] == [run.SEARCHED, run.RANDOM, run.HAND]
    assert rows[2]["sizes"].items() <= run.BY_HAND["image_vit_classification"].items()
    assert all(0 <= row["test"]["accuracy"] <= 1 for row in rows)
