"""Pareto tools against slow definitions in plain numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import (
    best_first,
    constrained_domination,
    crowding_distance,
    crowding_distance_by_front,
    non_dominated_rank,
    pareto_mask,
)
from metagen_jax.search.pareto import SORT_FROM, is_usable, peel_fronts

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


@pytest.mark.parametrize("num_objectives", [1, 2])
def test_the_order_is_by_rank_then_loneliness_and_the_losses_of_infeasible_rows_do_not_matter(num_objectives):
    losses, valid, violations = batches(num_objectives)
    order = np.array(jax.jit(jax.vmap(best_first))(losses, valid, violations))
    other = np.where(violations[..., None] > 0, np.nan, losses)
    np.testing.assert_array_equal(order, jax.jit(jax.vmap(best_first))(other, valid, violations))
    for case in range(len(losses)):
        ranks = slow_ranks(losses[case], valid[case], violations[case])
        assert sorted(order[case]) == list(range(NUM_ROWS)) and (np.diff(ranks[order[case]]) >= 0).all()
        front = np.flatnonzero((ranks == 0) & (violations[case] <= 0))
        if len(front):
            crowding = slow_crowding(losses[case], front)[order[case][: len(front)]]
            assert (crowding[1:] <= crowding[:-1] + 1e-6).all()


def test_only_as_many_fronts_are_peeled_as_are_needed():
    losses, valid, violations = batches(2)
    whole = np.array(jax.jit(jax.vmap(non_dominated_rank))(losses, valid, violations))

    def peel(losses, valid, violations):
        usable = is_usable(losses, valid, violations)
        return peel_fronts(constrained_domination(losses, valid, violations), usable, 4)

    part = np.array(jax.jit(jax.vmap(peel))(losses, valid, violations))
    for all_ranks, ranks in zip(whole, part, strict=True):
        last = np.sort(all_ranks)[3]  # the front of the fourth best row
        np.testing.assert_array_equal(ranks, np.where(all_ranks <= last, all_ranks, NUM_ROWS))


@pytest.mark.parametrize("spread", [20, 1_000_000])
def test_the_front_of_a_large_batch_agrees_with_that_of_its_parts(spread):
    rng = np.random.default_rng(3)
    num = SORT_FROM + 100
    losses = rng.integers(-spread, spread, (num, 2)).astype(np.float32)
    losses[:200] = np.stack([np.arange(200), -np.arange(200)], axis=1) - spread  # a wide front, a copy of it behind
    losses[200:400] = losses[:200]
    losses[rng.integers(0, num, 9)] = [[np.nan, -np.inf]]
    valid, violations = rng.random(num) < 0.9, np.where(rng.random(num) < 0.1, 1.0, -1.0).astype(np.float32)
    front = np.array(jax.jit(pareto_mask)(losses, valid, violations))
    counted = np.flatnonzero(valid & np.isfinite(losses).all(axis=1) & (violations <= 0))
    a, b = losses[counted][:, None], losses[counted][None]
    dominated = ((a <= b).all(axis=-1) & (a < b).any(axis=-1)).any(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(front), counted[~dominated])
    assert 200 < front.sum() < 400


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


def test_the_first_rows_are_the_same_where_no_more_are_wanted():
    losses = jax.random.normal(jax.random.key(30), (40, 2)).at[3].set(jnp.nan)
    violations = jnp.where(jnp.arange(40) % 5 == 0, 1.0, 0.0)
    valid = jnp.arange(40) < 35
    everything = best_first(losses, valid, violations)
    assert sorted(everything.tolist()) == list(range(40))
    for num in (1, 7, 38):
        assert best_first(losses, valid, violations, num).tolist() == everything[:num].tolist()
