"""A short form of experiments/costs/; its page holds what the stored results say."""

import json
from pathlib import Path

import pytest

from experiments.costs import page, run


def test_the_page_is_that_of_the_stored_results():
    stored = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.page(stored), "stale: run python experiments/costs/page.py"


@pytest.mark.slow
def test_costs_of_a_network_of_each_family_are_those_of_xla(tmp_path: Path):
    run.main(["--candidates", str(len(run.SPACES)), "--processes", "1", "--results", str(tmp_path)])
    found = json.loads((tmp_path / "costs.json").read_text(encoding="utf-8"))
    assert [len(rows) for rows in found["rows"].values()] == [1] * len(run.SPACES)
    assert found["all"]["params_equal"] == len(run.SPACES)
    assert found["all"]["flops"]["median_error"] < 0.02
    assert page.page(found)
