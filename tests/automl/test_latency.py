"""Latency: what is timed, what a limit makes of it, what is recorded."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl.candidate import TRAINED, Candidate, Score
from metagen_jax.automl.latency import MOST_CALLS, WARM_UP, Answer, Timing, time_interleaved
from metagen_jax.automl.objectives import finalists
from metagen_jax.automl.stopwatch import Stopwatch, read_latency
from metagen_jax.automl.time_limit import keep_within
from metagen_jax.errors import RunError
from metagen_jax.spec import Objective
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.costs import Effort, Predictor

OBJECTIVES = (Objective("validation_loss", "minimize"),)
PREDICTOR = Predictor("cpu", dict.fromkeys(Effort._fields, 0.0), 0.1, calibrated=True, source="a test")


def candidate(number: int, loss: float = 0.0) -> Candidate:
    blueprint = Blueprint("vit", {}, {"d_model": number + 1}, {})
    costs = {"latency_ms": 1.0}
    return Candidate(number, 1, np.zeros(1, np.int32), blueprint, costs, TRAINED, "", [], [Score(1, {"loss": loss})])


def timing(median_ms: float) -> Timing:
    return Timing(median_ms, median_ms - 0.1, median_ms + 0.1, 1, 100)


class Clock:
    """A clock that models move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def model(self, *seconds: float) -> Answer:
        """A model whose calls take so long, over and over again."""
        calls = 0

        def answer() -> None:
            nonlocal calls
            self.now += seconds[calls % len(seconds)]
            calls += 1

        return answer


def test_models_are_timed_in_turns_and_warm_up_does_not_count():
    clock, order = Clock(), []

    def named(name: str, model: Answer) -> Answer:
        return lambda: (order.append(name), model())[1]

    fast, slow = named("fast", clock.model(0.001)), named("slow", clock.model(0.004))
    timings = time_interleaved([(fast, 1), (slow, 64)], rounds=2, clock=clock)
    assert [t.median_ms for t in timings] == pytest.approx([1.0, 4.0])
    assert timings[0].calls == 2 * 10  # 10 ms of each round
    assert timings[1].calls == 2 * 3
    assert timings[1].throughput_per_s == pytest.approx(64 / 0.004)
    one_round = ["fast"] * (WARM_UP + 10) + ["slow"] * (WARM_UP + 3)
    assert order == one_round * 2


def test_the_spread_is_that_of_the_calls():
    clock = Clock()
    (spread,) = time_interleaved([(clock.model(0.0001, 0.0002, 0.0003, 0.0004, 0.0005), 1)], rounds=5, clock=clock)
    assert spread.calls == 5 * MOST_CALLS
    assert (spread.low_ms, spread.median_ms, spread.high_ms) == pytest.approx((0.2, 0.3, 0.4))
    assert spread.written == "0.3 ms (0.2-0.4)"


def test_a_candidate_over_the_limit_is_out_and_the_next_one_is_measured():
    asked: list[list[int]] = []

    def measure(candidates: Sequence[Candidate]) -> dict[int, Timing]:
        asked.append([c.number for c in candidates])
        return {c.number: timing(3.0 if c.number < 2 else 1.0) for c in candidates}

    notes: list[str] = []
    everyone = [candidate(number, loss=number) for number in range(5)]
    left, out = keep_within(everyone, lambda c: finalists(c, OBJECTIVES, 1), measure, 2.0, notes.append)
    assert asked == [[0], [1], [2]]
    assert [c.number for c in left] == [2, 3, 4]
    assert [c.number for c in out] == [0, 1]
    assert notes[0] == "candidate 0 is out: it takes 3 ms (2.9-3.1), predicted 1 ms; the limit is 2 ms"


def test_where_nobody_keeps_the_limit_the_fastest_is_named():
    everyone = [candidate(number, loss=number) for number in range(3)]
    with pytest.raises(RunError, match=r"fastest of 3, candidate 2, takes 3 ms \(predicted 1 ms\), the limit is 2 ms"):
        keep_within(
            everyone,
            lambda c: finalists(c, OBJECTIVES, 2),
            lambda candidates: {c.number: timing(5.0 - c.number) for c in candidates},
            2.0,
            lambda note: None,
        )


def test_what_was_measured_is_recorded_and_not_measured_again(tmp_path: Path):
    asked: list[int] = []

    def time_all(answers: Sequence[tuple[Answer, int]]) -> list[Timing]:
        return [Timing(2.0 * batch, 1.0, 3.0, batch, 10) for _, batch in answers]

    def compiled(each: Candidate, batch_size: int) -> Answer:
        asked.append(each.number)
        return lambda: None

    first = Stopwatch(tmp_path, PREDICTOR, compiled, None, time_all)
    measured = first.measure([candidate(0), candidate(3)])
    content = first.measure_winner(candidate(3))
    assert asked == [0, 3, 3]
    assert content == read_latency(tmp_path)
    assert content["winner"]["throughput_per_s"] == {"1": 500.0, "64": 500.0}
    again = Stopwatch(tmp_path, PREDICTOR, compiled, json.loads(json.dumps(content)), time_all)
    assert again.measure([candidate(3), candidate(4)]) == {
        3: measured[3],
        4: timing(2.0) and Timing(2.0, 1.0, 3.0, 1, 10),
    }
    assert asked == [0, 3, 3, 4]
    recorded = read_latency(tmp_path)
    assert recorded is not None
    assert [row["number"] for row in recorded["candidates"]] == [0, 3, 4]
