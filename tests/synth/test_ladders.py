"""Lengths follow the budget where it is beyond those of the family."""

import dataclasses

import pytest

from metagen_jax.spec import Constraints
from metagen_jax.synth.ladders import for_budget
from metagen_jax.synth.modalities import SIZE
from metagen_jax.synth.modalities.cnn import CNN
from metagen_jax.synth.modalities.token_generation import DECODER_TRANSFORMER
from metagen_jax.synth.modalities.transformer import with_grouped_queries

OPEN = Constraints(0, None, None, None, None, None, 128, "cpu")


def count(sizes: dict[str, int]) -> int:
    inner = sizes["num_heads"] * sizes["head_dim"]
    return sizes["num_layers"] * sizes["d_model"] * (4 * inner + 2 * sizes["d_ff"])


def values(constraints: Constraints, ranged: tuple[str, ...] = ()) -> dict[str, tuple[int, ...]]:
    dimensions = for_budget(DECODER_TRANSFORMER, constraints, ranged, count)
    return {d.name: d.values for d in dimensions if d.kind == SIZE}


def budget(low: int, high: int | None) -> Constraints:
    return dataclasses.replace(OPEN, min_params=low, max_params=high)


def test_a_small_budget_leaves_the_lengths_of_the_family():
    own = {d.name: d.values for d in DECODER_TRANSFORMER.dimensions if d.kind == SIZE}
    assert values(OPEN) == values(budget(0, 250_000)) == own


@pytest.mark.parametrize("params", [10**6, 10**8, 7 * 10**9, 10**12])
def test_the_lengths_surround_a_network_of_the_budget(params: int):
    around = values(budget(int(0.9 * params), int(1.1 * params)))
    assert count({name: lengths[0] for name, lengths in around.items()}) < params / 4
    assert count({name: lengths[-1] for name, lengths in around.items()}) > 3 * params
    middle = {name: lengths[4] if len(lengths) > 5 else lengths[-1] for name, lengths in around.items()}
    assert params / 2 < count(middle) < 2 * params


def test_without_a_lower_limit_smaller_networks_are_searched_too():
    free, bound = values(budget(0, 10**9)), values(budget(7 * 10**8, 10**9))
    assert all(free[name][0] < bound[name][0] for name in ("d_model", "d_ff"))


def test_a_range_is_taken_from_the_lengths_of_the_family_too():
    assert 16 in values(budget(0, 10**9), ("d_model",))["d_model"]
    assert 16 not in values(budget(0, 10**9))["d_model"]


def test_key_value_heads_and_the_query_heads_of_each_grow_as_in_llama_3():
    (grouped,) = with_grouped_queries(DECODER_TRANSFORMER).variants

    def grouped_count(sizes: dict[str, int]) -> int:
        shared = sizes["num_kv_heads"] * sizes["head_dim"]
        attention = 2 * shared * (1 + sizes["queries_per_kv_head"])
        return sizes["num_layers"] * sizes["d_model"] * (attention + 2 * sizes["d_ff"])

    around = budget(6 * 10**9, 8 * 10**9)
    lengths = {d.name: d.values for d in for_budget(grouped, around, (), grouped_count)}
    assert "num_heads" not in lengths
    assert 8 in lengths["num_kv_heads"]
    assert 4 in lengths["queries_per_kv_head"]


def test_a_convolutional_network_grows_too():
    def convolutions(sizes: dict[str, int]) -> int:
        return sizes["num_layers"] * 18 * sizes["width"] * sizes["hidden"]

    lengths = {d.name: d.values for d in for_budget(CNN, budget(10**7, 10**7 + 10**6), (), convolutions)}
    assert max(lengths["width"]) > 200
