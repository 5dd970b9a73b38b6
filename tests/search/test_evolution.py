"""What is particular to the evolution strategy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import crowding_distance, discrete_space, evolution, non_dominated_rank
from metagen_jax.search.variation import mutate

SPACE = discrete_space((7, 7, 5, 1, 2), (True, True, False, True, False))


@pytest.fixture(scope="module")
def parents_and_mutants():
    parents = jax.random.randint(jax.random.key(0), (4000, 5), 0, jnp.array(SPACE.num_choices)[None])
    return np.array(parents), np.array(jax.jit(lambda key: mutate(key, SPACE, parents))(jax.random.key(1)))


def test_a_mutant_stays_in_the_space_and_always_differs(parents_and_mutants):
    parents, mutants = parents_and_mutants
    assert (mutants >= 0).all() and (mutants < np.array(SPACE.num_choices)).all()
    assert (mutants != parents).any(axis=1).all()
    assert (mutants[:, 3] == 0).all()


def test_ordered_dimensions_take_mostly_small_steps_and_unordered_ones_any(parents_and_mutants):
    parents, mutants = parents_and_mutants
    centre = (parents[:, 0] == 3) & (mutants[:, 0] != 3)
    steps = np.bincount(mutants[centre, 0], minlength=7)
    assert steps[2] > steps[1] > 0 and steps[4] > steps[5] > 0
    assert 0.8 < (steps[:3].sum() + 1) / (steps[4:].sum() + 1) < 1.25  # up and down alike
    zero = (parents[:, 2] == 0) & (mutants[:, 2] != 0)
    jumps = np.bincount(mutants[zero, 2], minlength=5)[1:]
    assert jumps.min() > 0.6 * jumps.max()  # about 60 of each expected


@functools.cache
def build(num_objectives):
    strategy = evolution(SPACE, population_size=8, num_objectives=num_objectives, capacity=64)
    return strategy._replace(ask=jax.jit(strategy.ask), tell=jax.jit(strategy.tell))


def different_genotypes(num):
    """`(num, 5)`, all different."""
    index = np.random.default_rng(0).permutation(490)[:num]
    return np.stack(np.unravel_index(index, SPACE.num_choices), axis=1).astype(np.int32)


def test_survivors_of_one_objective_are_the_best_of_all_told():
    strategy, genotypes = build(1), different_genotypes(24)
    losses = np.random.default_rng(4).normal(size=(24, 1)).astype(np.float32)
    state = strategy.init(jax.random.key(3))
    for start in (0, 8, 16):
        batch = slice(start, start + 8)
        state = strategy.tell(state, genotypes[batch], losses[batch], np.zeros(8, np.float32))
    best = np.argsort(losses[:, 0])[: len(state.valid)]
    assert np.array(state.valid).all()
    assert (np.array(state.parents) == genotypes[best]).all() and (np.array(state.losses) == losses[best]).all()


def test_survivors_of_two_objectives_are_whole_fronts_then_the_lonely():
    strategy = build(2)
    along, off = np.random.default_rng(6).normal(size=(2, 24)).astype(np.float32)
    losses = np.stack([along + off / 4, -along + off / 4], axis=1)  # objectives that conflict make wide fronts
    state = strategy.tell(strategy.init(jax.random.key(7)), different_genotypes(24), losses, np.zeros(24, np.float32))
    num = len(state.valid)
    rank = np.array(jax.jit(non_dominated_rank)(losses, np.ones(24, bool)))
    last = np.sort(rank)[num - 1]  # the front that is cut
    assert (rank <= last).sum() > num  # so that there is something to cut
    crowding = np.array(jax.jit(crowding_distance)(losses, rank == last))
    by_hand = sorted(range(24), key=lambda row: (rank[row], -crowding[row] if rank[row] == last else 0.0))[:num]
    assert {tuple(row) for row in np.array(state.losses)} == {tuple(losses[row]) for row in by_hand}


def test_a_feasible_candidate_leads_however_good_infeasible_losses_are():
    strategy, genotypes = build(1), different_genotypes(8)
    violations = np.float32([1, 1, 1, 1, 1, 1, 1, 0])
    state = strategy.tell(
        strategy.init(jax.random.key(8)), genotypes, np.arange(8, dtype=np.float32)[:, None], violations
    )
    assert (np.array(state.parents)[0] == genotypes[7]).all()


def test_without_a_feasible_candidate_the_least_violating_leads_even_without_a_loss():
    strategy, genotypes = build(1), different_genotypes(8)
    no_losses = np.full((8, 1), np.nan, np.float32)
    state = strategy.tell(strategy.init(jax.random.key(8)), genotypes, no_losses, np.arange(1, 9, dtype=np.float32))
    assert (np.array(state.parents)[0] == genotypes[0]).all()


def test_a_genotype_told_twice_survives_once_with_its_better_loss():
    strategy, genotypes = build(1), np.tile(different_genotypes(1), (8, 1))
    losses = np.float32([2.0, np.nan, 1.0, 3.0, np.inf, 5.0, 4.0, 3.0])[:, None]
    state = strategy.tell(strategy.init(jax.random.key(10)), genotypes, losses, np.zeros(8, np.float32))
    state = strategy.tell(state, genotypes, losses + 1, np.zeros(8, np.float32))
    assert np.array(state.valid).sum() == 1 and np.array(state.losses)[0, 0] == 1.0


def test_children_of_one_parent_differ_from_it_and_from_one_another():
    strategy, genotypes = build(1), different_genotypes(8)
    violations = np.float32([np.nan, np.nan, 0, np.nan, np.nan, np.nan, np.nan, np.nan])  # one usable
    state = strategy.tell(strategy.init(jax.random.key(11)), genotypes, np.zeros((8, 1), np.float32), violations)
    children, _ = strategy.ask(jax.random.key(12), state)
    children = np.array(children)
    num_changed = (children != genotypes[2:3]).sum(axis=1)
    assert num_changed.min() == 1 and num_changed.mean() < 2.5
    assert len({tuple(map(int, child)) for child in children}) == 8
