"""A slice of what was put together is read from a piece."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from metagen_jax.synth.costs.operations import Trace, trace
from metagen_jax.synth.costs.pieces import read_from_pieces

ROWS, WIDE, NARROW = 4, 8, 3


def _rewritten(function: Callable[..., Any]) -> Trace:
    shapes = (ROWS, WIDE), (ROWS, NARROW), (ROWS, WIDE)
    return read_from_pieces(trace(function, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)))


def _names(function: Callable[..., Any]) -> list[str]:
    return [operation.name for operation in _rewritten(function).operations]


def test_a_whole_piece_of_a_concatenation_is_that_piece():
    own = _rewritten(lambda x, y, z: jnp.concatenate([x, y], axis=1)[:, WIDE:] * 2)
    (doubled,) = own.operations
    assert (doubled.name, own.inputs[1] in doubled.inputs) == ("mul", True)


def test_a_window_within_a_piece_is_moved():
    (cut,) = _rewritten(lambda x, y, z: jnp.concatenate([x, y], axis=1)[1:3, WIDE + 1 :]).operations
    assert cut.inputs[0].shape == (ROWS, NARROW)
    assert (cut.params["start_indices"], cut.params["limit_indices"]) == ((1, 1), (3, NARROW))


def test_a_window_over_two_pieces_needs_the_whole():
    assert _names(lambda x, y, z: jnp.concatenate([x, y], axis=1)[:, WIDE - 1 : WIDE + 1]) == ["concatenate", "slice"]


def test_steps_within_a_piece_are_left_alone():
    assert _names(lambda x, y, z: jnp.concatenate([x, y], axis=1)[:, :WIDE:2]) == ["concatenate", "slice"]


def test_a_row_of_a_stack_is_what_was_stacked():
    assert set(_names(lambda x, y, z: jnp.stack([x, z], axis=1)[:, 1])) == {"expand_dims", "squeeze"}


def test_the_gradient_of_a_stack_cuts_its_own_apart():
    def loss(x: jax.Array, z: jax.Array) -> jax.Array:
        return jnp.square(jnp.stack([x, z])).sum()

    names = _names(lambda x, y, z: jax.grad(loss, argnums=(0, 1))(x, z))
    assert "unstack" not in names
    assert names.count("slice") == 2
