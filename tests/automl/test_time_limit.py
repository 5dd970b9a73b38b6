"""A limit on time: kept by predictions during the search, checked by measurement after it, the same when done again."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from metagen_jax.automl import pipeline
from metagen_jax.automl.latency import Answer, Timing
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.automl.stopwatch import Stopwatch
from metagen_jax.cli import main
from tests.runs import run_tiny

LIMITED = ("--set", "constraints.latency=20ms", "--set", "outputs.project=false", "--set", "outputs.figures=false")
LIMITED += ("--set", "search.finalists=1")


class Times:
    """Stands for the clock: what each model takes in turn, then the last of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self._monkeypatch = monkeypatch

    def are(self, *milliseconds: float) -> None:
        queue = list(milliseconds)

        def time_all(answers: Sequence[tuple[Answer, int]]) -> list[Timing]:
            taken = [queue.pop(0) if len(queue) > 1 else queue[0] for _ in answers]
            return [Timing(ms, ms, ms, batch, 1) for ms, (_, batch) in zip(taken, answers, strict=True)]

        self._monkeypatch.setattr(pipeline, "Stopwatch", functools.partial(Stopwatch, time_all=time_all))
        self._monkeypatch.setattr(pipeline, "answering", lambda *arguments: lambda: None)


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(monkeypatch)


def test_who_measures_over_the_limit_leaves_and_the_verdict_is_kept(
    times: Times, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    times.are(30.0, 5.0)
    assert run_tiny("image", run, *LIMITED) == 0
    said = capsys.readouterr()
    assert "latency at most 20 ms (predicted at most" in said.err
    assert "is out: it takes 30 ms (30-30), predicted" in said.err
    assert "latency measured 5 ms (5-5) at batch 1 on cpu, predicted" in said.out
    result = json.loads((run / "result.json").read_text())
    (out,) = result["over_time_limit"]
    assert out["number"] not in [member["number"] for member in result["front"]]
    assert out["number"] != result["winner"]["number"]
    assert all("latency_ms_predicted" in member for member in result["front"])

    times.are(100.0)  # would leave nobody
    assert main(["reproduce", str(run), "--quiet", "--workers", "1"]) == 0
    assert "have the same bytes" in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_verdicts(times: Times, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(pipeline._Runner, "_train_finalists", interrupt)
        times.are(30.0, 5.0)
        assert run_tiny("image", tmp_path / "run", "--quiet", *LIMITED) == 130
    times.are(100.0)
    assert run_tiny("image", tmp_path / "run", "--quiet", *LIMITED) == 0
    times.are(30.0, 5.0)
    assert run_tiny("image", tmp_path / "whole", "--quiet", *LIMITED) == 0
    assert RunFolder(tmp_path / "run").manifest()["sha256"] == RunFolder(tmp_path / "whole").manifest()["sha256"]


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_nobody_within_the_limit_is_an_error_that_names_the_fastest(
    times: Times, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    times.are(60.0, 50.0, 60.0)
    assert run_tiny("image", tmp_path / "run", "--quiet", *LIMITED) == 1
    message = capsys.readouterr().err
    assert "no candidate keeps the limit on time when it is measured: the fastest of 6" in message
    assert "takes 50 ms (predicted" in message
    assert "calibrate --only latency" in message


def test_a_limit_for_another_device_is_kept_by_prediction_alone(
    times: Times, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    times.are(100.0)
    assert run_tiny("image", tmp_path / "run", *LIMITED, "--set", "constraints.device=gpu") == 0
    said = capsys.readouterr()
    assert "the limit on time is for a gpu, and this is a cpu: kept by prediction alone" in said.err
    assert "not calibrated" in said.err
    assert "over_time_limit" not in json.loads((tmp_path / "run" / "result.json").read_text())
