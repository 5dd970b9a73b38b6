"""Limits compare numbers of any size, and name the line that sets them."""

import jax.numpy as jnp
import pytest

from metagen_jax.automl.pipeline import prepare
from metagen_jax.errors import InfeasibleError
from metagen_jax.spec import load_spec
from metagen_jax.synth.costs import Costs, Wide, predictor_of
from metagen_jax.synth.limits import limits_of
from tests.runs import ROOT

IMAGE = ROOT / "specs" / "image_digits_demo.yaml"
TEXT = ROOT / "specs" / "text_char_lm.yaml"


def costs(params: list[int], num_bytes: list[float]) -> Costs:
    large = jnp.array(num_bytes, jnp.float32)
    counts = Wide(jnp.zeros(len(params), jnp.uint32), jnp.array(params, jnp.uint32))
    return Costs(counts, *[large] * 7, latency_ms=jnp.ones(len(params)))


@pytest.mark.parametrize(
    ("constraints", "kept"),
    [
        ("{parameter_budget: 7B}", [True, True]),
        ("{parameter_budget: {min: 7B}}", [False, False]),
        ("{parameter_budget: 1000}", [True, False]),
        ("{memory_budget: 12GB}", [True, False]),
        ("{inference_memory: 12GB}", [True, False]),
        ("{device: datacenter_gpu}", [True, True]),
        ("{device: consumer_gpu}", [True, False]),
    ],
)
def test_limits_beyond_32_bits_are_compared_like_any_other(constraints: str, kept: list[bool]):
    (limit,) = limits_of(load_spec(IMAGE, [f"constraints={constraints}"]), predictor_of("cpu"))
    assert (limit.excess(costs([1000, 2_000_000_000], [1e9, 40e9])) == 0).tolist() == kept


def test_what_does_not_fit_a_device_class_is_refused_at_the_line_of_the_device():
    choices = "architecture.choices={d_model: [256], num_layers: [8], d_ff: [1024]}"
    with pytest.raises(InfeasibleError) as raised:
        prepare(load_spec(IMAGE, ["constraints={}", "constraints.device=microcontroller", choices]))
    assert (
        "--set constraints.device=microcontroller, constraints.device: inference memory, estimated: at most 1.05 MB"
        in str(raised.value)
    )


def test_inference_memory_holds_weights_activations_and_for_text_the_keys_and_values_of_a_context():
    small, large = (
        prepare(load_spec(TEXT, [f"constraints.context_window={context}", "constraints.parameter_budget={}"]))
        for context in (16, 64)
    )
    genotypes = jnp.zeros((1, len(small.space.dimensions)), jnp.int32)
    sizes = {name: int(values[0]) for name, values in small.space.sizes(genotypes).items()}
    cached = 4 * 2 * sizes["num_layers"] * sizes["num_heads"] * sizes["head_dim"]  # bytes of a position
    for space, context in ((small.space, 16), (large.space, 64)):
        cost = space.cost(genotypes)
        assert cost.inference_bytes[0] > 4 * int(cost.params.low[0]) + cached * context
        assert cost.inference_bytes[0] < cost.memory_bytes[0]
