"""Pareto tools against slow definitions in plain numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import (
    constrained_domination,
    crowding_distance,
    crowding_distance_by_front,
    hypervolume_2d,
    non_dominated_rank,
    pareto_mask,
)

NUM_ROWS = 14


def batches(num_objectives, num=30):
    """Small integers, so that ties and copies are common; a few rows are padding, failed or infeasible."""
    rng = np.random.default_rng(num_objectives)
    losses = rng.integers(0, 6, (num, NUM_ROWS, num_objectives)).astype(np.float32)
    losses[rng.random(losses.shape) < 0.03] = np.nan
    losses[rng.random(losses.shape) < 0.02] = -np.inf
    valid = rng.random((num, NUM_ROWS)) < 0.85
    violations = np.maximum(rng.integers(-6, 4, (num, NUM_ROWS)), -1).astype(np.float32)
    return losses, valid, violations


def slow_dominates(a, b, violation_a, violation_b):
    if violation_a <= 0 and violation_b <= 0:
        return bool((a <= b).all() and (a < b).any())
    return max(violation_a, 0) < max(violation_b, 0)


def slow_ranks(losses, valid, violations):
    usable = [i for i in range(NUM_ROWS) if valid[i] and (violations[i] > 0 or np.isfinite(losses[i]).all())]
    ranks, front, left = np.full(NUM_ROWS, NUM_ROWS), 0, set(usable)
    while left:
        on_front = {
            j for j in left if not any(slow_dominates(losses[i], losses[j], violations[i], violations[j]) for i in left)
        }
        ranks[list(on_front)] = front
        front, left = front + 1, left - on_front
    return ranks


def slow_crowding(losses, members):
    """Members of one front; a copy of an earlier member gets 0."""
    distance = np.zeros(len(losses))
    unique = [i for i in members if not any((losses[i] == losses[j]).all() for j in members if j < i)]
    num_objectives = losses.shape[1]
    for objective in range(num_objectives):
        ties = [(objective + shift) % num_objectives for shift in range(num_objectives)]
        line = sorted(unique, key=lambda i, ties=ties: tuple(losses[i, ties]))
        span = losses[line[-1], objective] - losses[line[0], objective] or 1.0
        for position, i in enumerate(line):
            at_end = position in (0, len(line) - 1)
            gap = np.inf if at_end else losses[line[position + 1], objective] - losses[line[position - 1], objective]
            distance[i] += gap / span
    return distance


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_ranks_and_front_agree_with_their_definition(num_objectives):
    losses, valid, violations = batches(num_objectives)
    ranks = np.array(jax.jit(jax.vmap(non_dominated_rank))(losses, valid, violations))
    fronts = np.array(jax.jit(jax.vmap(pareto_mask))(losses, valid, violations))
    for case in range(len(losses)):
        slow = slow_ranks(losses[case], valid[case], violations[case])
        np.testing.assert_array_equal(ranks[case], slow)
        np.testing.assert_array_equal(fronts[case], (slow == 0) & (violations[case] <= 0))
    assert len(np.unique(ranks)) > 3  # several fronts, so that the rest is not vacuous


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_crowding_agrees_with_its_definition_in_every_front(num_objectives):
    losses, valid, _ = batches(num_objectives)
    ranks = np.array(jax.jit(jax.vmap(non_dominated_rank))(losses, valid))
    distances = np.array(jax.jit(jax.vmap(crowding_distance_by_front))(losses, ranks))
    first_only = np.array(jax.jit(jax.vmap(crowding_distance))(losses, ranks == 0))
    for case in range(len(losses)):
        for front in range(NUM_ROWS):
            members = np.flatnonzero(ranks[case] == front)
            if len(members):
                slow = slow_crowding(losses[case], members)
                np.testing.assert_allclose(distances[case][members], slow[members], rtol=1e-6)
                if front == 0:
                    np.testing.assert_allclose(first_only[case], slow, rtol=1e-6)
        assert (distances[case][ranks[case] == NUM_ROWS] == 0).all()


def test_domination_is_irreflexive_antisymmetric_and_transitive():
    losses, valid, violations = batches(2)
    matrices = np.array(jax.jit(jax.vmap(constrained_domination))(losses, valid, violations))
    for matrix in matrices:
        assert not (matrix & matrix.T).any()  # the diagonal included
        assert not (((matrix.astype(int) @ matrix) > 0) & ~matrix).any()


def test_front_ignores_order_padding_and_dominated_points():
    rng = np.random.default_rng(0)
    losses, order, real = rng.random((32, 3), np.float32), rng.permutation(32), np.ones(36, bool)
    dominated = np.vstack([losses, np.tile(losses.max(axis=0) + 1, (4, 1))])
    front_of = jax.jit(pareto_mask)
    front = np.array(front_of(dominated, real))
    assert front.any() and not front[:32].all() and not front[32:].any()
    shuffled = np.append(order, np.arange(32, 36))
    assert (front_of(dominated[shuffled], real) == front[shuffled]).all()
    padded = np.vstack([losses, np.full((4, 3), -1.0, np.float32)])
    assert (front_of(padded, np.arange(36) < 32) == front).all()


def test_crowding_does_not_depend_on_the_order_of_rows_or_the_scale_of_objectives():
    rng = np.random.default_rng(0)
    losses, order, real = rng.random((16, 3), np.float32), rng.permutation(16), np.ones(16, bool)
    measure = jax.jit(crowding_distance)
    distance = np.array(measure(losses, real))
    np.testing.assert_allclose(measure(losses[order], real), distance[order])
    np.testing.assert_allclose(measure(losses * np.float32([[8.0, 1.0, 0.25]]), real), distance, rtol=1e-6)


def test_hypervolume_counts_the_dominated_cells_of_a_grid():
    losses, valid, violations = batches(2)
    reference = jnp.array([5.0, 4.0])
    tool = jax.jit(jax.vmap(lambda *batch: hypervolume_2d(*batch[:2], reference, batch[2])))
    measured = np.array(tool(losses, valid, violations))
    corners = np.stack(np.meshgrid(np.arange(5), np.arange(4)), axis=-1).reshape(
        -1, 2
    )  # unit cells below the reference
    for case in range(len(losses)):
        counted = valid[case] & np.isfinite(losses[case]).all(axis=1) & (violations[case] <= 0)
        covered = (losses[case][counted][:, None] <= corners[None]).all(axis=-1).any(axis=0)
        assert measured[case] == covered.sum()
    assert len(np.unique(measured)) > 5


def test_hypervolume_of_nothing_is_zero():
    losses, reference = jnp.array([[1.0, 1.0], [9.0, 0.0]]), jnp.array([3.0, 3.0])
    assert hypervolume_2d(losses, jnp.zeros(2, bool), reference) == 0
    assert hypervolume_2d(losses, jnp.array([False, True]), reference) == 0


def test_wrong_shapes_are_refused_with_the_fix():
    real = jnp.ones(4, bool)
    for tool in (
        pareto_mask,
        non_dominated_rank,
        crowding_distance,
        constrained_domination,
        crowding_distance_by_front,
    ):
        with pytest.raises(ValueError, match=r"losses\[:, None\]"):
            tool(jnp.zeros(4), real)
        with pytest.raises(ValueError, match=r"one entry a row: \(3,\)"):
            tool(jnp.zeros((3, 2)), real)
    with pytest.raises(ValueError, match=r"violations must be \(4,\)"):
        pareto_mask(jnp.zeros((4, 2)), real, jnp.zeros((4, 1)))
    with pytest.raises(ValueError, match="exactly 2 objectives"):
        hypervolume_2d(jnp.zeros((4, 3)), real, jnp.zeros(3))
    with pytest.raises(ValueError, match="reference_point must be"):
        hypervolume_2d(jnp.zeros((4, 2)), real, jnp.zeros(3))
