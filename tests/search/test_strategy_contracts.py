"""What every registered strategy promises, whatever it does inside.

Compiling dominates these tests, so each strategy is built in three settings only, which together cover small and huge,
discrete and mixed spaces, batches of one and of more, and one, two and three objectives.
"""

import functools
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.automl.search_engine import QUICKEST_TO_COMPILE
from metagen_jax.search import (
    STRATEGIES,
    Categorical,
    Continuous,
    Integer,
    SearchStrategy,
    Space,
    discrete_space,
    proxy_start,
    random_search,
    start_from,
)
from metagen_jax.search.sampling import sample_uniform
from tests.short import STRATEGIES as SHORT
from tests.short import in_short


class Setting(NamedTuple):
    """A space and how it is searched."""

    space: Space
    population_size: int
    num_objectives: int
    generations: int


SETTINGS = {
    # 24 genotypes, 9 of them feasible, so that a run of 30 exhausts them
    "tiny": Setting(discrete_space((2, 3, 4), (True, False, True), lambda g: g.sum(axis=1) - 2.5), 5, 1, 6),
    # 4 of 5 feasible
    "mixed": Setting(
        Space(
            (Categorical(3), Integer(2, 9), Continuous(-1.0, 1.0), Continuous(1e-4, 1e-1, log=True)),
            lambda g: g[:, 1] - 9.0 + g[:, 2],
        ),
        4, 2, 3,
    ),
    # 5 of 10,000 feasible
    "rare": Setting(discrete_space((7,) * 8, (True, False) * 4, lambda g: 42.0 - g.sum(axis=1)), 1, 3, 12),
}  # fmt: skip


def random_after_a_start(space: Space, **settings: int) -> SearchStrategy:
    return start_from(random_search(space, **settings), space, sample_uniform(jax.random.key(99), space, 3))


def random_with_a_proxy(space: Space, *, num_objectives: int, capacity: int, population_size: int) -> SearchStrategy:
    settings = {"num_objectives": num_objectives, "capacity": capacity}
    inner = random_search(space, population_size=population_size, **settings)
    return proxy_start(inner, space, lambda g: g[:, 1], num_initial=4, pool_size=16, trusted_share=1.0, **settings)


WRAPPED = {"random after a start": random_after_a_start, "random with a proxy": random_with_a_proxy}
ALL: dict[str, Callable[..., SearchStrategy]] = {**STRATEGIES, **WRAPPED}
every_strategy = pytest.mark.parametrize("name", sorted(ALL))
every_strategy_in_time = pytest.mark.parametrize("name", in_short(sorted(ALL), SHORT))
every_setting = pytest.mark.parametrize("setting", in_short(sorted(SETTINGS), ["tiny"]))


def construct(name: str, setting: str) -> SearchStrategy:
    space, population_size, num_objectives, _ = SETTINGS[setting]
    return ALL[name](space, population_size=population_size, num_objectives=num_objectives, capacity=64)


class Compiled(NamedTuple):
    """A strategy whose functions are jitted, and a list that grows by an entry a trace."""

    init: Any
    ask: Any
    tell: Any
    traces: list[str]


@functools.cache
def compiled(name: str, setting: str) -> Compiled:
    strategy, traces = construct(name, setting), []
    jit = functools.partial(jax.jit, compiler_options=QUICKEST_TO_COMPILE)  # as a search does

    def noted(part: str, function: Callable) -> Callable:
        def traced(*arguments):
            traces.append(part)
            return function(*arguments)

        return jit(traced)

    return Compiled(jit(strategy.init), noted("ask", strategy.ask), noted("tell", strategy.tell), traces)


@functools.partial(jax.jit, static_argnums=1)
def judged(genotypes, setting):
    """Losses of sums of squares around M different points, so that objectives conflict, and violations."""
    space, _, num_objectives, _ = SETTINGS[setting]
    centres = jnp.arange(num_objectives, dtype=jnp.float32)[None, :, None]
    return ((genotypes[:, None] - centres) ** 2).sum(axis=-1), space.violation(genotypes).astype(jnp.float32)


def run(strategy, setting, key, generations=None, start=None):
    """Returns the last state and the genotypes asked, (generations, N, D)."""
    keys = jax.random.split(key, (generations or SETTINGS[setting].generations) + 1)
    state, asked = strategy.init(keys[0]) if start is None else start, []
    for generation_key in keys[1:]:
        genotypes, state = strategy.ask(generation_key, state)
        state = strategy.tell(state, genotypes, *judged(genotypes, setting))
        asked.append(np.array(genotypes))
    return state, np.stack(asked)


@functools.cache
def finished_run(name, setting):
    """The run with seed 0, which several tests look at."""
    return run(compiled(name, setting), setting, jax.random.key(0))


def first_batch(name, setting):
    """The state after the first ask, its genotypes and what they are worth."""
    strategy = compiled(name, setting)
    asked, state = strategy.ask(jax.random.key(7), strategy.init(jax.random.key(6)))
    return state, asked, *judged(asked, setting)


