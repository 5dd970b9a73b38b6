"""What every registered strategy promises, whatever it does inside."""

import functools
import io

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import STRATEGIES, DiscreteSpace

NUM_CHOICES = (4, 5, 3, 6, 2)
POPULATION = 6
GENERATIONS = 3


def too_large(genotypes):
    """Feasible where the indices sum to at most 9: about three quarters of the space."""
    return genotypes.sum(axis=1).astype(jnp.float32) - 9.0


SPACE = DiscreteSpace(NUM_CHOICES, (True, False, True, True, False), too_large)
TINY = DiscreteSpace((2, 3, 4), (True, False, True), lambda g: g.sum(axis=1).astype(jnp.float32) - 3.0)
LARGE = DiscreteSpace((7,) * 8, (True, False) * 4, lambda g: 44.0 - g.sum(axis=1).astype(jnp.float32))  # 0.02 % feasible


@functools.cache
def build(name, num_objectives=1, population_size=POPULATION, space=SPACE, capacity=64):
    strategy = STRATEGIES[name](
        space, population_size=population_size, num_objectives=num_objectives, capacity=capacity
    )
    return strategy._replace(ask=jax.jit(strategy.ask), tell=jax.jit(strategy.tell))


def losses_of(genotypes, num_objectives):
    """Sums of squares around M different points, so that objectives conflict."""
    centres = jnp.arange(num_objectives, dtype=jnp.float32)[None, :, None]
    return ((genotypes[:, None] - centres) ** 2).sum(axis=-1)  # (N, M)


def generation(strategy, num_objectives, space=SPACE):
    def step(state, key):
        genotypes, state = strategy.ask(key, state)
        return strategy.tell(state, genotypes, losses_of(genotypes, num_objectives), space.violation(genotypes)), genotypes

    return step


@functools.cache
def jitted_run(name, num_objectives, space=SPACE, population_size=POPULATION, generations=GENERATIONS):
    strategy = build(name, num_objectives, population_size, space)

    def run(key):
        keys = jax.random.split(key, generations + 1)
        state = strategy.init(keys[0])
        return jax.lax.scan(generation(strategy, num_objectives, space), state, keys[1:])

    return jax.jit(run)


every_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))
every_number_of_objectives = pytest.mark.parametrize("num_objectives", [1, 2, 3])


@every_strategy
@every_number_of_objectives
def test_proposals_are_feasible_unseen_indices_into_the_choices(name, num_objectives):
    _, genotypes = jitted_run(name, num_objectives)(jax.random.key(0))
    assert genotypes.shape == (GENERATIONS, POPULATION, len(NUM_CHOICES)) and genotypes.dtype == jnp.int32
    rows = np.array(genotypes).reshape(-1, len(NUM_CHOICES))
    assert (rows >= 0).all() and (rows < np.array(NUM_CHOICES)[None]).all()
    assert (too_large(rows) <= 0).all()
    assert len({tuple(row) for row in rows}) == len(rows)


@every_strategy
@every_number_of_objectives
def test_same_key_gives_same_bits_and_other_keys_other_genotypes(name, num_objectives):
    run = jitted_run(name, num_objectives)
    first, again, other = run(jax.random.key(1)), run(jax.random.key(1)), run(jax.random.key(2))
    chex.assert_trees_all_equal(first, again)
    assert (first[1] != other[1]).any(axis=(1, 2)).all()  # in every generation


@every_strategy
@every_number_of_objectives
def test_scan_agrees_with_a_python_loop_that_traces_each_function_once(name, num_objectives):
    raw = STRATEGIES[name](SPACE, population_size=POPULATION, num_objectives=num_objectives, capacity=64)
    strategy = raw._replace(
        ask=jax.jit(chex.assert_max_traces(raw.ask, n=1)), tell=jax.jit(chex.assert_max_traces(raw.tell, n=1))
    )
    keys = jax.random.split(jax.random.key(3), GENERATIONS + 1)
    state, step, asked = strategy.init(keys[0]), generation(strategy, num_objectives), []
    for key in keys[1:]:
        state, genotypes = step(state, key)
        asked.append(genotypes)
    chex.assert_trees_all_equal((state, jnp.stack(asked)), jitted_run(name, num_objectives)(jax.random.key(3)))


