"""Shortening a front against removing one row after the other in plain numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import non_dominated_rank, truncate_front

NUM_ROWS = 40


@functools.cache
def compiled():
    return jax.jit(truncate_front)


def front_of(num_objectives, seed):
    """Points on a bent surface none of which dominates another, with padding in between."""
    rng = np.random.default_rng(seed)
    losses = rng.exponential(size=(NUM_ROWS, num_objectives))
    losses = (losses / losses.sum(axis=1, keepdims=True)) ** 2 * np.array([1.0, 30.0, 0.1])[:num_objectives]
    return losses.astype(np.float32), rng.random(NUM_ROWS) < 0.8


def slow_truncation(losses, members, num_removed):
    members = list(members)
    losses = losses.astype(float)
    scaled = (losses - losses[members].min(axis=0)) / np.ptp(losses[members], axis=0)
    num_objectives = losses.shape[1]
    ends = {members[f(losses[members, m])] for m in range(num_objectives) for f in (np.argmin, np.argmax)}

    def crowding(row):
        if row in ends:
            return np.inf
        others = [i for i in members if i != row]
        if num_objectives == 2:
            before = max((i for i in others if losses[i, 0] < losses[row, 0]), key=lambda i: losses[i, 0])
            after = min((i for i in others if losses[i, 0] > losses[row, 0]), key=lambda i: losses[i, 0])
            return np.abs(scaled[after] - scaled[before]).sum()
        return np.prod(np.sort(np.abs(scaled[others] - scaled[row]).sum(axis=1))[:num_objectives])

    for _ in range(num_removed):
        members.remove(min(members, key=crowding))
    return members


@pytest.mark.parametrize("num_objectives", [2, 3])
@pytest.mark.parametrize("num_removed", [1, 7, 18])
def test_rounds_remove_what_one_by_one_removal_does(num_objectives, num_removed):
    for seed in range(4):
        losses, front = front_of(num_objectives, seed)
        stays = np.array(compiled()(losses, front, num_removed))
        assert np.flatnonzero(stays).tolist() == slow_truncation(losses, np.flatnonzero(front), num_removed)


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_exactly_as_many_are_removed_as_asked_even_of_copies_and_grids(num_objectives):
    small = np.random.default_rng(0).integers(0, 3, (NUM_ROWS, num_objectives)).astype(np.float32)
    small_front = np.array(non_dominated_rank(small, jnp.ones(NUM_ROWS, bool))) == 0
    first, second = np.divmod(np.arange(NUM_ROWS), 7)  # a line for two objectives, a plane for three
    even = {1: [0 * first], 2: [np.arange(NUM_ROWS), -np.arange(NUM_ROWS)], 3: [first, second, -first - second]}
    grid = np.stack(even[num_objectives], axis=1).astype(np.float32)
    for losses, front in ((small, small_front), (grid, np.ones(NUM_ROWS, bool))):
        for num_removed in (0, 1, front.sum() - 1, front.sum(), front.sum() + 5):
            stays = np.array(compiled()(losses, front, num_removed))
            assert stays.sum() == max(front.sum() - num_removed, 0) and not (stays & ~front).any()


@pytest.mark.parametrize("num_objectives", [2, 3])
def test_copies_go_first_and_ends_last(num_objectives):
    losses, front = front_of(num_objectives, 9)
    members = np.flatnonzero(front)
    losses[members[-3:]] = losses[members[:3]]
    stays = np.array(compiled()(losses, front, 3))
    assert not stays[members[-3:]].any() and stays[members[:-3]].all()
    stays = np.array(compiled()(losses, front, len(members) - 2 * num_objectives))
    for objective in range(num_objectives):
        assert losses[stays, objective].min() == losses[front, objective].min()
        assert losses[stays, objective].max() == losses[front, objective].max()


@pytest.mark.parametrize("num_objectives", [2, 3])
def test_losses_at_the_limit_of_float32_are_no_trouble(num_objectives):
    losses, front = front_of(num_objectives, 2)
    losses[np.flatnonzero(front)[:2], :2] = [[-3e38, 3e38], [3e38, -3e38]]
    assert np.array(compiled()(losses, front, 9)).sum() == front.sum() - 9


def test_wrong_shapes_are_refused_with_the_fix():
    with pytest.raises(ValueError, match=r"losses\[:, None\]"):
        truncate_front(jnp.zeros(4), jnp.ones(4, bool), 1)