def lie_in(space: Space, rows: np.ndarray) -> bool:
    def holds(choice, column):
        low, high = (0, choice.num_choices - 1) if isinstance(choice, Categorical) else (choice.low, choice.high)
        whole = isinstance(choice, Continuous) or (column == np.round(column)).all()
        return whole and (column >= np.float32(low)).all() and (column <= np.float32(high)).all()

    return all(holds(choice, rows[:, dimension]) for dimension, choice in enumerate(space.choices))


@every_strategy
@every_setting
def test_proposals_are_feasible_and_unseen_values_of_the_space(name, setting):
    space, population_size, _, generations = SETTINGS[setting]
    asked = finished_run(name, setting)[1]
    assert asked.shape == (generations, population_size, space.num_dimensions) and asked.dtype == space.dtype
    rows = asked.reshape(-1, space.num_dimensions)
    assert lie_in(space, rows)
    feasible = np.array(space.violation(jnp.array(rows))) <= 0
    num_distinct = len({tuple(row) for row in rows})
    if setting == "tiny":  # exhausted: all feasible ones first, then the others, and only then repeats
        assert feasible[:9].all() and not feasible[9:24].any()
        assert num_distinct == len({tuple(row) for row in rows[:24]}) == 24
    else:
        assert feasible.all()
        assert num_distinct == len(rows)


@every_strategy
@every_setting
def test_same_key_gives_same_bits_and_other_keys_other_genotypes(name, setting):
    again, other = (run(compiled(name, setting), setting, jax.random.key(seed)) for seed in (0, 1))
    chex.assert_trees_all_equal(finished_run(name, setting), again)
    assert (again[1] != other[1]).any()


@every_strategy
@every_setting
def test_a_run_is_traced_once(name, setting):
    strategy = compiled(name, setting)
    finished_run(name, setting)
    before = list(strategy.traces)
    run(strategy, setting, jax.random.key(2), generations=2)
    assert before.count("ask") == 1 and before.count("tell") >= 1 and strategy.traces == before


@every_strategy_in_time
def test_a_vmapped_scan_agrees_with_python_loops(name):
    strategy, generations = construct(name, "mixed"), 3

    def generation(state, key):
        genotypes, state = strategy.ask(key, state)
        return strategy.tell(state, genotypes, *judged(genotypes, "mixed")), genotypes

    def scanned(key):
        keys = jax.random.split(key, generations + 1)
        return jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])

    keys = jax.random.split(jax.random.key(5), 2)
    states, asked = jax.jit(jax.vmap(scanned))(keys)
    for i, key in enumerate(keys):
        state_alone, asked_alone = run(compiled(name, "mixed"), "mixed", key, generations)
        np.testing.assert_array_equal(asked[i], asked_alone)
        # Batched linear algebra adds up in another order, so the state of a fitted model agrees to rounding only.
        chex.assert_trees_all_close(jax.tree.map(lambda leaf, i=i: leaf[i], states), state_alone, rtol=1e-4, atol=1e-5)


@every_strategy_in_time
def test_jit_agrees_with_eager(name):
    eager, strategy, key = construct(name, "tiny"), compiled(name, "tiny"), jax.random.key(4)
    state, _ = run(strategy, "tiny", jax.random.key(3), generations=2)  # by now the strategy uses what it was told
    genotypes, asked = strategy.ask(key, state)
    chex.assert_trees_all_equal(eager.init(key), strategy.init(key))
    chex.assert_trees_all_equal(eager.ask(key, state), (genotypes, asked))
    batch = genotypes, *judged(genotypes, "tiny")
    chex.assert_trees_all_equal(eager.tell(asked, *batch), strategy.tell(asked, *batch))


@every_strategy
@every_setting
def test_how_a_candidate_failed_does_not_matter(name, setting):
    strategy, (state, asked, losses, _) = compiled(name, setting), first_batch(name, setting)
    broken = (
        np.arange(losses.size).reshape(losses.shape) % (2 * losses.shape[1]) == 0
    )  # every second row, in one column
    feasible = jnp.zeros(len(asked))
    told = [
        strategy.tell(state, asked, jnp.where(broken, failed, losses), feasible) for failed in (np.nan, np.inf, -np.inf)
    ]
    proposals = [strategy.ask(jax.random.key(8), state)[0] for state in told]
    chex.assert_trees_all_equal(*proposals)
    assert lie_in(SETTINGS[setting].space, np.array(proposals[0]))


@every_strategy
@every_setting
def test_generations_of_failures_do_not_stop_the_search(name, setting):
    strategy, (space, population_size, num_objectives, _) = compiled(name, setting), SETTINGS[setting]
    state, asked = strategy.init(jax.random.key(9)), []
    failures = jnp.full((population_size, num_objectives), jnp.nan), jnp.zeros(population_size)
    for key in jax.random.split(jax.random.key(10), 2):
        genotypes, state = strategy.ask(key, state)
        state = strategy.tell(state, genotypes, *failures)
        asked.append(np.array(genotypes))
    _, after = run(strategy, setting, jax.random.key(11), 2, state)
    rows = np.concatenate([*asked, *after])
    assert lie_in(space, rows) and len({tuple(row) for row in rows}) == len(rows)


