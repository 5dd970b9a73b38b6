"""What ships for machines without memory: it can be read, and the script takes what covers its runs best."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from metagen_jax.memory import Measured, Memory, Portfolio, RunRecord, portfolio_text, read_portfolio
from metagen_jax.memory.portfolio import SHIPPED
from metagen_jax.synth.architecture import Blueprint
from scripts import portfolio as script

LOSS = ({"metric": "validation_loss", "direction": "minimize"},)


def run_of(seed: int, losses: Mapping[str, float], objectives=LOSS, metric: str = "loss") -> RunRecord:
    """A run that trained blueprints with these names, the best of them first in the order of places."""
    order = sorted(losses, key=lambda name: losses[name])
    candidates = tuple(
        Measured(
            number=10 + number,
            blueprint=Blueprint("vit", {}, {"d_model": name}, {}).to_json(),
            costs={"params": 100.0},
            status="trained",
            reason="",
            place=order.index(name),
            measurements=({"stage": "prototype", "step": 20, "metrics": {metric: loss}},),
        )
        for number, (name, loss) in enumerate(losses.items())
    )
    return RunRecord("digits", f"2026-11-0{seed}", "image -> label", f"seed: {seed}", {}, objectives, {}, candidates)


def names(run: RunRecord) -> list[str]:
    return [json.loads(candidate.blueprint)["sizes"]["d_model"] for candidate in run.candidates]


def test_the_shipped_file_is_what_its_entries_are_written_as():
    text = SHIPPED.read_text(encoding="utf-8")
    content, entries = json.loads(text), read_portfolio()
    about = {key: content[key] for key in ("made_by", "versions")}
    assert portfolio_text(entries, about) == text
    assert len(text) < 200_000
    assert content["made_by"].startswith("python scripts/portfolio.py --record")
    for entry in entries:
        assert 1 <= len(entry.run.candidates) == len(entry.sources) <= script.PLACES
        assert [each.place for each in entry.run.candidates] == list(range(len(entry.sources)))
        assert all(json.loads(each.blueprint)["family"] == entry.family for each in entry.run.candidates)
        assert len({each.blueprint for each in entry.run.candidates}) == len(entry.sources)


def test_every_spec_that_the_script_records_is_in_the_shipped_file_once():
    assert sorted(entry.run.name for entry in read_portfolio()) == sorted(script.SPECS)


def test_a_portfolio_of_no_entries_is_empty_and_one_of_another_format_is_refused(tmp_path: Path):
    assert Portfolio([]).tasks() == []
    with pytest.raises(KeyError):
        Portfolio([]).load("1f3a")
    (tmp_path / "portfolio.json").write_text('{"format": 99, "entries": []}')
    with pytest.raises(ValueError, match="has format 99"):
        read_portfolio(tmp_path / "portfolio.json")


def test_regret_is_measured_by_the_median_and_unknown_is_no_better_than_it():
    losses = {"a": 1.0, "b": 1.5, "c": 3.0, "d": 9.0, "e": 2.0}
    regrets = script.regrets_in(run_of(1, losses))
    assert [regrets[each.blueprint] for each in run_of(1, losses).candidates] == [0.0, 0.5, 1.0, 1.0, 1.0]
    accuracy = ({"metric": "validation_accuracy", "direction": "maximize"},)
    better = script.regrets_in(run_of(1, {"a": 0.2, "b": 0.8, "c": 0.5}, accuracy, "accuracy"))
    assert list(better.values()) == pytest.approx([1.0, 0.0, 1.0])


def test_the_set_is_chosen_that_covers_the_runs_best_together():
    # Mean regret: a (0 + 1 + 1) / 3, b (0.4 + 0.4 + 0.4) / 3, c (1 + 0 + 1) / 3, d (1 + 1 + 0.3) / 3. So b comes first;
    # with it a and c leave (0 + 0.4 + 0.4) / 3 each, where "a" comes first; then c leaves (0 + 0 + 0.4) / 3.
    regrets = [
        {"a": 0.0, "b": 0.4, "c": 1.0},
        {"b": 0.4, "c": 0.0, "d": 1.0},  # a was not trained in it: 1
        {"a": 1.0, "b": 0.4, "c": 1.0, "d": 0.3},
    ]
    assert script.covering(regrets, 3) == ["b", "a", "c"]
    assert script.covering(regrets, 9) == ["b", "a", "c", "d"]


def test_an_entry_says_from_which_run_each_of_its_candidates_is():
    runs = [run_of(1, {"a": 1.0, "b": 2.0, "c": 5.0}), run_of(2, {"d": 1.0, "b": 1.2, "e": 3.0})]
    (entry,) = script.entries_of(runs)
    # b: (1 + 0.2 / 0.2) / 2 = 1, a and d: (0 + 1) / 2; a before d, and then nothing is left to gain.
    assert names(entry.run)[:2] == ["a", "d"]
    assert entry.sources[:2] == ((runs[0].id, 10), (runs[1].id, 10))
    assert [each.number for each in entry.run.candidates] == [0, 1, 2, 3]
    assert (entry.family, entry.run.name, entry.run.date) == ("vit", "digits", "2026-11-02")


def test_runs_in_any_order_and_twice_give_the_same_file_and_runs_after_a_cost_give_nothing():
    runs = [run_of(seed, {"a": 1.0 + seed, "b": 2.0, "c": 3.0 - seed}) for seed in (1, 2, 3)]
    text = portfolio_text(script.entries_of(runs), {})
    assert portfolio_text(script.entries_of([*runs[::-1], runs[0]]), {}) == text
    small = dataclasses.replace(runs[0], objectives=({"metric": "params", "direction": "minimize"},))
    stopped = dataclasses.replace(runs[0].candidates[0], place=None)
    assert script.entries_of([small, dataclasses.replace(runs[0], candidates=(stopped,))]) == []


def test_another_budget_is_an_entry_of_its_own():
    small, large = (dataclasses.replace(run_of(1, {"a": 1.0}), features={"log_max_params": own}) for own in (8.0, 9.0))
    assert len(script.entries_of([small, large])) == 2


def test_the_script_takes_memories(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "portfolio.json"
    with Memory(tmp_path / "memory.sqlite", pytest.fail) as memory:
        memory.merge([run_of(1, {"a": 1.0, "b": 2.0})])
    script.main([str(tmp_path / "memory.sqlite"), "--out", str(out)])
    (entry,) = read_portfolio(out)
    assert names(entry.run) == ["a", "b"]
    assert "2 candidates of 1 runs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        script.main([])
