"""What is particular to NSGA-II and its operators."""

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
    crowding_distance,
    discrete_space,
    hypervolume,
    non_dominated_rank,
    nsga2,
)
from metagen_jax.search.variation import mutate_one_dimension, polynomial_mutation, simulated_binary_crossover

BOX = Space((Continuous(0.0, 1.0),) * 6)
MIXED = Space((Categorical(5), Integer(3, 40), Continuous(-2.0, 2.0), Continuous(1e-4, 1.0, log=True), Integer(1, 1)))
PARENTS = np.float32([[0, 10, -1.0, 1e-3, 1], [4, 20, 0.5, 1e-1, 1]])
NUM = 2000


@functools.cache
def crossed(rate=1.0):
    first, second = (jnp.tile(parent[None], (NUM, 1)) for parent in PARENTS)
    cross = jax.jit(lambda key: simulated_binary_crossover(key, MIXED, first, second, rate=rate, eta=5.0))
    return np.stack(cross(jax.random.key(0)))


@functools.cache
def mutated(start=(2, 20, 0.5, 1e-2, 1)):
    genotypes = jnp.tile(jnp.float32(start)[None], (NUM, 1))
    once = jax.jit(lambda key: mutate_one_dimension(key, MIXED, genotypes, eta=20.0))
    often = jax.jit(lambda key: polynomial_mutation(key, MIXED, genotypes, rate=4.0, eta=20.0))
    return np.array(genotypes), np.array(once(jax.random.key(1))), np.array(often(jax.random.key(2)))


def test_children_of_a_cross_lie_around_the_middle_of_their_parents_on_the_scale_of_the_range():
    children = crossed()
    log_middle = np.log(PARENTS[:, 3]).mean()
    for dimension, scaled, middle in (
        (1, children[..., 1], 15.0),
        (2, children[..., 2], -0.25),
        (3, np.log(children[..., 3]), log_middle),
    ):
        parents = PARENTS[:, dimension]
        uncrossed = np.isclose(children[0, :, dimension], parents[0]) & np.isclose(
            children[1, :, dimension], parents[1]
        )
        assert 0.4 < uncrossed.mean() < 0.7  # half of the dimensions, and integers often round back
        moved = scaled[:, ~uncrossed]
        np.testing.assert_allclose(np.median(moved.sum(axis=0) / 2), middle, atol=0.05 * abs(middle) + 1e-3)
        assert moved.std() > 0.1 * abs(middle)


def test_categorical_values_of_a_couple_are_exchanged_or_kept():
    first, second = crossed()[..., 0]
    assert (first + second == 4).all() and set(first) == {0, 4} and 0.1 < (first == 4).mean() < 0.4


def test_an_uncrossed_couple_and_what_parents_agree_on_stay_bit_for_bit():
    assert (crossed(0.0) == PARENTS[:, None]).all()
    same = jnp.tile(jnp.array(PARENTS[:1]), (9, 1))
    children = simulated_binary_crossover(jax.random.key(3), MIXED, same, same, rate=1.0, eta=5.0)
    assert (np.stack(children) == PARENTS[0]).all()


@pytest.mark.parametrize("start", [(2, 20, 0.5, 1e-2, 1), (0, 3, -2.0, 1e-4, 1), (4, 40, 2.0, 1.0, 1)])
def test_one_dimension_changes_also_at_the_ends_and_never_a_fixed_one(start):
    genotypes, once, _ = mutated(start)
    changed = once != genotypes
    assert (changed.sum(axis=1) == 1).mean() > 0.995  # a real number may move by less than it can tell apart
    np.testing.assert_allclose(changed.mean(axis=0), [0.25, 0.25, 0.25, 0.25, 0.0], atol=0.05)


