"""A list of equal layers as a loop of as many rounds as a candidate has layers.

It is compiled once whatever the depth, and layers that are not there cost nothing; under `jax.vmap` all candidates go
through as many as the deepest, of which those that are not there have weights of zero and change nothing. JAX does not differentiate a loop
whose length is known at run time only, so the way back is written down here.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from metagen_jax.population.modes import LOOP, VMAP

Layer = Callable[[Any, Any, Any, jax.Array], jax.Array]  # parameters, constants, read, x -> x of the same shape
# What is kept for the way back, of which the rest is computed again, since that is cheaper than the way through memory.
# On a CPU that is so for products without weights too, which are as large as the scores of attention.
KEPT = {
    LOOP: jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    VMAP: jax.checkpoint_policies.dots_saveable,
}


def layer_loop(
    layer: Layer, pack: Callable[[Any], Any], unpack: Callable[[Any], Any], mode: str = LOOP
) -> Callable[..., jax.Array]:
    """Makes `(rows, count, constants, read, x) -> x`, which applies the first `count` layers to `x` one after the other.

    Args:
      layer: what each of them computes; constants and what is read beside `x` are the same for all of them. Constants have
        no gradient; that of what is read, arrays of floating-point numbers, is the sum over the layers.
      pack: the parameters of a layer as one row of `rows`, whose leaves are `(most layers, ...)`.
      unpack: its inverse.
      mode: how candidates are gone through.
    """
    layer = jax.checkpoint(layer, policy=KEPT[mode])

    @jax.custom_vjp
    def run(rows: Any, count: jax.Array, constants: Any, read: Any, x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, count, lambda i, x: layer(unpack(_row(rows, i)), constants, read, x), x)

    def linearized(row: Any, constants: Any, read: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        parameters = unpack(row)
        out, back = jax.vjp(lambda p, r, x: layer(p, constants, r, x), parameters, read, x)
        return out, _without(back, (parameters, constants, read))

    def forward(rows: Any, count: jax.Array, constants: Any, read: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        one_back = jax.eval_shape(lambda: linearized(_row(rows, 0), constants, read, x)[1])
        shapes, structure = jax.tree.flatten(one_back)
        most = jax.tree.leaves(rows)[0].shape[0]

        def up(i: jax.Array, carry: tuple) -> tuple:
            out, back = linearized(_row(rows, i), constants, read, carry[0])
            return out, [_with_row(kept, value, i) for kept, value in zip(carry[1], jax.tree.leaves(back), strict=True)]

        x, kept = jax.lax.fori_loop(0, count, up, (x, [jnp.zeros((most, *s.shape), s.dtype) for s in shapes]))
        return x, (rows, count, constants, read, jax.tree.unflatten(structure, kept))

    def backward(residuals: Any, cotangent: jax.Array) -> tuple:
        rows, count, constants, read, backs = residuals

        def down(done: jax.Array, carry: tuple) -> tuple:
            i = count - 1 - done
            back = _with(_row(backs, i), (unpack(_row(rows, i)), constants, read))
            gradients, of_read, cotangent = back(carry[2])
            all_gradients = jax.tree.map(lambda rows, row: _with_row(rows, row, i), carry[0], pack(gradients))
            return all_gradients, jax.tree.map(jnp.add, carry[1], of_read), cotangent

        start = (jax.tree.map(jnp.zeros_like, rows), jax.tree.map(jnp.zeros_like, read), cotangent)
        gradients, of_read, cotangent = jax.lax.fori_loop(0, count, down, start)
        return gradients, None, None, of_read, cotangent

    run.defvjp(forward, backward)
    return run


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _Given:
    """Stands where the leaf of this number was that need not be kept."""

    number: int


def _without(tree: Any, given: Any) -> Any:
    """The tree without those leaves that are leaves of `given`."""
    known = {id(leaf): _Given(number) for number, leaf in enumerate(jax.tree.leaves(given))}
    return jax.tree.map(lambda leaf: known.get(id(leaf), leaf), tree)


def _with(tree: Any, given: Any) -> Any:
    """The inverse of `_without`."""
    known = jax.tree.leaves(given)
    is_given = lambda leaf: isinstance(leaf, _Given)  # noqa: E731
    return jax.tree.map(lambda leaf: known[leaf.number] if is_given(leaf) else leaf, tree, is_leaf=is_given)


def _row(rows: Any, i: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, i, keepdims=False), rows)


def _with_row(rows: jax.Array, row: jax.Array, i: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_index_in_dim(rows, row, i, 0)
