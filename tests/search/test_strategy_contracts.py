"""What every registered strategy promises, whatever it does inside."""

import functools
import io

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import STRATEGIES, discrete_space

NUM_CHOICES = (4, 5, 3, 6, 2)
POPULATION = 6
GENERATIONS = 3


def too_large(genotypes):
    """Feasible where the indices sum to at most 9: about three quarters of the space."""
    return genotypes.sum(axis=1).astype(jnp.float32) - 9.0


SPACE = discrete_space(NUM_CHOICES, (True, False, True, True, False), too_large)
TINY = discrete_space((2, 3, 4), (True, False, True), lambda g: g.sum(axis=1).astype(jnp.float32) - 3.0)
LARGE = discrete_space(
    (7,) * 8, (True, False) * 4, lambda g: 42.0 - g.sum(axis=1).astype(jnp.float32)
)  # 0.05 % feasible
TRACES: list[str] = []


@functools.cache
def build(name, num_objectives=1, population_size=POPULATION, space=SPACE):
    """A strategy whose ask and tell are jitted, and which notes every trace."""
    plain = STRATEGIES[name](space, population_size=population_size, num_objectives=num_objectives, capacity=64)

    def ask(*arguments):
        TRACES.append("ask")
        return plain.ask(*arguments)

    def tell(*arguments):
        TRACES.append("tell")
        return plain.tell(*arguments)

    return plain._replace(ask=jax.jit(ask), tell=jax.jit(tell))


@functools.partial(jax.jit, static_argnums=1)
def losses_of(genotypes, num_objectives):
    """Sums of squares around M different points, so that objectives conflict."""
    centres = jnp.arange(num_objectives, dtype=jnp.float32)[None, :, None]
    return ((genotypes[:, None] - centres) ** 2).sum(axis=-1)  # (N, M)


def generation(strategy, num_objectives, space=SPACE):
    def step(state, key):
        genotypes, state = strategy.ask(key, state)
        told = strategy.tell(state, genotypes, losses_of(genotypes, num_objectives), space.violation(genotypes))
        return told, genotypes

    return step


def run_in_python(strategy, num_objectives, key, space=SPACE, generations=GENERATIONS):
    """Returns the last state and the genotypes asked, (generations, N, D)."""
    keys = jax.random.split(key, generations + 1)
    state, step, asked = strategy.init(keys[0]), generation(strategy, num_objectives, space), []
    for generation_key in keys[1:]:
        state, genotypes = step(state, generation_key)
        asked.append(genotypes)
    return state, np.stack(asked)


@functools.cache
def scanned_run(name):
    """The same with two objectives as one compiled function of the key."""
    strategy = build(name, 2)

    def run(key):
        keys = jax.random.split(key, GENERATIONS + 1)
        return jax.lax.scan(generation(strategy, 2), strategy.init(keys[0]), keys[1:])

    return jax.jit(run)


every_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))
every_number_of_objectives = pytest.mark.parametrize("num_objectives", [1, 2, 3])


@every_strategy
@every_number_of_objectives
def test_proposals_are_feasible_unseen_indices_into_the_choices(name, num_objectives):
    _, genotypes = run_in_python(build(name, num_objectives), num_objectives, jax.random.key(0))
    assert genotypes.shape == (GENERATIONS, POPULATION, len(NUM_CHOICES)) and genotypes.dtype == jnp.int32
    rows = np.array(genotypes).reshape(-1, len(NUM_CHOICES))
    assert (rows >= 0).all() and (rows < np.array(NUM_CHOICES)[None]).all()
    assert (too_large(rows) <= 0).all()
    assert len({tuple(row) for row in rows}) == len(rows)


@every_strategy
@every_number_of_objectives
def test_same_key_gives_same_bits_and_other_keys_other_genotypes(name, num_objectives):
    first, again, other = (
        run_in_python(build(name, num_objectives), num_objectives, jax.random.key(seed)) for seed in (1, 1, 2)
    )
    chex.assert_trees_all_equal(first, again)
    assert (first[1] != other[1]).any(axis=(1, 2)).all()  # in every generation


@every_strategy
@every_number_of_objectives
def test_second_generation_does_not_retrace(name, num_objectives):
    strategy = build(name, num_objectives)
    run_in_python(strategy, num_objectives, jax.random.key(3), generations=1)
    traces = len(TRACES)
    run_in_python(strategy, num_objectives, jax.random.key(3), generations=3)
    assert traces > 0 and len(TRACES) == traces


@every_strategy
def test_scan_agrees_with_a_python_loop(name):
    key = jax.random.key(3)
    chex.assert_trees_all_equal(scanned_run(name)(key), run_in_python(build(name, 2), 2, key))


@every_strategy
def test_jit_agrees_with_eager(name):
    eager = STRATEGIES[name](SPACE, population_size=POPULATION, num_objectives=2, capacity=64)
    key = jax.random.key(4)
    chex.assert_trees_all_equal(
        run_in_python(eager, 2, key, generations=2), run_in_python(build(name, 2), 2, key, generations=2)
    )


