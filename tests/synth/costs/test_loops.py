"""Where operations outside groups are computed, and what is read for them: as XLA's loop fusion does it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from metagen_jax.synth.costs.fusion import groups, simplified, users_of
from metagen_jax.synth.costs.loops import Loops
from metagen_jax.synth.costs.operations import trace

SQUARE = (64, 64)


def _loops(function: Callable[..., Any], *shapes: tuple[int, ...]) -> tuple[list[str], list[set[str]]]:
    """Names of what is stored, in the order of the text, and of what is read for each result; inputs are `input`."""
    own = simplified(trace(function, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)))
    users = users_of(own)
    loops = Loops(own, users, groups(own, users))
    names = {value: operation.name for value, operation in own.made.items()}
    stored = [names[value] for value in own.made if value in loops.stored]
    return stored, [{names.get(each, "input") for each in loops.reads(value)} for value in own.outputs]


def test_what_is_stored_for_a_sum_is_computed_anew_for_others():
    def function(x, y, bias):
        z = x @ y + bias
        return z.sum(), z * 2

    stored, (_, read) = _loops(function, SQUARE, SQUARE, (64,))
    assert stored == ["dot_general", "add", "reduce_sum", "mul"]
    assert read == {"dot_general", "input"}  # not the stored sum of product and bias


def test_what_reads_two_arrays_is_not_computed_anew():
    def function(x, y):
        z = x @ y + y @ x
        return z.sum(), z * 2

    _, (_, read) = _loops(function, SQUARE, SQUARE)
    assert read == {"add"}


def test_what_is_costly_is_computed_once():
    def function(x, y):
        z = jnp.exp(x @ y)
        return z + 1, z * 2

    stored, reads = _loops(function, SQUARE, SQUARE)
    assert stored == ["dot_general", "exp", "add", "mul"]
    assert reads == [{"exp"}, {"exp"}]


def _padded(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.pad(x, ((0, 1), (0, 0))) + jnp.pad(y, ((1, 0), (0, 0)))


def test_padded_arrays_are_stored_before_their_sum_is_read_twice():
    def function(x, y):
        z = _padded(x, y)
        return z[1:] * 2, z[:-1] * 3

    stored, reads = _loops(function, SQUARE, SQUARE)
    assert stored == ["pad", "pad", "mul", "mul"]
    assert reads == [{"pad"}, {"pad"}]


def test_padded_arrays_are_not_stored_for_a_sum_that_is_read_once():
    stored, (read,) = _loops(lambda x, y: _padded(x, y) * 2, SQUARE, SQUARE)
    assert stored == ["mul"]
    assert read == {"input"}
