"""What is particular to the evolution strategy."""

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
    assert (mutants != parents).all(axis=1).sum() == 0 and (mutants[:, 3] == 0).all()


def test_ordered_dimensions_take_mostly_small_steps_and_unordered_ones_any(parents_and_mutants):
    parents, mutants = parents_and_mutants
    centre = (parents[:, 0] == 3) & (mutants[:, 0] != 3)
    steps = np.bincount(mutants[centre, 0], minlength=7)
    assert steps[2] > steps[1] > 0 and steps[4] > steps[5] > 0
    assert 0.8 < (steps[:3].sum() + 1) / (steps[4:].sum() + 1) < 1.25  # up and down alike
    zero = (parents[:, 2] == 0) & (mutants[:, 2] != 0)
    jumps = np.bincount(mutants[zero, 2], minlength=5)[1:]
    assert jumps.min() > 0.6 * jumps.max()  # about 60 of each expected


def test_survivors_of_one_objective_are_the_best_of_all_told():
    strategy = evolution(SPACE, population_size=16, num_objectives=1, capacity=64)
    genotypes, state = strategy.ask(jax.random.key(2), strategy.init(jax.random.key(3)))
    losses = jax.random.normal(jax.random.key(4), (16, 1))
    state = strategy.tell(state, genotypes[:7], losses[:7], jnp.zeros(7))
    state = strategy.tell(state, genotypes[7:], losses[7:], jnp.zeros(9))
    best = jnp.argsort(losses[:, 0])[: len(state.valid)]
    assert state.valid.all()
    assert (state.parents == genotypes[best]).all() and (state.losses == losses[best]).all()


def test_survivors_of_two_objectives_are_whole_fronts_then_the_lonely():
    strategy = evolution(SPACE, population_size=8, num_objectives=2, capacity=64)
    genotypes, _ = evolution(SPACE, population_size=24, num_objectives=2, capacity=64).ask(
        jax.random.key(5), strategy.init(jax.random.key(5))._replace(seen=strategy.init(jax.random.key(5)).seen)
    )
    losses, real = jax.random.normal(jax.random.key(6), (24, 2)), jnp.ones(24, bool)
    state = strategy.tell(strategy.init(jax.random.key(7)), genotypes, losses, jnp.zeros(24))
    rank = np.array(non_dominated_rank(losses, real))
    last = np.sort(rank)[7]  # the front that is cut
    assert (rank <= last).sum() > 8  # so that there is something to cut
    crowding = np.array(crowding_distance(losses, jnp.array(rank == last)))
    by_hand = sorted(range(24), key=lambda row: (rank[row], -crowding[row] if rank[row] == last else 0.0))[:8]
    assert {tuple(row) for row in np.array(state.losses)} == {tuple(np.array(losses)[row]) for row in by_hand}


def test_a_feasible_candidate_leads_however_good_infeasible_losses_are():
    strategy = evolution(SPACE, population_size=8, num_objectives=1, capacity=64)
    genotypes, state = strategy.ask(jax.random.key(8), strategy.init(jax.random.key(9)))
    losses = jnp.arange(8.0)[:, None]
    violations = jnp.ones(8).at[7].set(0.0)
    state = strategy.tell(state, genotypes, losses, violations)
    assert (state.parents[0] == genotypes[7]).all()


def test_without_a_feasible_candidate_the_least_violating_leads_even_without_a_loss():
    strategy = evolution(SPACE, population_size=8, num_objectives=1, capacity=64)
    genotypes, state = strategy.ask(jax.random.key(8), strategy.init(jax.random.key(9)))
    violations = jnp.arange(8.0) + 1
    state = strategy.tell(state, genotypes, jnp.full((8, 1), jnp.nan), violations)
    assert (state.parents[0] == genotypes[0]).all()


def test_a_genotype_told_twice_survives_once_with_its_better_loss():
    strategy = evolution(SPACE, population_size=8, num_objectives=1, capacity=64)
    genotype = jnp.ones((1, 5), jnp.int32).at[0, 3].set(0)
    state = strategy.init(jax.random.key(10))
    for loss in (2.0, jnp.nan, 1.0, 3.0):
        state = strategy.tell(state, genotype, jnp.full((1, 1), loss), jnp.zeros(1))
    assert state.valid.sum() == 1 and float(state.losses[0, 0]) == 1.0