@every_strategy
def test_vmap_over_seeds_agrees_with_a_loop(name):
    run, keys = scanned_run(name), jax.random.split(jax.random.key(5), 3)
    together = jax.jit(jax.vmap(run))(keys)
    for i, key in enumerate(keys):
        chex.assert_trees_all_equal(jax.tree.map(lambda leaf, i=i: np.array(leaf)[i], together), run(key))


@every_strategy
@every_number_of_objectives
@pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
def test_failed_candidates_leave_no_trace_but_that_they_were_tried(name, num_objectives, failed):
    strategy = build(name, num_objectives)
    asked, state = strategy.ask(jax.random.key(7), strategy.init(jax.random.key(6)))
    losses, feasible = losses_of(asked, num_objectives), jnp.zeros(POPULATION)
    broken = np.arange(POPULATION * num_objectives).reshape(POPULATION, -1) % (2 * num_objectives) == 0
    with_failed = strategy.tell(state, asked, jnp.where(broken, failed, losses), feasible)
    others = np.arange(POPULATION) // 2 * 2 + 1  # 1, 1, 3, 3, ...: a copy stands where the failed one stood
    without = strategy.tell(state, asked[others], losses[others], feasible)
    chex.assert_trees_all_equal(strategy.ask(jax.random.key(8), with_failed), strategy.ask(jax.random.key(8), without))


@every_strategy
def test_a_generation_of_failures_does_not_stop_the_search(name):
    strategy = build(name, 2)
    state = strategy.init(jax.random.key(9))
    asked = []
    for key in jax.random.split(jax.random.key(10), 3):
        genotypes, state = strategy.ask(key, state)
        state = strategy.tell(state, genotypes, jnp.full((POPULATION, 2), jnp.nan), jnp.zeros(POPULATION))
        asked.extend(map(tuple, np.array(genotypes).tolist()))
    assert len(set(asked)) == len(asked)


@every_strategy
@every_number_of_objectives
def test_losses_of_infeasible_candidates_do_not_matter(name, num_objectives):
    strategy = build(name, num_objectives)
    asked, state = strategy.ask(jax.random.key(7), strategy.init(jax.random.key(6)))
    losses, violations = losses_of(asked, num_objectives), jnp.tile(jnp.array([0.0, 1.0]), POPULATION // 2)
    told = [
        strategy.tell(state, asked, jnp.where(violations[:, None] > 0, loss, losses), violations)
        for loss in (-1e9, 1e9, jnp.nan)
    ]
    proposals = [strategy.ask(jax.random.key(8), state)[0] for state in told]
    chex.assert_trees_all_equal(*proposals)


@every_strategy
def test_nothing_is_repeated_while_unseen_genotypes_exist_and_feasible_ones_come_first(name):
    _, genotypes = run_in_python(build(name, 1, 5, TINY), 1, jax.random.key(11), TINY, 6)  # 30 asked of 24 genotypes
    rows = np.array(genotypes).reshape(-1, 3)
    num_feasible = int((np.indices(TINY.num_choices).sum(axis=0) <= 3).sum())
    assert 0 < num_feasible < 24 and len({tuple(row) for row in rows[:24]}) == 24
    assert (rows[:num_feasible].sum(axis=1) <= 3).all()


@every_strategy
def test_a_population_larger_than_the_space_holds_all_of_it(name):
    strategy = build(name, 1, 8, discrete_space((3, 1), (True, False)))
    state = strategy.init(jax.random.key(12))
    for key in jax.random.split(jax.random.key(13), 2):
        genotypes, state = strategy.ask(key, state)
        state = strategy.tell(state, genotypes, losses_of(genotypes, 1), jnp.zeros(8))
        assert genotypes.shape == (8, 2)
        assert {tuple(row) for row in np.array(genotypes).tolist()} <= {(0, 0), (1, 0), (2, 0)}
    first, _ = strategy.ask(jax.random.key(14), strategy.init(jax.random.key(12)))
    assert sorted(set(np.array(first)[:, 0].tolist())) == [0, 1, 2]


@every_strategy
def test_a_population_of_one_finds_new_genotypes_where_five_in_ten_thousand_are_feasible(name):
    _, genotypes = run_in_python(build(name, 1, 1, LARGE), 1, jax.random.key(15), LARGE, 16)
    rows = np.array(genotypes)[:, 0]
    assert (rows.sum(axis=1) >= 42).all()
    assert len({tuple(row) for row in rows}) == 16


@every_strategy
def test_genotypes_told_before_the_first_ask_are_not_asked(name):
    strategy = build(name, 1, 5, TINY)
    known = jnp.array(np.stack(np.indices(TINY.num_choices), axis=-1).reshape(-1, 3)[:5], jnp.int32)
    state = strategy.tell(strategy.init(jax.random.key(16)), known, losses_of(known, 1), TINY.violation(known))
    genotypes, _ = strategy.ask(jax.random.key(17), state)
    assert not (np.array(genotypes)[:, None] == np.array(known)[None]).all(axis=-1).any()


@every_strategy
@every_number_of_objectives
def test_state_survives_a_file_and_continues_bit_for_bit(name, num_objectives):
    strategy = build(name, num_objectives)
    state, _ = run_in_python(strategy, num_objectives, jax.random.key(18))
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
    with pytest.raises(ValueError, match="Integer"):
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