def test_mutants_stay_in_range_and_take_small_steps_both_ways():
    genotypes, _, often = mutated()
    low, high = np.float32([0, 3, -2, 1e-4, 1]), np.float32([4, 40, 2, 1, 1])
    assert (often >= low).all() and (often <= high).all()
    for column, size in ((1, 37), (2, 4.0)):
        step = often[:, column] - genotypes[:, column]
        assert 0.4 < (step > 0).mean() < 0.6 and 0.4 < (step < 0).mean() < 0.6
        assert 0.02 < np.abs(step).mean() / size < 0.08  # 1 / (eta + 2) = 0.045
    assert (often[:, 0] != 2).all() and np.bincount(often[:, 0].astype(int), minlength=5)[[0, 1, 3, 4]].min() > NUM / 6
    assert (often[:, 1] == np.round(often[:, 1])).all()


def test_steps_near_the_end_of_a_range_keep_their_relative_precision():
    near = jnp.full((1000, 1), 1e-9)
    mutants = np.array(polynomial_mutation(jax.random.key(4), Space((Continuous(0.0, 1.0),)), near, rate=1.0, eta=20.0))
    below = mutants[mutants < 1e-9]
    assert len(below) > 400 and len(np.unique(below)) > 300


@functools.cache
def build(num_objectives, space=BOX, population_size=12):
    strategy = nsga2(space, population_size=population_size, num_objectives=num_objectives, capacity=400)
    return strategy._replace(ask=jax.jit(strategy.ask), tell=jax.jit(strategy.tell))


def test_the_first_population_has_one_genotype_in_each_stratum_and_a_second_ask_differs():
    strategy = build(2)
    state = strategy.init(jax.random.key(0))
    batches = [np.array(strategy.ask(jax.random.key(seed), state)[0]) for seed in (1, 2)]
    for batch in batches:
        assert (np.sort(np.floor(batch * 12), axis=0) == np.arange(12)[:, None]).all()
    assert (batches[0] != batches[1]).all()


@pytest.mark.parametrize("num_objectives", [2, 3])
def test_survivors_are_whole_fronts_then_a_part_of_the_next_one_with_its_ends(num_objectives):
    strategy, rng = build(num_objectives), np.random.default_rng(num_objectives)
    losses = rng.normal(size=(30, num_objectives)).astype(np.float32)
    state = strategy.init(jax.random.key(0))
    genotypes = rng.random((30, 6)).astype(np.float32)
    for part in (slice(0, 30), slice(5, 9)):  # the second time they are copies
        state = strategy.tell(state, genotypes[part], losses[part], np.zeros(30, np.float32)[part])
    rank = np.array(jax.jit(non_dominated_rank)(losses, np.ones(30, bool)))
    last = np.sort(rank)[11]
    assert (rank <= last).sum() > 12  # so that there is something to cut
    survivors = {tuple(row) for row in np.array(state.losses)}
    assert len(survivors) == 12
    assert {tuple(row) for row in losses[rank < last]} <= survivors <= {tuple(row) for row in losses[rank <= last]}
    if num_objectives == 2 and 12 - (rank < last).sum() >= 2:
        assert {tuple(losses[rank == last][losses[rank == last, m].argmin()]) for m in range(2)} <= survivors


def test_survivors_are_sorted_by_rank_and_then_by_crowding():
    strategy, rng = build(2), np.random.default_rng(8)
    losses, genotypes = rng.normal(size=(30, 2)).astype(np.float32), rng.random((30, 6)).astype(np.float32)
    state = strategy.tell(strategy.init(jax.random.key(0)), genotypes, losses, np.zeros(30, np.float32))
    rank = np.array(jax.jit(non_dominated_rank)(state.losses, state.valid))
    assert (np.diff(rank) >= 0).all()
    for front in range(rank.max() + 1):
        crowding = np.array(jax.jit(crowding_distance)(state.losses, rank == front))[rank == front]
        assert (crowding[1:] <= crowding[:-1]).all()


def test_a_genotype_told_twice_survives_once_with_its_better_result():
    strategy, genotypes = build(2), np.full((4, 6), 0.25, np.float32)
    losses = np.float32([[2, 2], [np.nan, 0], [1, 2], [3, 3]])
    state = strategy.tell(strategy.init(jax.random.key(0)), genotypes, losses, np.zeros(4, np.float32))
    state = strategy.tell(state, genotypes, losses + 1, np.zeros(4, np.float32))
    assert state.valid.sum() == 1 and state.losses[0].tolist() == [1.0, 2.0]


