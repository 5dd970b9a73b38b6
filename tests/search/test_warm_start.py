"""Warm start: given genotypes come first, once, and the strategy loses nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import (
    Categorical,
    Continuous,
    Integer,
    Space,
    aging_evolution,
    discrete_space,
    optimize,
    random_search,
    start_from,
)

SPACE = discrete_space((2, 3, 4), (True, False, True), lambda g: g[:, 2] - 2.0)  # 18 of 24 feasible
START = jnp.array([[1, 2, 2], [0, 0, 3], [0, 1, 0], [1, 2, 2], [1, 1, 1]], jnp.int32)  # one infeasible, one copy
TO_ASK = [[1, 2, 2], [0, 1, 0], [1, 1, 1]]


@functools.cache
def warm(population_size, num_told=0):
    inner = random_search(SPACE, population_size=population_size, num_objectives=1, capacity=24)
    return start_from(inner, SPACE, START)


def asked(strategy, num_evaluations, **options):
    return optimize(
        strategy, lambda g: g.sum(axis=1), jax.random.key(0), num_evaluations, violation=SPACE.violation, **options
    ).genotypes


@pytest.mark.parametrize("population_size", [1, 2, 5])
def test_given_genotypes_come_first_in_order_without_copies_and_infeasible_ones(population_size):
    assert asked(warm(population_size), 10)[:3].tolist() == TO_ASK


@pytest.mark.parametrize("population_size", [2, 5])
def test_nothing_that_the_strategy_proposed_in_the_meantime_is_lost(population_size):
    rows = np.array(asked(warm(population_size), 18))
    assert len(np.unique(rows, axis=0)) == 18 and (rows[:, 2] <= 2).all()  # every feasible genotype, once


def test_what_was_told_in_the_meantime_is_not_asked():
    strategy = warm(2)
    state = strategy.tell(strategy.init(jax.random.key(0)), START[:1], jnp.zeros((1, 1)), jnp.zeros(1))
    assert asked(strategy, 2, state=state).tolist() == TO_ASK[1:]


@pytest.mark.parametrize("num_known", [1, 4, 7])
def test_known_losses_are_told_before_the_first_ask(num_known):
    space = discrete_space((9, 9), (False, False))
    inner = aging_evolution(space, population_size=3, num_objectives=1, capacity=24, num_initial=1)
    known = jnp.stack([jnp.arange(num_known), jnp.full(num_known, 8)], axis=1)
    strategy = start_from(inner, space, known, losses=jnp.arange(1.0, num_known + 1)[:, None])
    state = strategy.init(jax.random.key(0))
    assert int(state.num_entered) == num_known
    children, _ = strategy.ask(jax.random.key(1), state)
    assert not (np.array(children)[:, None] == np.array(known)[None]).all(axis=2).any()
    assert ((np.array(children)[:, None] != np.array(known)[None]).sum(axis=2).min(axis=1) == 1).all()


def test_known_violations_are_those_of_the_space_unless_given():
    inner = aging_evolution(SPACE, population_size=2, num_objectives=1, capacity=24)
    losses = jnp.zeros((5, 1))
    by_space = start_from(inner, SPACE, START, losses).init(jax.random.key(0))
    assert int(by_space.num_entered) == 4
    given = start_from(inner, SPACE, START, losses, violations=jnp.zeros(5)).init(jax.random.key(0))
    assert int(given.num_entered) == 5


@pytest.mark.parametrize(
    ("genotypes", "message"),
    [
        (jnp.array([0, 1, 0.5]), r"genotype\[None\]"),
        (jnp.zeros((0, 3)), "1 or more"),
        (jnp.array([[0, 1, 0.5], [3, 1, 0.5]]), r"genotypes\[1, 0\] is 3.* from 0 to 2, a whole number"),
        (jnp.array([[0, 1, 0.5], [0, 1.5, 0.5]]), r"genotypes\[1, 1\] is 1.5.* from 1 to 4, a whole number"),
        (jnp.array([[0, 1, 1.5]]), r"genotypes\[0, 2\] is 1.5.* from 0.0 to 1.0\."),
        (jnp.array([[0, 1, jnp.nan]]), r"genotypes\[0, 2\] is nan"),
    ],
)
def test_genotypes_that_are_none_of_the_space_are_refused_with_the_fix(genotypes, message):
    space = Space((Categorical(3), Integer(1, 4), Continuous(0.0, 1.0)))
    with pytest.raises(ValueError, match=message):
        start_from(random_search(space, population_size=2, num_objectives=1, capacity=8), space, genotypes)


def test_losses_that_do_not_fit_are_refused_with_the_fix():
    with pytest.raises(ValueError, match=r"losses\[:, None\]"):
        start_from(warm(2), SPACE, START, losses=jnp.zeros(5))
