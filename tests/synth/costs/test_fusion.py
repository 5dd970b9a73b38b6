"""What is computed together, and what that leaves to be stored: as XLA does on a CPU."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from metagen_jax.synth.costs.fusion import groups, simplified, users_of
from metagen_jax.synth.costs.operations import trace


def _attention(x: jax.Array) -> jax.Array:
    return jax.nn.softmax(jnp.einsum("btk,bsk->bts", x, x) / jnp.sqrt(x.shape[-1])) @ x


def _names(group: list[Any]) -> set[str]:
    return {operation.name for operation in group}


def _groups(function: Callable[..., Any], *shapes: tuple[int, ...]) -> list[set[str]]:
    own = simplified(trace(function, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)))
    found = groups(own, users_of(own)).values()
    return [_names(group) for group in {id(group): group for group in found}.values()]


def test_a_sum_is_computed_with_what_only_it_reads():
    (group,) = _groups(lambda x, y: (x * y).sum(-1), (64, 128), (64, 128))
    assert group == {"mul", "reduce_sum"}


def test_what_others_read_stays_outside():
    def both(x, y):
        z = x * y
        return z.sum(-1), z

    (group,) = _groups(both, (64, 128), (64, 128))
    assert group == {"reduce_sum"}


def test_small_arrays_are_not_worth_a_group():
    (large,) = _groups(lambda x: -x.sum(-1), (4096, 8))
    (small,) = _groups(lambda x: -x.sum(-1), (4095, 8))
    assert (large, small) == ({"reduce_sum", "neg"}, {"reduce_sum"})


def test_scores_are_divided_and_compared_within_their_product():
    found = _groups(_attention, (16, 512, 16))
    assert any({"dot_general", "div", "reduce_max"} <= group for group in found)


def test_nothing_is_computed_twice():
    own = simplified(trace(lambda x, y: (x - y) * jnp.exp(x - y), *[jax.ShapeDtypeStruct((4, 8), jnp.float32)] * 2))
    assert [operation.name for operation in own.operations] == ["sub", "exp", "mul"]
