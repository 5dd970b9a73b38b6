"""Local search: what a neighbour is, when the climb moves and when it restarts."""

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
    discrete_space,
    local_search,
    optimize,
    random_search,
)

SPACE = Space((Categorical(4), Integer(0, 9), Integer(0, 9), Integer(5, 5)))
STRATEGY = local_search(SPACE, population_size=3, num_objectives=1, capacity=200, num_initial=1)
ASK, TELL = jax.jit(STRATEGY.ask), jax.jit(STRATEGY.tell)
CURRENT = jnp.array([[1, 9, 4, 5]])
NEIGHBOURS = {(0, 9, 4, 5), (2, 9, 4, 5), (3, 9, 4, 5), (1, 8, 4, 5), (1, 9, 3, 5), (1, 9, 5, 5)}


def climbing_from(current=CURRENT, loss=0.0):
    start = STRATEGY.init(jax.random.key(0))
    return TELL(start, current, jnp.full((1, 1), loss), jnp.zeros(1))


def asked_in_vain(state, num_batches, strategy=STRATEGY):
    """Asks batches and tells them as bad: the genotypes, and the state."""
    batches, ask, tell = [], jax.jit(strategy.ask), jax.jit(strategy.tell)
    for key in jax.random.split(jax.random.key(1), num_batches):
        genotypes, state = ask(key, state)
        state = tell(state, genotypes, jnp.full((len(genotypes), 1), 9.0), jnp.zeros(len(genotypes)))
        batches.append(np.array(genotypes))
    return np.concatenate(batches), state


def test_all_neighbours_and_nothing_else_are_asked_before_a_restart():
    asked, state = asked_in_vain(climbing_from(), 2)
    assert {tuple(row) for row in asked.tolist()} == NEIGHBOURS
    assert bool(state.climbing)
    _, state = ASK(jax.random.key(2), state)
    assert not bool(state.climbing)


def test_after_a_restart_the_climb_goes_on_from_elsewhere_although_it_is_worse():
    _, state = asked_in_vain(climbing_from(), 3)
    assert bool(state.climbing) and float(state.loss[0, 0]) == 9.0


def test_the_climb_moves_to_the_best_of_a_batch_only_if_that_is_better():
    state, batch = climbing_from(loss=1.0), jnp.array([[0, 9, 4, 5], [2, 9, 4, 5], [3, 9, 4, 5]])
    worse = TELL(state, batch, jnp.array([[3.0], [1.0], [2.0]]), jnp.zeros(3))
    assert (worse.current == CURRENT).all()
    better = TELL(state, batch, jnp.array([[0.5], [0.2], [2.0]]), jnp.zeros(3))
    assert (better.current == batch[1:2]).all()


@pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
def test_the_climb_never_moves_to_a_failed_or_infeasible_candidate(failed):
    state, batch = climbing_from(loss=1.0), jnp.array([[0, 9, 4, 5], [2, 9, 4, 5], [3, 9, 4, 5]])
    state = TELL(state, batch, jnp.array([[failed], [-5.0], [-9.0]]), jnp.array([0.0, 1.0, jnp.nan]))
    assert (state.current == CURRENT).all()


def test_among_infeasible_candidates_the_least_violating_is_climbed_from():
    start, batch = STRATEGY.init(jax.random.key(0)), jnp.array([[0, 9, 4, 5], [2, 9, 4, 5], [3, 9, 4, 5]])
    state = TELL(start, batch, jnp.array([[1.0], [jnp.nan], [0.0]]), jnp.array([3.0, 1.0, 2.0]))
    assert (state.current == batch[1:2]).all()


def test_continuous_neighbours_change_one_dimension_within_its_range_until_patience_ends():
    space = Space((Continuous(0.0, 1.0), Continuous(1e-3, 1.0, log=True)))
    strategy = local_search(space, population_size=4, num_objectives=1, capacity=64, num_initial=1, patience=8)
    current = jnp.array([[0.0, 1.0]])  # at the ends of both
    state = strategy.tell(strategy.init(jax.random.key(0)), current, jnp.zeros((1, 1)), jnp.zeros(1))
    asked, _ = asked_in_vain(state, 3, strategy)
    assert ((asked[:8] != np.array(current)).sum(axis=1) == 1).all()
    assert (asked >= np.float32([0.0, 1e-3])).all() and (asked <= 1.0).all()
    assert ((asked[8:] != np.array(current)).sum(axis=1) == 2).all()


def test_a_dominated_candidate_is_never_climbed_from_whatever_the_weights():
    strategy = local_search(SPACE, population_size=3, num_objectives=3, capacity=64, num_initial=1)
    losses = jnp.array([[2.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 5.0, 3.0]])
    batch = jnp.array([[0, 9, 4, 5], [2, 9, 4, 5], [3, 9, 4, 5]])
    for weights in np.random.default_rng(0).random((5, 3), np.float32):
        start = strategy.init(jax.random.key(0))._replace(weights=jnp.array(weights))
        assert (strategy.tell(start, batch, losses, jnp.zeros(3)).current == batch[1:2]).all()


def test_climbs_with_several_objectives_reach_different_parts_of_the_front():
    space = discrete_space((64, 4), (True, True))
    strategy = local_search(space, population_size=4, num_objectives=2, capacity=200)
    result = optimize(strategy, lambda g: jnp.stack([g[:, 0], 63 - g[:, 0]], 1) + 9 * g[:, 1:], jax.random.key(0), 200)
    found = np.array(result.genotypes[result.front])[:, 0]
    assert len(found) > 20 and found.min() < 16 and found.max() > 48


def test_it_finds_a_better_minimum_than_random_search():
    space = discrete_space((12,) * 6, (True,) * 6)

    def mean_best(construct):
        strategy = construct(space, population_size=8, num_objectives=1, capacity=96)
        run = functools.partial(optimize, strategy, lambda g: ((g - 3) ** 2).sum(axis=1), num_evaluations=96)
        keys = jax.random.split(jax.random.key(3), 20)
        return float(jax.jit(lambda keys: jax.lax.map(lambda key: run(key=key).best_loss, keys))(keys).mean())

    assert mean_best(local_search) < 0.3 * mean_best(random_search)


def test_wrong_counts_are_refused():
    for setting in ({"num_initial": 0}, {"patience": 0}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            local_search(SPACE, population_size=3, num_objectives=1, capacity=200, **setting)
