"""`metagen plan`, `--plan` and `metagen calibrate`."""

import dataclasses
import json
from pathlib import Path

import pytest

from metagen_jax.automl import calibration, latency_calibration, planning
from metagen_jax.automl.pipeline import Options, claimed, prepare
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.cli import main
from metagen_jax.population.coefficients import Coefficients
from metagen_jax.population.modes import LOOP
from metagen_jax.spec import load_spec
from metagen_jax.synth import machine
from metagen_jax.synth.costs import predictor_of
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
    monkeypatch.setattr(calibration, "CPU_WIDTHS", {LOOP: (1,)})
    file = tmp_path / "mine.json"
    file.write_text('{"cpu": {"latency": {"error": 0.5}}}')
    small = ["--set", "architecture.choices={d_model: [8, 16], num_layers: [1], num_heads: [1], d_ff: [16]}"]
    assert main(["calibrate", str(DEMO), "--only", "training", "--out", str(file), *small]) == 0
    assert "ms a step, compiled in" in capsys.readouterr().out
    kept = json.loads(file.read_text())["cpu"]
    assert "image_digits_demo" in kept["source"]
    assert kept["modes"]["loop"]["compile_s"] + kept["modes"]["loop"]["compile_leaf_s"] > 0
    assert kept["latency"] == {"error": 0.5}


def test_calibrate_measures_latency_without_a_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    tiny = [network for network in latency_calibration.NETWORKS if network.sizes["num_layers"] == 1]
    monkeypatch.setattr(latency_calibration, "NETWORKS", tiny[:2])
    monkeypatch.setattr(latency_calibration, "ORDINARY", tiny[2:3])
    monkeypatch.setattr(machine, "user_file", lambda: tmp_path / "mine.json")
    assert main(["calibrate", "--only", "latency"]) == 0
    shown = capsys.readouterr().out
    assert "vit, image_size 8" in shown and "latencies will be predicted from networks measured on cpu" in shown
    kept = json.loads((tmp_path / "mine.json").read_text())["cpu"]["latency"]
    assert predictor_of("cpu").to_json() == kept
    assert main(["calibrate"]) == 2
    assert "no spec whose networks could be trained" in capsys.readouterr().err


def test_an_unfinished_run_keeps_its_predictor_when_the_machine_is_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spec, options = load_spec(DEMO), Options(out=tmp_path / "run")
    before = planning.predictor_of_run(spec, options)
    with claimed(spec, options):
        RunFolder(tmp_path / "run").prepare(spec, {"latency": before.to_json()}, fresh=False)
    mine = dataclasses.replace(before, error=0.5, source="mine")
    machine.keep(tmp_path / "mine.json", "cpu", {"latency": mine.to_json()})
    monkeypatch.setattr(machine, "user_file", lambda: tmp_path / "mine.json")
    assert planning.predictor_of_run(spec, options) == before
    assert planning.predictor_of_run(spec, Options(out=tmp_path / "run", fresh=True)) == mine
    assert prepare(spec).space.predictor == mine