@every_strategy
def test_jit_agrees_with_eager(name):
    strategy = STRATEGIES[name](SPACE, population_size=POPULATION, num_objectives=2, capacity=64)
    keys = jax.random.split(jax.random.key(4), GENERATIONS + 1)
    state = strategy.init(keys[0])
    for key in keys[1:]:
        state, _ = generation(strategy, 2)(state, key)
    chex.assert_trees_all_equal(state, jitted_run(name, 2)(jax.random.key(4))[0])


@every_strategy
def test_vmap_over_seeds_agrees_with_a_loop(name):
    run, keys = jitted_run(name, 2), jax.random.split(jax.random.key(5), 3)
    together = jax.vmap(run)(keys)
    for i, key in enumerate(keys):
        chex.assert_trees_all_equal(jax.tree.map(lambda leaf, i=i: leaf[i], together), run(key))


@every_strategy
@every_number_of_objectives
@pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
def test_failed_candidates_leave_no_trace_but_that_they_were_tried(name, num_objectives, failed):
    strategy = build(name, num_objectives)
    asked, state = strategy.ask(jax.random.key(7), strategy.init(jax.random.key(6)))
    losses, violations = losses_of(asked, num_objectives), jnp.zeros(POPULATION)
    with_failed = strategy.tell(state, asked, losses.at[::2, -1].set(failed), violations)
    without = strategy.tell(state, asked[1::2], losses[1::2], violations[1::2])
    chex.assert_trees_all_equal(strategy.ask(jax.random.key(8), with_failed), strategy.ask(jax.random.key(8), without))


@every_strategy
def test_a_generation_of_failures_does_not_stop_the_search(name):
    strategy = build(name, 2)
    state = strategy.init(jax.random.key(9))
    asked = []
    for key in jax.random.split(jax.random.key(10), 3):
        genotypes, state = strategy.ask(key, state)
        state = strategy.tell(state, genotypes, jnp.full((POPULATION, 2), jnp.nan), jnp.zeros(POPULATION))
        asked.extend(tuple(map(int, genotype)) for genotype in genotypes)
    assert len(set(asked)) == len(asked)


