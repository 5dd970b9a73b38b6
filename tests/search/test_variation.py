"""Mutation: every kind of choice changes in its own way."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import Categorical, Continuous, Integer, Space
from metagen_jax.search.space import to_unit
from metagen_jax.search.variation import LONGEST_STEP, SHORTEST_STEP, mutate

SPACE = Space(
    (
        Categorical(4),
        Integer(-3, 12),
        Continuous(-2.0, 2.0),
        Continuous(1e-4, 1.0, log=True),
        Integer(5, 5),
        Categorical(1),
    )
)
MIDDLE = np.float32([1, 4, 0.5, 1e-2, 5, 0])
LOW, HIGH = np.float32([0, -3, -2.0, 1e-4, 5, 0]), np.float32([3, 12, 2.0, 1.0, 5, 0])
NUM = 4000


@functools.cache
def mutants(parent):
    parents = jnp.tile(jnp.array({"middle": MIDDLE, "low": LOW, "high": HIGH}[parent])[None], (NUM, 1))
    return np.array(jax.jit(mutate, static_argnums=1)(jax.random.key(0), SPACE, parents))


every_parent = pytest.mark.parametrize(("parent", "value"), [("middle", MIDDLE), ("low", LOW), ("high", HIGH)])


@every_parent
def test_every_mutant_differs_lies_in_the_space_and_keeps_what_cannot_vary(parent, value):
    rows = mutants(parent)
    assert (rows != value[None]).any(axis=1).all()
    assert (rows >= LOW[None]).all() and (rows <= HIGH[None]).all()
    assert (rows[:, [0, 1, 4, 5]] == np.round(rows[:, [0, 1, 4, 5]])).all()


@every_parent
def test_every_dimension_that_can_vary_changes_about_equally_often(parent, value):
    share = (mutants(parent) != value[None]).mean(axis=0)
    assert (share[:4] > 0.25).all() and np.ptp(share[:4]) < 0.05


def test_most_mutants_change_one_dimension_and_some_change_several():
    num_changed = (mutants("middle") != MIDDLE[None]).sum(axis=1)
    assert (num_changed == 1).mean() > 0.5 and (num_changed >= 2).mean() > 0.1


def test_a_categorical_choice_takes_every_other_value_equally_often():
    column = mutants("middle")[:, 0]
    counts = np.bincount(column[column != 1].astype(int), minlength=4)
    expected = counts.sum() / 3
    assert counts[1] == 0 and abs(counts[[0, 2, 3]] - expected).max() < 4 * expected**0.5


def test_an_integer_steps_up_and_down_by_one_half_of_the_time():
    column = mutants("middle")[:, 1]
    steps = column[column != 4] - 4
    assert abs((steps > 0).mean() - 0.5) < 0.06 and abs((abs(steps) == 1).mean() - 0.5) < 0.06


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_real_number_moves_by_shares_of_its_scaled_range_of_every_magnitude(dimension):
    rows = mutants("middle")
    moved = rows[rows[:, dimension] != MIDDLE[dimension]]
    shift = np.array(to_unit(SPACE, jnp.array(moved)) - to_unit(SPACE, jnp.array(MIDDLE[None])))[:, dimension]
    size = abs(shift)
    assert size.min() > 0.98 * SHORTEST_STEP and size.max() < 1.001 * LONGEST_STEP
    decades = np.histogram(np.log(size), bins=3)[0] / len(size)  # log-uniform, as no step is long enough to be cut off
    assert abs(decades - 1 / 3).max() < 0.06
    assert abs((shift > 0).mean() - 0.5) < 0.06


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_at_the_end_of_a_range_every_step_leads_inwards(dimension):
    for parent, value in (("low", LOW), ("high", HIGH)):
        column = mutants(parent)[:, dimension]
        assert (column != value[dimension]).mean() > 0.25


def test_mutants_depend_on_the_key_only():
    parents = jnp.tile(jnp.array(MIDDLE)[None], (8, 1))
    first, again, other = (mutate(jax.random.key(seed), SPACE, parents) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
