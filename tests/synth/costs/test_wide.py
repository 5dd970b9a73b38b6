"""Whole numbers of 64 bits are exact where those of JAX would overflow."""

import jax
import jax.numpy as jnp
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen_jax.synth.costs.wide import Wide, exact, product

FACTORS = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=2)
COUNTS = st.integers(0, 2**62)


def wide(count: int) -> Wide:
    return Wide(jnp.uint32(count >> 32), jnp.uint32(count & 0xFFFFFFFF))


@settings(deadline=None)  # the first call compiles
@given(FACTORS)
def test_products_are_those_of_python(factors: list[int]):
    expected = 1
    for factor in factors:
        expected *= factor
    assert int(product(factors)) == expected


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_sums_and_comparisons_are_those_of_python(first: int, second: int):
    assert int(wide(first) + wide(second)) == first + second
    assert bool(wide(first).exceeds(wide(second))) == (first > second)
    assert not wide(first).exceeds(wide(first))


@given(COUNTS)
def test_rounding_is_to_float32(count: int):
    assert abs(float(wide(count).rounded()) - count) <= count * 2**-23


def test_arrays_are_multiplied_element_by_element_inside_of_jit():
    lengths = jnp.array([1, 3, 2**31 - 1])
    counts = jax.jit(lambda n: product([n, 128_256, 4]))(lengths)
    assert exact(counts).tolist() == [int(n) * 128_256 * 4 for n in lengths]
