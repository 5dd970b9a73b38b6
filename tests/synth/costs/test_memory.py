"""What a traced function takes at once."""

import jax
import jax.numpy as jnp

from metagen_jax.synth.costs import memory
from metagen_jax.synth.costs.memory import Kernel
from metagen_jax.synth.costs.operations import Trace, Value, trace
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers, rulers_for

NO_AXES = Rulers({})
ROWS, WIDE, NARROW = 4096, 64, 8


def _peak(traced: Trace) -> float:
    return max(polynomial.at({}) for polynomial in memory.cases(traced, NO_AXES).peaks[0].all)


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


RULERS = rulers_for(("width",), fixed=(ROWS,))
WIDTH = RULERS.lengths["width"]
BATCH = 64


def _normed(x: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
    """Sums of squares, and something else that is read twice: large or small, it is not the same to XLA."""
    scaled = x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True))
    return jnp.exp(-scaled).sum(-1), scaled @ y


def _of_width(width: int) -> Trace:
    shapes = (BATCH, width), (width, NARROW)
    return trace(_normed, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))


def test_arrays_that_are_large_in_some_networks_alone_make_cases():
    (elements,) = memory.unsettled(_of_width(WIDTH), RULERS, {"width": (8, 256)})
    assert elements == Polynomial(("width",), {(1,): BATCH})
    assert memory.unsettled(_of_width(WIDTH), RULERS, {"width": (8, 63)}) == ()
    assert memory.unsettled(_of_width(WIDTH), RULERS, {"width": (64, 256)}) == ()


def test_the_case_is_that_of_the_lengths():
    elements = memory.unsettled(_of_width(WIDTH), RULERS, {"width": (8, 256)})
    cases = memory.cases(_of_width(WIDTH), RULERS, elements)
    small, large = ({"width": jnp.array([float(width)])} for width in (63, 64))
    for at, peaks in ((small, cases.peaks[0]), (large, cases.peaks[1])):
        expected = max(polynomial.at({"width": float(at["width"][0])}) for polynomial in peaks.all)
        assert float(cases.highest("all", at)[0]) == expected
    assert cases.peaks[0] != cases.peaks[1]
