"""What is particular to the evolution strategy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import DiscreteSpace, crowding_distance, evolution, non_dominated_rank
from metagen_jax.search.evolution import mutate

SPACE = DiscreteSpace((7, 7, 5, 1, 2), (True, True, False, True, False))


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
    return jnp.array(np.stack(np.unravel_index(index, SPACE.num_choices), axis=1), jnp.int32)


def test_survivors_of_one_objective_are_the_best_of_all_told():
    strategy, genotypes = build(1), different_genotypes(24)
    losses = jax.random.normal(jax.random.key(4), (24, 1))
    state = strategy.init(jax.random.key(3))
    for start in (0, 8, 16):
        batch = slice(start, start + 8)
        state = strategy.tell(state, genotypes[batch], losses[batch], jnp.zeros(8))
    best = jnp.argsort(losses[:, 0])[: len(state.valid)]
    assert state.valid.all()
    assert (state.parents == genotypes[best]).all() and (state.losses == losses[best]).all()


def test_survivors_of_two_objectives_are_whole_fronts_then_the_lonely():
    strategy = build(2)
    losses = jax.random.normal(jax.random.key(6), (24, 2))
    state = strategy.tell(strategy.init(jax.random.key(7)), different_genotypes(24), losses, jnp.zeros(24))
    num = len(state.valid)
    rank = np.array(non_dominated_rank(losses, jnp.ones(24, bool)))
    last = np.sort(rank)[num - 1]  # the front that is cut
    assert (rank <= last).sum() > num  # so that there is something to cut
    crowding = np.array(crowding_distance(losses, jnp.array(rank == last)))
    by_hand = sorted(range(24), key=lambda row: (rank[row], -crowding[row] if rank[row] == last else 0.0))[:num]
    assert {tuple(row) for row in np.array(state.losses)} == {tuple(np.array(losses)[row]) for row in by_hand}


def test_a_feasible_candidate_leads_however_good_infeasible_losses_are():
    strategy, genotypes = build(1), different_genotypes(8)
    violations = jnp.ones(8).at[7].set(0.0)
    state = strategy.tell(strategy.init(jax.random.key(8)), genotypes, jnp.arange(8.0)[:, None], violations)
    assert (state.parents[0] == genotypes[7]).all()


def test_without_a_feasible_candidate_the_least_violating_leads_even_without_a_loss():
    strategy, genotypes = build(1), different_genotypes(8)
    no_losses = jnp.full((8, 1), jnp.nan)
    state = strategy.tell(strategy.init(jax.random.key(8)), genotypes, no_losses, jnp.arange(8.0) + 1)
    assert (state.parents[0] == genotypes[0]).all()


def test_a_genotype_told_twice_survives_once_with_its_better_loss():
    strategy, genotypes = build(1), jnp.tile(different_genotypes(1), (8, 1))
    losses = jnp.array([2.0, jnp.nan, 1.0, 3.0, jnp.inf, 5.0, 4.0, 3.0])[:, None]
    state = strategy.tell(strategy.init(jax.random.key(10)), genotypes, losses, jnp.zeros(8))
    state = strategy.tell(state, genotypes, losses + 1, jnp.zeros(8))
    assert state.valid.sum() == 1 and float(state.losses[0, 0]) == 1.0


def test_children_of_one_parent_differ_from_it_and_from_one_another():
    strategy, genotypes = build(1), different_genotypes(8)
    violations = jnp.full(8, jnp.nan).at[2].set(0.0)  # all others are unusable
    state = strategy.tell(strategy.init(jax.random.key(11)), genotypes, jnp.zeros((8, 1)), violations)
    children, _ = strategy.ask(jax.random.key(12), state)
    num_changed = (children != genotypes[2:3]).sum(axis=1)
    assert num_changed.min() == 1 and num_changed.mean() < 2.5
    assert len({tuple(map(int, child)) for child in children}) == 8
