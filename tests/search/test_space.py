"""Kinds of choices, and the ways between values, indices and the unit interval."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import Categorical, Continuous, Integer, Space
from metagen_jax.search.sampling import sample_uniform
from metagen_jax.search.space import from_indices, from_unit, to_indices, to_unit

DISCRETE = Space((Categorical(3), Integer(-4, 9), Integer(7, 7), Categorical(1), Integer(2, 2**20)))
MIXED = Space((Categorical(3), Integer(-4, 9), Continuous(-2.0, 6.0), Continuous(1e-5, 1e-1, log=True)))
both = pytest.mark.parametrize("space", [DISCRETE, MIXED], ids=["discrete", "mixed"])


@both
def test_values_of_every_kind_lie_in_their_range_and_reach_all_of_it(space):
    genotypes = np.array(sample_uniform(jax.random.key(0), space, 2000))
    assert genotypes.dtype == space.dtype
    for column, choice in zip(genotypes.T, space.choices, strict=True):
        low, high = (0, choice.num_choices - 1) if isinstance(choice, Categorical) else (choice.low, choice.high)
        assert (column >= np.float32(low)).all() and (column <= np.float32(high)).all()
        if isinstance(choice, Continuous):
            assert len(np.unique(column)) > 1990
        else:
            assert (column == np.round(column)).all()
            assert choice.num_choices > 100 or len(np.unique(column)) == choice.num_choices


def test_a_logarithmic_choice_is_uniform_in_its_logarithm():
    values = np.array(sample_uniform(jax.random.key(1), MIXED, 4000))[:, 3]
    share_per_decade = np.histogram(np.log10(values), bins=[-5, -4, -3, -2, -1])[0] / 4000
    assert abs(share_per_decade - 0.25).max() < 0.03  # four standard deviations


def test_indices_and_values_of_discrete_spaces_round_trip():
    genotypes = sample_uniform(jax.random.key(2), DISCRETE, 100)
    indices = to_indices(DISCRETE, genotypes)
    assert (indices >= 0).all() and (indices < jnp.array(DISCRETE.counts)[None]).all()
    assert (from_indices(DISCRETE, indices) == genotypes).all()


def test_indices_and_continuous_values_of_mixed_spaces_round_trip():
    genotypes = sample_uniform(jax.random.key(3), MIXED, 100)
    indices = to_indices(MIXED, genotypes)
    assert (indices[:, 2:] == 0).all()
    assert (from_indices(MIXED, indices, genotypes) == genotypes).all()


@both
def test_the_unit_interval_has_the_ends_of_every_range_at_its_ends(space):
    low = [choice.low if not isinstance(choice, Categorical) else 0 for choice in space.choices]
    high = [choice.high if not isinstance(choice, Categorical) else choice.num_choices - 1 for choice in space.choices]
    unit = to_unit(space, jnp.array([low, high], space.dtype))
    assert (unit[0] == 0).all()
    assert unit[1].tolist() == [float(count > 1) for count in space.num_choices]


@both
def test_values_survive_the_way_through_the_unit_interval(space):
    genotypes = sample_uniform(jax.random.key(4), space, 200)
    unit = to_unit(space, genotypes)
    assert (unit >= 0).all() and (unit <= 1).all()
    middle = (to_indices(space, genotypes) + 0.5) / jnp.array(space.counts, jnp.float32)[None]  # of its part of [0, 1)
    back = from_unit(space, jnp.where(jnp.array(space.is_continuous)[None], unit, middle))
    exact = ~space.is_continuous
    assert (back[:, exact] == genotypes[:, exact]).all()
    assert np.allclose(back, genotypes, rtol=1e-5, atol=1e-6)


@both
def test_numbers_outside_the_unit_interval_give_the_ends(space):
    ends = from_unit(space, jnp.array([[-0.5], [1.5]]) * jnp.ones((1, space.num_dimensions)))
    inside = from_unit(space, jnp.array([[0.0], [1.0]]) * jnp.ones((1, space.num_dimensions)))
    assert (ends == inside).all()


def test_one_continuous_choice_makes_a_space_infinite_and_its_genotypes_float():
    assert (MIXED.size, MIXED.dtype, MIXED.is_discrete) == (math.inf, jnp.float32, False)
    assert (DISCRETE.size, DISCRETE.dtype, DISCRETE.is_discrete) == (3 * 14 * (2**20 - 1), jnp.int32, True)
    assert MIXED.num_choices == (3, 14, math.inf, math.inf)
    assert MIXED.is_ordered.tolist() == [False, True, True, True] and MIXED.is_log.tolist() == [False] * 3 + [True]


@pytest.mark.parametrize(
    ("kind", "arguments", "remedy"),
    [
        (Categorical, (0,), "1 choice"),
        (Categorical, (True,), "int of 1 or more"),
        (Categorical, (2.0,), "int of 1 or more"),
        (Integer, (8, 1), r"Integer\(1, 8\)"),
        (Integer, (0.0, 1.0), "ints"),
        (Integer, (0, 2**24 + 1), "Continuous"),
        (Continuous, (1.0, 1.0), "Integer"),
        (Continuous, (0.0, math.inf), "finite"),
        (Continuous, (math.nan, 1.0), "finite"),
        (Continuous, (0.0, 1.0, True), "log=False"),
    ],
)
def test_what_is_not_a_choice_is_refused_with_the_fix(kind, arguments, remedy):
    with pytest.raises(ValueError, match=remedy):
        kind(*arguments)
