"""What the command line answers, and what it leaves alone."""

import json
from pathlib import Path

import pytest

from metagen_jax.cli import main
from tests.runs import ROOT, run_tiny

DEMO = str(ROOT / "specs" / "image_digits_demo.yaml")


def test_a_bad_spec_gives_one_message_code_2_and_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["automl", "--spec", DEMO, "--out", str(tmp_path / "run"), "--set", "search.bugdet=3"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: --set search.bugdet=3")
    assert "Did you mean 'budget'?" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("constraints.parameter_budget={max: 50}", ["parameter_budget", "at most 50 parameters", "closest is"]),
        ("constraints.parameter_budget={min: 20000, max: 20010}", ["at least 20,000", "at most 20,010", "closest is"]),
        (
            "constraints={memory_budget: 2MB, parameter_budget: {min: 50k}}",
            ["training memory", "at most 2 MB", "closest is"],
        ),
        ("constraints.latency=1us", ["latency", "at most 0.001 ms", "closest is"]),
        ("constraints.inference_memory=2kB", ["inference_memory", "at most 0.002 MB", "closest is"]),
        ("constraints.throughput=1M/s", ["throughput", "at least 1,000,000 a second", "closest is"]),
    ],
)
def test_limits_that_nothing_satisfies_are_named_with_the_closest_value(
    override: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["automl", "--spec", DEMO, "--out", str(tmp_path / "run"), "--set", override]) == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("architecture.family=mlp", ["there is no family 'mlp'", "Known: cnn, resnet, vit."]),
        ("architecture.choices={d_modle: 16}", ["unknown choice 'd_modle'", "Did you mean 'd_model'?"]),
        ("architecture.choices={d_model: 1.5}", ["1.5 is not a length"]),
        ("architecture.choices={d_model: 1000000}", ["1000000 is too large", "from 1 to 100000"]),
        ("architecture.choices={patch_size: 3}", ["3 is not a patch_size for this data", "Known: 2, 4"]),
        ("architecture.choices={norm: batch}", ["'batch' is not a norm", "Known: rms, layer"]),
        ("architecture.choices={d_model: {min: 1000}}", ["no value is within"]),
        ("architecture.choices={learning_rate: [7.0]}", ["7.0 is out of range"]),
        ("task.num_classes=3", ["task.num_classes"]),
    ],
)
def test_choices_that_there_are_not_are_refused(
    override: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["automl", "--spec", DEMO, "--out", str(tmp_path / "run"), "--set", override]) == 2
    message = capsys.readouterr().err
    for word in words:
        assert word in message
    assert not (tmp_path / "run").exists()


def test_a_folder_that_no_run_wrote_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run_tiny("image", tmp_path, "--fresh") == 2
    assert "was not written by a run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["automl"],
        ["automl", "--spec"],
        ["frobnicate"],
        ["automl", "--what", "x"],
        ["automl", "--spec", DEMO, "--time-limit", "5parsecs"],
        ["automl", "--spec", DEMO, "--host-devices", "0"],
        ["automl", "--spec", "no such file.yaml"],
    ],
)
def test_a_wrong_command_line_is_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    assert "error:" in capsys.readouterr().err


def test_validate_reports_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\n")
    assert main(["validate", DEMO, str(broken)]) == 2
    output = capsys.readouterr()
    assert f"{DEMO}: valid" in output.out
    assert "  limits: at most 60,000 parameters (60k); on cpu\n" in output.out
    assert "broken.yaml" in output.err


def test_the_schema_is_json_schema(capsys: pytest.CaptureFixture[str]):
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["search"]


def test_synth_trains_one_network_at_the_upper_end_of_the_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert (
        run_tiny("image", tmp_path / "run", "--quiet", "--set", "constraints.parameter_budget={max: 3k}", verb="synth")
        == 0
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["counts"]["proposed"] == 1
    assert 2000 < result["winner"]["params"] <= 3000
    assert "python infer.py" in capsys.readouterr().out


@pytest.mark.slow
def test_bfloat16_is_reported_and_on_a_cpu_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    more = ["--set", "training.precision=bfloat16", "--set", "outputs.project=false"]
    assert run_tiny("image", tmp_path / "run", *more, verb="synth") == 0
    said = capsys.readouterr().err
    assert "limits   at most 60,000 parameters (60k); on cpu\n" in said
    assert "products in bfloat16" in said
    assert "on this CPU it is slower than float32" in said
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["precision"] == "bfloat16"
    assert 1e-6 < result["winner"]["largest_loss_difference_when_repeated_alone"] < 0.05  # it was rounded


def test_ranking_by_size_alone_trains_only_the_finalists(tmp_path: Path):
    more = ["--no-train-prototypes", "--quiet", "--set", "search.finalists=1", "--set", "outputs.project=false"]
    assert run_tiny("image", tmp_path / "run", *more) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["counts"]["trained"] == 1
    assert not (tmp_path / "run" / "winner").exists()
    assert result["winner"]["params"] == max(member["params"] for member in result["front"])


def test_a_time_limit_that_is_too_short_for_anything_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_tiny("image", tmp_path / "run", "--quiet", "--time-limit", "1ms", verb="synth") == 1
    assert "the time limit of 0.001 s passed" in capsys.readouterr().err


def test_a_time_limit_leaves_a_finished_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    more = ["--time-limit", "1s", "--set", "search.prototype_steps=40", "--set", "training.steps=3000"]
    code = run_tiny("image", tmp_path / "run", *more)
    message = capsys.readouterr().err
    assert code in (0, 1)
    assert "time limit" in message
    assert code == 1 or json.loads((tmp_path / "run" / "result.json").read_text())["winner"]["steps"] < 3000
