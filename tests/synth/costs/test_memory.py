"""What a traced function takes at once."""

import jax
import jax.numpy as jnp

from metagen_jax.synth.costs import memory
from metagen_jax.synth.costs.memory import Kernel
from metagen_jax.synth.costs.operations import Trace, Value, trace
from metagen_jax.synth.costs.polynomials import Rulers

NO_AXES = Rulers({})
ROWS, WIDE, NARROW = 4096, 64, 8


def _peak(traced: Trace) -> float:
    return max(polynomial.at({}) for polynomial in memory.peaks(traced, NO_AXES).all)


def _gradients_of_products(x: jax.Array, *kernels: jax.Array) -> jax.Array:
    """Of the strips of an image, as a convolution has them: each is padded and added to the others."""

    def loss(x: jax.Array) -> jax.Array:
        strips = [x[row : row + ROWS] for row in range(len(kernels))]
        return jnp.square(sum(strip @ kernel for strip, kernel in zip(strips, kernels, strict=True))).sum()

    return jax.grad(loss)(x)


def test_what_has_waited_for_the_same_value_runs_before_what_reads_it():
    start, one, two, after_one, after_two = (Value(number, (8,), 4) for number in range(5))
    kernels = [Kernel(start, ()), Kernel(one, (start,)), Kernel(after_one, (one,))]
    kernels += [Kernel(two, (start,)), Kernel(after_two, (two,))]
    order = [kernel.made for kernel in memory._in_order(kernels, kernels)]
    assert order == [start, one, two, after_one, after_two]


def test_gradients_of_all_strips_are_there_before_one_is_padded():
    x = jax.ShapeDtypeStruct((ROWS + 2, WIDE), jnp.float32)
    kernels = [jax.ShapeDtypeStruct((WIDE, NARROW), jnp.float32)] * 3
    strip = 4 * ROWS * WIDE
    assert 3.9 < _peak(trace(_gradients_of_products, x, *kernels)) / strip < 4.5


def test_the_peak_is_that_of_xla():
    x = jax.ShapeDtypeStruct((ROWS + 2, WIDE), jnp.float32)
    kernels = [jax.ShapeDtypeStruct((WIDE, NARROW), jnp.float32)] * 3
    used = jax.jit(_gradients_of_products).lower(x, *kernels).compile().memory_analysis()
    taken = used.temp_size_in_bytes + used.output_size_in_bytes
    assert 0.9 < _peak(trace(_gradients_of_products, x, *kernels)) / taken < 1.2
