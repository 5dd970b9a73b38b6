"""A sliver that draws never meet is found, and its share estimated."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import Integer, Space
from metagen_jax.search.splitting import split

SPLIT = jax.jit(split, static_argnums=(1, 2))


def within(most: int) -> Space:
    """Ten million genotypes, of which C(most + 7, 7) are feasible as long as `most` is below 10."""
    return Space((Integer(0, 9),) * 7, lambda genotypes: (genotypes.sum(axis=1) - most).astype(jnp.float32))


@pytest.mark.parametrize("most", [9, 3, 1])
def test_the_share_is_estimated_within_a_factor_of_two(most: int):
    found = SPLIT(jax.random.key(0), within(most), 2000)
    share = math.comb(most + 7, 7) / 10**7
    assert (found.violations[:200] <= 0).all()  # levels of whole numbers may stall just short of a quarter
    assert 0.5 < float(found.share) / share < 2


def test_all_of_a_few_feasible_genotypes_are_met():
    genotypes = np.asarray(SPLIT(jax.random.key(1), within(1), 2000).genotypes)
    assert len({tuple(row) for row in genotypes if row.sum() <= 1}) == 8


def test_where_nothing_is_feasible_the_closest_come_first():
    found = SPLIT(jax.random.key(2), within(-3), 500)
    assert float(found.share) == 0.0
    assert float(found.violations[0]) == 3.0
    assert found.genotypes[0].tolist() == [0] * 7


def test_without_an_edge_everything_is_feasible():
    found = SPLIT(jax.random.key(3), within(63), 500)
    assert float(found.share) == 1.0