@every_strategy
@every_number_of_objectives
def test_losses_of_infeasible_candidates_do_not_matter(name, num_objectives):
    strategy = build(name, num_objectives)
    asked, state = strategy.ask(jax.random.key(7), strategy.init(jax.random.key(6)))
    losses, violations = losses_of(asked, num_objectives), jnp.tile(jnp.array([0.0, 1.0]), POPULATION // 2)
    tempting = strategy.tell(state, asked, jnp.where(violations[:, None] > 0, -1e9, losses), violations)
    hopeless = strategy.tell(state, asked, jnp.where(violations[:, None] > 0, 1e9, losses), violations)
    chex.assert_trees_all_equal(
        strategy.ask(jax.random.key(8), tempting)[0], strategy.ask(jax.random.key(8), hopeless)[0]
    )


@every_strategy
def test_nothing_is_repeated_while_unseen_genotypes_exist_and_feasible_ones_come_first(name):
    _, genotypes = jitted_run(name, 1, TINY, 5, 6)(jax.random.key(11))  # 30 proposals, 24 genotypes
    rows = np.array(genotypes).reshape(-1, 3)
    num_feasible = int((np.indices(TINY.num_choices).sum(axis=0) <= 3).sum())
    assert len({tuple(row) for row in rows[:24]}) == 24
    assert (rows[:num_feasible].sum(axis=1) <= 3).all()
    late = rows[num_feasible:24].sum(axis=1)
    assert late.min() > 3


@every_strategy
def test_a_population_larger_than_the_space_holds_all_of_it(name):
    strategy = build(name, 1, 8, DiscreteSpace((3, 1), (True, False)))
    state = strategy.init(jax.random.key(12))
    for key in jax.random.split(jax.random.key(13), 2):
        genotypes, state = strategy.ask(key, state)
        state = strategy.tell(state, genotypes, losses_of(genotypes, 1), jnp.zeros(8))
        assert genotypes.shape == (8, 2)
        assert set(map(tuple, np.array(genotypes).tolist())) <= {(0, 0), (1, 0), (2, 0)}
        seen_first = set(map(tuple, np.array(genotypes).tolist()))
        assert len(seen_first) == 3 or state is not None
    assert int(getattr(state, "seen", state).count) == 3


@every_strategy
def test_population_of_one_never_repeats(name):
    _, genotypes = jitted_run(name, 1, SPACE, 1, 24)(jax.random.key(14))
    assert len({tuple(row) for row in np.array(genotypes)[:, 0]}) == 24


@every_strategy
def test_feasible_genotypes_are_found_where_two_in_ten_thousand_are_feasible(name):
    _, genotypes = jitted_run(name, 1, LARGE, 4, 3)(jax.random.key(15))
    rows = np.array(genotypes).reshape(-1, 8)
    assert (rows.sum(axis=1) >= 44).all()
    assert len({tuple(row) for row in rows}) == len(rows)


@every_strategy
def test_genotypes_told_before_the_first_ask_are_not_asked(name):
    strategy = build(name, 1, 5, TINY)
    known = jnp.array(np.stack(np.indices(TINY.num_choices), axis=-1).reshape(-1, 3)[:9], jnp.int32)
    state = strategy.tell(strategy.init(jax.random.key(16)), known, losses_of(known, 1), TINY.violation(known))
    genotypes, _ = strategy.ask(jax.random.key(17), state)
    assert not (genotypes[:, None] == known[None]).all(axis=-1).any()


@every_strategy
@every_number_of_objectives
def test_state_survives_a_file_and_continues_bit_for_bit(name, num_objectives):
    strategy = build(name, num_objectives)
    state, _ = jitted_run(name, num_objectives)(jax.random.key(18))
    leaves, structure = jax.tree.flatten(state)
    file = io.BytesIO()
    np.savez(file, *map(np.asarray, leaves))
    file.seek(0)
    stored = np.load(file)
    loaded = jax.tree.unflatten(structure, [jnp.asarray(stored[f"arr_{i}"]) for i in range(len(leaves))])
    step, key = generation(strategy, num_objectives), jax.random.key(19)
    chex.assert_trees_all_equal(step(loaded, key), step(state, key))


@every_strategy
def test_wrong_settings_and_shapes_are_refused_with_the_fix(name):
    for setting in ({"population_size": 0}, {"num_objectives": 0}, {"capacity": 2.5}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            STRATEGIES[name](SPACE, **({"population_size": 4, "num_objectives": 1, "capacity": 8} | setting))
    with pytest.raises(ValueError, match="DiscreteSpace"):
        STRATEGIES[name]((3, 3), population_size=4, num_objectives=1, capacity=8)
    strategy = build(name)
    state, genotypes = strategy.init(jax.random.key(0)), jnp.zeros((4, 5), jnp.int32)
    with pytest.raises(ValueError, match=r"losses\[:, None\]"):
        strategy.tell(state, genotypes, jnp.zeros(4), jnp.zeros(4))
    with pytest.raises(ValueError, match=r"genotype\[None\]"):
        strategy.tell(state, genotypes[0], jnp.zeros((1, 1)), jnp.zeros(1))
    with pytest.raises(ValueError, match="violations must be"):
        strategy.tell(state, genotypes, jnp.zeros((4, 1)), jnp.zeros((4, 1)))


def test_registry_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        STRATEGIES["random"] = None
