"""`metagen plan`, `--plan` and `metagen calibrate`."""

import json
from pathlib import Path

import pytest

from metagen_jax.automl import calibration, planning
from metagen_jax.automl.pipeline import Options, claimed, prepare
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.cli import main
from metagen_jax.population.coefficients import Coefficients
from metagen_jax.population.modes import LOOP
from metagen_jax.spec import load_spec
from tests.runs import ROOT, run_tiny

DEMO = ROOT / "specs" / "image_digits_demo.yaml"
QUICK = ("--quiet", "--set", "search.budget=2", "--set", "search.rounds=1", "--set", "search.finalists=1")
FREE_COMPILATIONS = {LOOP: Coefficients(0, 1e-3, 1e-9, 0, 1e-9, 0)}


def test_plan_prints_programs_and_an_estimate(capsys: pytest.CaptureFixture[str]):
    assert main(["plan", str(DEMO)]) == 0
    shown = capsys.readouterr().out
    for word in ("program", "d_model", "loop", "2 x 1", "padding efficiency", "8 candidates for 40 steps", "roughly"):
        assert word in shown


def test_a_plan_can_be_given_is_recorded_and_is_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["plan", str(DEMO), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    plan["programs"][0]["width"] = 3
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    assert run_tiny("image", tmp_path / "run", *QUICK, "--plan", str(file)) == 0
    manifest = RunFolder(tmp_path / "run").manifest()
    assert manifest["plan"] == plan
    assert manifest["command"][-4:] == ["--plan", file.as_posix(), "--host-devices", "8"]
    file.unlink()
    assert main(["reproduce", str(tmp_path / "run"), "--quiet", "--workers", "1"]) == 0


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2, "programs": [{"mode": "loop"}]}'])
def test_a_file_that_is_no_plan_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert main(["automl", "--spec", str(DEMO), "--plan", str(file), "--out", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert f"--plan {file}: no plan" in message
    assert "metagen plan SPEC --json" in message


def test_an_unfinished_run_keeps_its_plan_when_the_coefficients_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    prepared, options = prepare(load_spec(DEMO)), Options(out=tmp_path / "run")
    before = planning.plan_of(prepared, options)
    with claimed(prepared.spec, options):
        RunFolder(tmp_path / "run").prepare(prepared.spec, {"plan": before.to_json()}, fresh=False)
    monkeypatch.setattr(planning, "coefficients", lambda backend: FREE_COMPILATIONS)
    assert planning.plan_of(prepared, options) == before
    assert planning.plan_of(prepared, Options(out=tmp_path / "other")) != before
    assert planning.plan_of(prepared, Options(out=tmp_path / "run", fresh=True)) != before


def test_calibrate_measures_and_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(calibration, "WIDTHS", {LOOP: (1,)})
    small = ["--set", "architecture.choices={d_model: [8, 16], num_layers: [1], num_heads: [1], d_ff: [16]}"]
    assert main(["calibrate", str(DEMO), "--out", str(tmp_path / "mine.json"), *small]) == 0
    assert "ms a step, compiled in" in capsys.readouterr().out
    kept = json.loads((tmp_path / "mine.json").read_text())["cpu"]
    assert "image_digits_demo" in kept["source"]
    assert kept["modes"]["loop"]["compile_s"] + kept["modes"]["loop"]["compile_leaf_s"] > 0
