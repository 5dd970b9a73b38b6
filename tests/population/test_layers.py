"""A loop over layers computes, forwards and backwards, what the layers do one after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.population.flat import Packing
from metagen_jax.population.layers import layer_loop

DEPTH, WIDTH, HIDDEN = 3, 5, 7
PACKING = Packing([(WIDTH,), (WIDTH, HIDDEN), (HIDDEN, WIDTH)])


def _layer(parameters, constants, read, x):
    scale, up, down = parameters
    return x + jnp.tanh((x * scale / constants["width"] + read[0]) @ up) @ down


def _inputs():
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    layers = [[draw(WIDTH), draw(WIDTH, HIDDEN), draw(HIDDEN, WIDTH)] for _ in range(DEPTH)]
    rows = jax.tree.map(lambda *values: jnp.stack(values), *map(PACKING.pack, layers))
    return layers, rows, {"width": jnp.float32(2.5)}, [draw(WIDTH), None], draw(4, WIDTH)


LOOP = layer_loop(_layer, PACKING.pack, PACKING.unpack)


@pytest.mark.parametrize("count", range(DEPTH + 1))
def test_value_and_gradients_are_those_of_the_first_layers_one_after_the_other(count: int):
    layers, rows, constants, read, x = _inputs()

    def looped(rows, read, x, count):
        return jnp.sum(jnp.sin(LOOP(rows, count, constants, read, x)))

    def written_out(layers, read, x):
        for parameters in layers[:count]:
            x = _layer(parameters, constants, read, x)
        return jnp.sum(jnp.sin(x))

    value, (gradient, gradient_read, gradient_x) = jax.jit(jax.value_and_grad(looped, (0, 1, 2)))(rows, read, x, count)
    expected, (expected_layers, expected_read, expected_x) = jax.value_and_grad(written_out, (0, 1, 2))(layers, read, x)
    np.testing.assert_allclose(looped(rows, read, x, count), expected, rtol=1e-5)  # not differentiated
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient_x, expected_x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradient_read[0], expected_read[0], rtol=1e-4, atol=1e-5)
    assert gradient_read[1] is None
    for number, parameters in enumerate(expected_layers):
        for own, other in zip(
            PACKING.unpack(jax.tree.map(lambda g, n=number: g[n], gradient)), parameters, strict=True
        ):
            np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)
            assert number < count or not np.any(own)
    assert count == 0 or np.any(gradient.matrices)


def test_the_program_does_not_grow_with_the_depth():
    _, rows, constants, read, x = _inputs()

    def length(depth: int) -> int:
        deep = jax.tree.map(lambda leaf: jnp.zeros((depth, *leaf.shape[1:])), rows)
        gradient = jax.jit(jax.grad(lambda rows, count: jnp.sum(LOOP(rows, count, constants, read, x))))
        return len(gradient.lower(deep, depth).as_text().splitlines())

    assert length(1) == length(20)


def test_the_way_back_keeps_no_copy_of_the_weights():
    _, rows, constants, read, x = _inputs()
    _, back = jax.vjp(lambda rows, x: LOOP(rows, DEPTH, constants, read, x), rows, x)
    kept = [leaf.shape for leaf in jax.tree.leaves(back)]
    assert (DEPTH, *x.shape) in kept  # what went into each layer
    assert (DEPTH, WIDTH, HIDDEN) not in kept
    assert (DEPTH, HIDDEN, WIDTH) not in kept