@every_strategy
@every_setting
def test_losses_of_infeasible_candidates_do_not_matter(name, setting):
    strategy, (state, asked, losses, _) = compiled(name, setting), first_batch(name, setting)
    violations = jnp.arange(len(asked), dtype=jnp.float32) % 2 if len(asked) > 1 else jnp.ones(1)
    told = [
        strategy.tell(state, asked, jnp.where(violations[:, None] > 0, loss, losses), violations)
        for loss in (-1e9, 1e9, jnp.nan)
    ]
    chex.assert_trees_all_equal(*(strategy.ask(jax.random.key(8), state)[0] for state in told))


@every_strategy
@pytest.mark.parametrize("setting", in_short(["tiny", "mixed"], ["tiny"]))
def test_the_order_of_a_told_batch_does_not_matter(name, setting):
    strategy, (state, asked, losses, violations) = compiled(name, setting), first_batch(name, setting)
    batch = asked, losses + 0.1 * jnp.arange(len(asked))[:, None], violations  # no ties
    proposals = [
        np.array(strategy.ask(jax.random.key(8), strategy.tell(state, *(rows[order] for rows in batch)))[0])
        for order in (jnp.arange(len(batch[0])), jnp.arange(len(batch[0]))[::-1])
    ]
    chex.assert_trees_all_equal(*(rows[np.lexsort(rows.T)] for rows in proposals))


@every_strategy
@pytest.mark.parametrize("setting", in_short(["tiny", "mixed"], ["tiny"]))
def test_a_warm_start_of_any_size_is_not_asked_again(name, setting):
    strategy, space = compiled(name, setting), SETTINGS[setting].space
    known = jnp.unique(sample_uniform(jax.random.key(13), space, 9), axis=0)[:7]
    state = strategy.tell(strategy.init(jax.random.key(16)), known, *judged(known, setting))
    _, asked = run(strategy, setting, jax.random.key(17), 2, state)
    rows = asked.reshape(-1, space.num_dimensions)
    assert len(known) == 7 and lie_in(space, rows)
    assert not (rows[:, None] == np.array(known)[None]).all(axis=-1).any()


@every_strategy
@every_setting
def test_state_survives_a_file_and_continues_bit_for_bit(name, setting):
    strategy, (state, _) = compiled(name, setting), finished_run(name, setting)
    leaves, structure = jax.tree.flatten(state)
    file = io.BytesIO()
    np.savez(file, *map(np.asarray, leaves))
    file.seek(0)
    stored = np.load(file)
    loaded = jax.tree.unflatten(structure, [jnp.asarray(stored[f"arr_{i}"]) for i in range(len(leaves))])
    key = jax.random.key(19)
    chex.assert_trees_all_equal(run(strategy, setting, key, 2, loaded), run(strategy, setting, key, 2, state))


@every_strategy_in_time
def test_a_population_larger_than_the_space_holds_all_of_it(name):
    strategy = ALL[name](discrete_space((3, 1), (True, False)), population_size=8, num_objectives=1, capacity=16)
    ask = jax.jit(strategy.ask)
    first, state = ask(jax.random.key(13), strategy.init(jax.random.key(12)))
    assert first.shape == (8, 2) and {tuple(row) for row in first.tolist()} == {(0, 0), (1, 0), (2, 0)}
    state = jax.jit(strategy.tell)(state, first, first[:, :1].astype(jnp.float32), jnp.zeros(8))
    second, _ = ask(jax.random.key(14), state)
    assert {tuple(row) for row in second.tolist()} <= {(0, 0), (1, 0), (2, 0)}


@every_strategy
def test_wrong_settings_and_shapes_are_refused_with_the_fix(name):
    space = SETTINGS["tiny"].space
    for setting in ({"population_size": 0}, {"num_objectives": 0}, {"capacity": 2.5}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            ALL[name](space, **({"population_size": 4, "num_objectives": 1, "capacity": 8} | setting))
    strategy, genotypes = construct(name, "tiny"), jnp.zeros((4, 3), jnp.int32)
    state = strategy.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"losses\[:, None\]"):
        strategy.tell(state, genotypes, jnp.zeros(4), jnp.zeros(4))
    with pytest.raises(ValueError, match=r"genotype\[None\]"):
        strategy.tell(state, genotypes[0], jnp.zeros((1, 1)), jnp.zeros(1))
    with pytest.raises(ValueError, match="violations must be"):
        strategy.tell(state, genotypes, jnp.zeros((4, 1)), jnp.zeros((4, 1)))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_what_is_not_a_space_is_refused(name):
    with pytest.raises(ValueError, match="Integer"):
        STRATEGIES[name]((3, 3), population_size=4, num_objectives=1, capacity=8)


def test_registry_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        STRATEGIES["random"] = None
