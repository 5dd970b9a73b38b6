"""Aging evolution: who enters the queue, who leaves it and who becomes a parent."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import aging_evolution, discrete_space, optimize, random_search

SPACE = discrete_space((5,) * 6, (True, False) * 3)
STRATEGY = aging_evolution(
    SPACE, population_size=8, num_objectives=1, capacity=200, num_alive=4, num_initial=2, tournament_size=3
)
ASK, TELL = jax.jit(STRATEGY.ask), jax.jit(STRATEGY.tell)
START = STRATEGY.init(jax.random.key(0))


def rows_of(*firsts):
    """Genotypes that differ from one another in every dimension."""
    return jnp.array(firsts, jnp.int32)[:, None] * jnp.ones((1, 6), jnp.int32)


def told(losses, violations=None, state=START, firsts=None):
    losses = jnp.array(losses, jnp.float32)[:, None]
    firsts = range(len(losses)) if firsts is None else firsts
    return TELL(state, rows_of(*firsts), losses, jnp.array(violations or [0.0] * len(losses), jnp.float32))


def queue(state):
    return set(state.genotypes[: int(state.num_entered), 0].tolist())


def test_the_oldest_leave_however_good_they_are():
    state = told([0.0])
    for first, loss in ((1, 5.0), (2, 6.0), (3, 7.0)):
        state = told([loss], state=state, firsts=[first])
    assert queue(state) == {0, 1, 2, 3}
    assert queue(told([8.0], state=state, firsts=[4])) == {1, 2, 3, 4}


def test_a_batch_larger_than_the_queue_leaves_its_best():
    assert queue(told([3.0, 1.0, 5.0, 2.0, 0.0])) == {4, 1, 3, 0}


def test_of_one_batch_the_worst_leave_first():
    state = told([3.0, 1.0, 4.0, 2.0])
    assert queue(told([9.0], state=state, firsts=[4])) == {0, 1, 3, 4}


@pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
def test_failed_candidates_do_not_enter(failed):
    assert queue(told([failed, 1.0, failed, 2.0])) == {1, 3}


def test_infeasible_candidates_enter_only_while_nothing_feasible_is_known():
    infeasible_only = told([0.0, 0.0], [1.0, 2.0])
    assert queue(infeasible_only) == {0, 1}
    both = told([9.0, 0.0], [0.0, 1.0], infeasible_only, [2, 3])
    assert queue(both) == {0, 1, 2}


def test_children_are_single_changes_of_feasible_parents():
    state = told([-9.0], [1.0])  # violates a limit, and stays in the queue until it is the oldest
    state = told([5.0, 6.0], state=state, firsts=[1, 2])
    assert queue(state) == {0, 1, 2}
    children, _ = ASK(jax.random.key(1), state)
    differences = (np.array(children)[:, None] != np.array(rows_of(0, 1, 2))[None]).sum(axis=2)  # (N, 3)
    assert (differences[:, 1:].min(axis=1) == 1).all() and (differences[:, 0] >= 5).all()


def test_larger_tournaments_choose_better_parents():
    def share_of_best(tournament_size):
        strategy = aging_evolution(
            SPACE, population_size=16, num_objectives=1, capacity=32, num_initial=4, tournament_size=tournament_size
        )
        state = strategy.tell(START._replace(seen=strategy.init(jax.random.key(0)).seen), *evaluated)
        children, _ = jax.jit(strategy.ask)(jax.random.key(2), state)
        return ((np.array(children) != np.array(rows_of(0))).sum(axis=1) == 1).mean()

    evaluated = rows_of(0, 1, 2, 3), jnp.arange(4.0)[:, None], jnp.zeros(4)
    assert share_of_best(1) < 0.6 < share_of_best(10)


def test_it_finds_a_better_minimum_than_random_search():
    def mean_best(construct):
        strategy = construct(SPACE, population_size=8, num_objectives=1, capacity=64)
        run = functools.partial(optimize, strategy, lambda g: ((g - 3) ** 2).sum(axis=1), num_evaluations=64)
        keys = jax.random.split(jax.random.key(3), 20)
        return float(jax.jit(lambda keys: jax.lax.map(lambda key: run(key=key).best_loss, keys))(keys).mean())

    assert mean_best(aging_evolution) < 0.5 * mean_best(random_search)


def test_a_start_longer_than_the_queue_is_refused():
    with pytest.raises(ValueError, match="num_initial=4"):
        aging_evolution(SPACE, population_size=8, num_objectives=1, capacity=64, num_alive=4, num_initial=5)
    with pytest.raises(ValueError, match="tournament_size"):
        aging_evolution(SPACE, population_size=8, num_objectives=1, capacity=64, tournament_size=0)
