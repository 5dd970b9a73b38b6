"""What a spec's words have come to is said in numbers."""

from pathlib import Path

import pytest

from metagen_jax.spec import load_spec
from metagen_jax.spec.summary import limits_line, target_line

SPEC = Path(__file__).parents[2] / "specs" / "text_char_lm.yaml"


@pytest.mark.parametrize(
    ("constraints", "line"),
    [
        ("{context_window: 8k}", "context of 8,192 tokens; on cpu"),
        (
            "{parameter_budget: 7B, latency: real-time, device: consumer_gpu, context_window: 16}",
            "at most 7,000,000,000 parameters (7B); answering in at most 24,000,000,000 bytes (24GB); "
            "latency at most 33.33 ms; context of 16 tokens; on consumer_gpu (gpu)",
        ),
        (
            "{parameter_budget: {min: 10, max: 1234}, memory_budget: 2GiB, throughput: 30fps, context_window: 16}",
            "at least 10 parameters; at most 1,234 parameters; training in at most 2,147,483,648 bytes (2GiB); "
            "at least 30 inputs a second; context of 16 tokens; on cpu",
        ),
    ],
)
def test_limits_are_said_in_plain_numbers(constraints: str, line: str):
    assert limits_line(load_spec(SPEC, [f"constraints={constraints}"])) == line


def test_without_limits_there_are_none():
    assert (
        limits_line(load_spec(SPEC.with_name("image_digits_demo.yaml"), ["constraints={device: tpu}"]))
        == "none; on tpu"
    )


def test_a_target_is_said_where_there_is_one():
    assert target_line(load_spec(SPEC)) is None
    assert target_line(load_spec(SPEC, ["target.vocabulary=32k"])) == "vocabulary 32,000"
