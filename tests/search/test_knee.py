"""The knee of a front."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import knee_point

find = jax.jit(knee_point)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1000.0, 0.01)])
def test_the_knee_of_a_bent_front_is_its_corner_whatever_the_units(scale):
    """On f1 = (1 - sqrt(f0))^2 the sum of both is smallest at 1/4."""
    f0 = np.linspace(0, 1, 21)
    front = np.stack([f0, (1 - np.sqrt(f0)) ** 2], axis=1) * scale + 7.0
    found = find(front.astype(np.float32), np.ones(21, bool))
    assert found.exists and f0[found.row] == 0.25


def test_dominated_infeasible_failed_and_padded_rows_are_never_the_knee_nor_move_it():
    front = [[0.0, 10.0], [2.0, 3.0], [10.0, 0.0]]
    others = [[-50.0, -50.0], [-90.0, 0.5], [np.nan, 0.0], [-np.inf, 0.0], [2.0, 99.0]]  # limit, padding, failed, bad
    losses = np.float32(others + front)
    valid, violations = np.arange(8) != 1, np.float32([1, 0, 0, 0, 0, 0, 0, -1])
    for order in (np.arange(8), np.arange(8)[::-1]):
        assert order[find(losses[order], valid[order], violations[order]).row] == 6


def test_small_fronts_have_a_defined_knee():
    losses = np.float32([[3.0, 1.0], [1.0, 3.0], [4.0, 4.0]])
    assert find(losses, np.array([True, False, True])).row == 0  # the only one
    assert find(losses, np.ones(3, bool)).row == 1  # both ends: the smaller first objective
    assert find(losses[::-1], np.ones(3, bool)).row == 1
    assert find(losses[:, :1], np.ones(3, bool)).row == 1  # one objective: the best row
    assert find(np.ones((3, 2), np.float32), np.array([False, True, True])).row == 1  # copies: the first


def test_of_three_objectives_the_balanced_row_wins():
    losses = np.float32([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0.3, 0.3, 0.3], [0.1, 0.9, 0.6]])
    assert find(losses, np.ones(5, bool)).row == 3


def test_without_a_feasible_row_there_is_no_knee():
    losses = jnp.ones((2, 2))
    assert not find(losses, jnp.zeros(2, bool)).exists
    found = find(losses, jnp.ones(2, bool), jnp.ones(2))
    assert not found.exists and found.row == 0


def test_wrong_shapes_are_refused_with_the_fix():
    with pytest.raises(ValueError, match=r"losses\[:, None\]"):
        knee_point(jnp.zeros(4), jnp.ones(4, bool))