def test_a_feasible_candidate_leads_and_without_one_the_least_violating():
    strategy, genotypes = build(2), np.random.default_rng(1).random((8, 6)).astype(np.float32)
    losses = np.arange(16, dtype=np.float32).reshape(8, 2)
    for violations, leader in ((np.float32([1, 1, 1, 1, 1, 1, 1, 0]), 7), (np.arange(8, 0, -1, np.float32), 7)):
        state = strategy.tell(strategy.init(jax.random.key(8)), genotypes, losses, violations)
        assert (np.array(state.parents)[0] == genotypes[leader]).all()


def test_children_in_a_continuous_space_repeat_neither_survivors_nor_each_other():
    strategy = build(2)
    genotypes = np.tile(np.float32([[0.0, 1.0, 0.5, 0.0, 0.0, 0.0]]), (12, 1))
    genotypes[:, 0] = np.float32([0.0, 1.0] * 6)  # two different ones, at the ends of ranges
    losses = np.stack([genotypes[:, 0], 1 - genotypes[:, 0]], axis=1)
    state = strategy.tell(strategy.init(jax.random.key(0)), genotypes, losses, np.zeros(12, np.float32))
    for seed in range(5):
        children = np.array(strategy.ask(jax.random.key(seed), state)[0])
        assert len({tuple(row) for row in np.vstack([children, genotypes[:2]])}) == 14


def run_to_hypervolumes(strategy, losses_of, reference, population_size, generations, num_seeds):
    """Hypervolume of the survivors at the end of each seed."""

    def generation(state, key):
        genotypes, state = strategy.ask(key, state)
        return strategy.tell(state, genotypes, losses_of(genotypes), jnp.zeros(population_size)), None

    def one(key):
        keys = jax.random.split(key, generations + 1)
        state = jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])[0]
        return hypervolume(state.losses, state.valid, reference)

    return np.array(jax.jit(lambda keys: jax.lax.map(one, keys))(jax.random.split(jax.random.key(0), num_seeds)))


def zdt1(x):
    g = 1.0 + 9.0 * x[:, 1:].mean(axis=1)
    return jnp.stack([x[:, 0], g * (1.0 - jnp.sqrt(x[:, 0] / g))], axis=1)


def test_zdt1_in_full_size_beats_the_published_reference():
    strategy = nsga2(Space((Continuous(0.0, 1.0),) * 30), population_size=100, num_objectives=2, capacity=25_000)
    volumes = run_to_hypervolumes(strategy, zdt1, jnp.full(2, 1.1), 100, 250, 3)
    assert (volumes > 0.8698).all() and (volumes < 1.21 - 1 / 3).all()  # pymoo 0.6.2's median, and the true front


def test_small_populations_find_the_front_of_a_discrete_space():
    space = discrete_space((12,) * 6, (True,) * 6)

    def losses_of(genotypes):
        return jnp.stack([((genotypes - centre) ** 2).mean(axis=1) for centre in (2.0, 9.0)], axis=1)

    strategy = nsga2(space, population_size=8, num_objectives=2, capacity=200)
    volumes = run_to_hypervolumes(strategy, losses_of, jnp.full(2, 60.0), 8, 20, 5)
    front = jnp.stack(
        [jnp.arange(8.0) ** 2, jnp.arange(8.0)[::-1] ** 2], axis=1
    )  # all genes alike: the true front's spine
    best = float(hypervolume(front, jnp.ones(8, bool), jnp.full(2, 60.0)))
    assert volumes.mean() > 0.85 * best


def test_settings_out_of_range_are_refused_with_the_fix():
    for name, value in (
        ("crossover_rate", 1.5),
        ("crossover_eta", -1.0),
        ("mutation_rate", -0.1),
        ("mutation_eta", -2.0),
    ):
        with pytest.raises(ValueError, match=rf"{name} must be .*{value}"):
            nsga2(BOX, population_size=4, num_objectives=2, capacity=8, **{name: value})
