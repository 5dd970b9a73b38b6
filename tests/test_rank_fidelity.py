"""A short form of experiments/rank_fidelity/; its correlations; and its page holds what the stored results say."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from experiments.rank_fidelity import page, run
from experiments.rank_fidelity.correlations import NUM_RESAMPLES, interval, kendall, resamples, spearman
from experiments.rank_fidelity.settings import (
    COST,
    INITIAL,
    LADDER,
    PROTOTYPE,
    TARGET,
    WIDTHS,
    Measurement,
    Settings,
    draw,
    measurements,
)
from experiments.rank_fidelity.store import OtherSettings, Store, read
from experiments.rank_fidelity.summary import summary

SHORT = Settings(
    tasks=("image",),
    architectures=3,
    prototype_steps=4,
    target_steps=6,
    batch_size=8,
    ladder=(("d_model", (8, 12)), ("num_layers", (1,)), ("num_heads", (1, 2)), ("head_dim", (4,)), ("d_ff", (8, 16))),
)


def without_clock(path: Path) -> dict[Measurement, dict]:
    _, results = read(path)
    return {what: {key: value for key, value in own.items() if key != "cpu_s"} for what, own in results.items()}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rank_fidelity")
    run.run(SHORT, folder)
    return folder


@pytest.mark.slow
def test_the_short_form_measures_everything_once(short: Path):
    _, results = read(short / run.MEASUREMENTS)
    assert list(results) == list(measurements(SHORT))
    for what, result in results.items():
        if what.kind in (PROTOTYPE, TARGET):
            assert list(map(int, result["losses"])) == ([1, 2, 3, 4] if what.kind == PROTOTYPE else [6])
            assert all(1 < loss < 4 for loss in result["losses"].values())
    losses = {json.dumps(r["losses"]) for what, r in results.items() if what.kind in (PROTOTYPE, TARGET)}
    assert len(losses) == 2 * 3 * 2 * 2  # sizes, architectures, conditions, seeds: none is a copy of another


@pytest.mark.slow
def test_a_target_has_the_widths_of_its_prototype_twice(short: Path):
    _, results = read(short / run.MEASUREMENTS)
    for what, result in results.items():
        if what.kind == COST:
            assert 2 < result["params"] / result["prototype_params"] < 4  # so small, position and head weigh heavily
            assert result["flops"] > 2 * 16 * result["prototype_params"]  # 16 patches


@pytest.mark.slow
def test_a_killed_run_goes_on_after_the_last_whole_line(short: Path, tmp_path: Path):
    lines = (short / run.MEASUREMENTS).read_bytes().splitlines(keepends=True)
    (tmp_path / run.MEASUREMENTS).write_bytes(b"".join(lines[:-3]) + lines[-3][:40])
    run.run(SHORT, tmp_path)
    assert without_clock(tmp_path / run.MEASUREMENTS) == without_clock(short / run.MEASUREMENTS)
    again = (tmp_path / run.MEASUREMENTS).read_bytes().splitlines(keepends=True)
    assert again[:-3] == lines[:-3]


@pytest.mark.slow
def test_other_settings_do_not_mix(short: Path):
    header, _ = read(short / run.MEASUREMENTS)
    with pytest.raises(OtherSettings, match="move it away"):
        Store(short / run.MEASUREMENTS, header | {"versions": {"jax": "0.1"}})


def test_architectures_are_all_different_and_the_first_ones_do_not_depend_on_how_many_there_are():
    drawn = draw(Settings())
    assert len({tuple(each.sizes.items()) for each in drawn}) == 24
    assert draw(dataclasses.replace(Settings(), architectures=5)) == drawn[:5]
    for axis, values in LADDER:
        assert {each.sizes[axis] for each in drawn} == set(values)
        doubled = {each.sizes_of(TARGET)[axis] / each.sizes_of(PROTOTYPE)[axis] for each in drawn}
        assert doubled == {2.0 if axis in WIDTHS else 1.0}


def test_correlations_are_those_of_scipy_also_with_ties_and_infinities():
    rng = np.random.default_rng(0)
    x, y = rng.integers(6, size=(2, 20, 15)).astype(float)
    x[0, 3] = np.inf
    for own, scipys in ((spearman, scipy.stats.spearmanr), (kendall, scipy.stats.kendalltau)):
        expected = [scipys(scipy.stats.rankdata(a), b).statistic for a, b in zip(x, y, strict=True)]
        np.testing.assert_allclose(own(x, y), expected, atol=1e-12)


def test_the_interval_of_independent_rankings_holds_zero_about_as_often_as_it_should():
    rng = np.random.default_rng(0)
    drawn, held = resamples(24), 0
    for _ in range(100):
        x, y = rng.normal(size=(2, 24))
        low, high = interval(spearman(x[drawn], y[drawn]))
        held += low < 0 < high
    assert drawn.shape == (NUM_RESAMPLES, 24)
    assert 88 <= held <= 99


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """Eight architectures: the prototype ranks them as the targets do, FLOPs the other way round, synflow by chance."""
    settings = Settings(tasks=("text",), conditions=("fixed",), architectures=8)
    path = tmp_path / run.MEASUREMENTS
    store = Store(path, {"settings": dataclasses.asdict(settings), "versions": {}})
    for what in measurements(settings):
        i = what.architecture
        result = {
            COST: {"params": 10 - i, "prototype_params": 1, "flops": i},
            INITIAL: {"synflow": 3 * i % 8, "grad_norm": -abs(i - 2)},
            PROTOTYPE: {"losses": {"30": 1.0 - i, "60": 2.0 * i, "90": 1.0, "120": None if i == 7 else 2.0 + i}},
            TARGET: {"losses": {"600": 1.0 + i + what.seed}},
        }[what.kind]
        store.add(what, result | {"cpu_s": 0.5})
    return path


def test_the_summary_of_known_rankings(made_up: Path):
    table = summary(made_up)["tables"]["text, fixed"]
    assert table["target_loss"] == {"best": 1.5, "worst": 8.5}
    assert table["target_between_seeds"] == pytest.approx(1)
    measures = table["measures"]
    for name, value in {
        "prototype, 120 steps": 1,
        "prototype, 60 steps": 1,
        "prototype, 30 steps": -1,
        "params": 1,
        "flops": -1,
    }.items():
        for correlation in ("spearman", "kendall"):
            assert measures[name][correlation] == pytest.approx({"value": value, "low": value, "high": value})
    assert measures["flops"]["behind_prototype"]["value"] == pytest.approx(2)
    assert measures["prototype, 120 steps"]["excess_of_its_choice"] == 0
    assert measures["prototype, 30 steps"]["excess_of_its_choice"] == pytest.approx(8.5 / 1.5 - 1)
    assert measures["grad_norm"]["excess_of_its_choice"] == pytest.approx(3.5 / 1.5 - 1)
    assert measures["synflow"]["spearman"]["low"] < 0 < measures["synflow"]["spearman"]["high"]
    assert measures["params"]["between_seeds"] is None


def test_the_stored_results_are_those_of_the_stored_measurements():
    stored, again = (run.RESULTS / run.SUMMARY).read_text(), json.dumps(summary(run.RESULTS / run.MEASUREMENTS))
    assert _rounded(stored) == _rounded(again)


def _rounded(text: str) -> Any:
    return json.loads(text, parse_float=lambda number: round(float(number), 6))


def test_the_page_is_what_the_stored_results_give():
    results = json.loads((run.RESULTS / run.SUMMARY).read_text())
    assert page.PAGE.read_text() == page.page(results), "stale: run python experiments/rank_fidelity/page.py"


@pytest.mark.slow
def test_the_figure_is_drawn_from_the_measurements(short: Path, tmp_path: Path):
    results = json.loads((short / run.SUMMARY).read_text())
    for name in ("one.png", "two.png"):
        page.draw_figure(short / run.MEASUREMENTS, results, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert len((tmp_path / "one.png").read_bytes()) > 10_000
