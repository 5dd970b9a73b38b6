"""A short form of experiments/refiner/; its page holds what the stored results say."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.refiner import page, run
from experiments.searches import side_by_side
from metagen_jax.automl.candidate import TRAINED, Candidate, Score
from metagen_jax.automl.rungs import schedule
from metagen_jax.spec.tasks import PROXIES
from metagen_jax.synth.architecture import Blueprint


def test_the_page_says_what_is_stored():
    stored = page.page(json.loads(page.RESULTS.read_text(encoding="utf-8")))
    assert page.PAGE.read_text(encoding="utf-8") == stored, "stale: run python experiments/refiner/page.py"


def of_arm(seed: int, arm: str, best: float | None, task: str = "text_char_lm") -> dict[str, Any]:
    return {"task": task, "seed": seed, "arm": arm, "best": best, "steps": 1260}


def test_a_round_of_rungs_takes_the_steps_of_the_fixed_length():
    length = schedule(run.STEPS, run.ARMS["rungs"]["rungs"], run.ARMS["rungs"]["reduction_factor"])
    size = run.ARMS["rungs"]["budget"] // run.ROUNDS
    going, before, steps = size, 0, 0
    for number, rung in enumerate(length.rungs):
        steps += going * (rung - before)
        going, before = length.survivors(size, number), rung
    assert steps * run.ROUNDS == run.ARMS["fixed"]["budget"] * run.STEPS


def test_pairs_are_of_the_same_seed_and_a_search_without_a_winner_has_none():
    rows = [of_arm(0, "fixed", 2.0), of_arm(0, "rungs", 1.0), of_arm(1, "fixed", 1.0), of_arm(1, "rungs", 3.0)]
    rows += [of_arm(2, "rungs", 0.1), of_arm(3, "fixed", 1.0), of_arm(3, "rungs", None)]
    found = run.compared_summary(rows)["rungs"]
    assert run.compared_summary(rows[::-1])["rungs"] == found
    assert (found["pairs"], found["better"], found["median_ratio"], found["worst_ratio"]) == (2, 1, 1.75, 3.0)
    assert "proxies" not in run.compared_summary(rows)


def test_five_pairs_alone_cannot_be_significant_by_ranks_and_ten_can():
    rng = np.random.default_rng(0)
    five, ten = (run.significance(-rng.uniform(0.1, 1.0, size=count)) for count in (5, 10))
    assert five["p_wilcoxon"] == five["p_signs"] == five["smallest_p"] == 0.0625
    assert ten["p_wilcoxon"] == ten["p_signs"] == pytest.approx(0.002, abs=1e-4)
    assert set(run.significance(np.zeros(5)).values()) == set(run.significance(np.ones(1)).values()) == {None}
    mixed = run.significance(np.array([1.0, -1.0, 0.5, -0.5]))
    assert mixed["p_t"] == pytest.approx(1.0)


def measured(number: int, params: float, loss: float) -> Candidate:
    costs = {"params": params, "flops": 1.0}
    blueprint = Blueprint("vit", {}, {}, {})
    return Candidate(number, 1, np.zeros(1), blueprint, costs, TRAINED, scores=[Score(9, {"loss": loss})])


def test_an_interval_holds_its_correlation_and_turns_with_the_proxy():
    losses = np.random.default_rng(0).permutation(12)
    up = run.correlation([measured(i, float(i + 1), float(losses[i])) for i in range(12)], "params")
    down = run.correlation([measured(i, float(12 - i), float(losses[i])) for i in range(12)], "params")
    assert -1 < up[1] < up[0] < up[2] < 1
    assert down == pytest.approx((-up[0], -up[2], -up[1]))
    rho, low, high = run.correlation([measured(i, 1.0, float(i)) for i in range(12)], "synflow")  # says nothing
    assert (rho, low, high) == (0.0, -1.0, 1.0)


def of_proxy(proxy: str, seed: int, rho: float, known: int = 24, weight: float = 0.0) -> dict[str, Any]:
    row = {"task": "image_vae", "seed": seed, "proxy": proxy, "rank_correlation": rho, "low": rho - 0.3}
    return row | {"high": rho + 0.2, "weight": weight, "candidates": 24, "known": known}


def test_the_page_shows_figures_significance_and_who_would_choose(tmp_path: Path):
    pairs = [of_arm(s, arm, (2.0 if arm == "fixed" else 1.0) + 0.1 * s) for s in range(5) for arm in run.ARMS]
    proxies = [of_proxy(name, s, 0.5 * (s == 0), weight=0.5 * (s == 0)) for s in range(2) for name in PROXIES[:3]]
    proxies += [of_proxy("grad_norm", s, 0.0, known=0) for s in range(2)]
    options = argparse.Namespace(tasks=list(run.TASKS), results=tmp_path)
    run.write(options, 0.0, {"compared": pairs, "ranked": proxies})
    result = json.loads((tmp_path / "refiner.json").read_text(encoding="utf-8"))
    text = page.page(result)
    assert "| `text_char_lm` | rungs | 5 | 5 | 0.545, 0.583 | 0.0625, 0.0625, " in text
    assert "| all | proxies that choose | 5 | 5 |" in text
    assert "| `image_vae` | 0.25 [-0.30, 0.70], 1 of 2 |" in text and "says nothing |" in text
    assert "Of 8 measured correlations 3 would have given a proxy a weight; of these, 0" in text
    wrong = run.ranked_summary([of_proxy("params", 0, 0.1, weight=0.1)])
    assert wrong["image_vae"]["params"]["chooses_though_zero_is_inside"] == 1


@pytest.mark.slow
def test_a_short_form_measures_every_arm_and_every_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "STEPS", 9)
    monkeypatch.setattr(run, "ROUNDS", 1)
    monkeypatch.setattr(run, "CANDIDATES", 5)
    monkeypatch.setattr(run, "ARMS", {"fixed": {"budget": 2}, "rungs": {"budget": 3, "rungs": 2}})
    rows = run.compared("image_digits_demo", 0)
    assert [(row["arm"], row["candidates"], row["trained"], row["steps"]) for row in rows] == [
        ("fixed", 2, 2, 18),
        ("rungs", 3, 1, 15),
    ]
    assert all(math.isfinite(row["best"]) for row in rows)
    own = run.ranked("image_digits_demo", 0)
    assert [(row["proxy"], row["candidates"], row["known"]) for row in own] == [(name, 5, 5) for name in PROXIES]
    assert all((row["weight"] > 0) == (row["low"] > 0) for row in own)
    json.dumps([*rows, *own], allow_nan=False)


def test_jobs_come_back_under_their_numbers_whichever_process_did_them():
    assert dict(side_by_side(1, [(pow, 2, number) for number in range(6)])) == {
        number: 2**number for number in range(6)
    }
