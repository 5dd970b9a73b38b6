"""Comparisons: real differences are found, chance is not taken for one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from metagen_jax.search import (
    Integer,
    Space,
    compare,
    discrete_space,
    hypervolume,
    judge,
    local_search,
    optimize,
    random_search,
)
from metagen_jax.search.compare import holm

SPACE = discrete_space((16, 16, 16), (True,) * 3, lambda g: 4.0 - g[:, 0])


def distance(genotypes):
    return ((genotypes - 5) ** 2).sum(axis=1)


def run(strategies, evaluate=distance, **options):
    return compare(strategies, evaluate, SPACE, jax.random.key(0), num_evaluations=32, num_seeds=10, **options)


def differences(comparison):
    return {row.name: row.difference for row in comparison.strategies}


def far_off(space, **settings):
    """Random search that looks at a corner far from the minimum only."""
    return random_search(Space((Integer(12, 15), *space.choices[1:])), **settings)


@functools.cache
def comparison():
    return run({"local": local_search, "random": random_search, "worst": far_off})


def test_better_worse_and_equal_strategies_are_told_apart():
    assert differences(comparison()) == {"random": "baseline", "local": "better", "worst": "worse"}
    assert differences(run({"again": random_search}))["again"] == "no difference shown"


def test_results_are_the_same_for_the_same_key_and_for_any_python_function():
    plain = run({"local": local_search}, lambda g: ((np.asarray(g) - 5) ** 2).sum(axis=1), jit_evaluate=False)
    for ours, theirs in zip(plain.strategies, comparison().strategies, strict=False):
        assert ours.name == theirs.name and (ours.results == theirs.results).all()


def test_only_feasible_results_count():
    found = run({}, lambda g: g[:, 0]).strategies[0]
    assert (found.results >= 4).all()
    nothing = run({}, distance, violation=lambda g: jnp.ones(len(g))).strategies[0]
    assert np.isnan(nothing.results).all() and nothing.median == np.inf


def test_several_objectives_are_compared_by_hypervolume():
    def two(genotypes):
        return jnp.stack([distance(genotypes), 20.0 - genotypes[:, 1]], axis=1)

    several = run({}, two, reference_point=(100.0, 20.0))
    assert several.quantity == "hypervolume" and "higher is better" in str(several)
    strategy = random_search(SPACE, population_size=8, num_objectives=2, capacity=32)
    key = jax.random.split(jax.random.key(0), 10)[0]
    losses = optimize(strategy, two, key, 32, violation=SPACE.violation).losses
    expected = hypervolume(losses, jnp.ones(32, bool), jnp.array([100.0, 20.0]))
    assert several.strategies[0].results[0] == float(expected) > 0
    ours = judge({"a": np.arange(10.0), "b": np.arange(10.0) + 20}, "a", higher_is_better=True)[1]
    assert ours.difference == "better"


def test_p_values_are_those_of_mann_whitney_and_superiority_counts_pairs():
    rng = np.random.default_rng(0)
    ours, random = rng.normal(size=12), rng.normal(size=15) + 0.4
    row = judge({"random": random, "ours": ours}, "random", higher_is_better=False)[1]
    assert np.isclose(row.p_value, scipy.stats.mannwhitneyu(ours, random).pvalue)
    assert np.isclose(row.superiority, (ours[:, None] < random[None]).mean())


def test_a_nan_counts_as_worst_either_way():
    nothing, something = np.full(10, np.nan), np.arange(10.0)
    for higher_is_better in (False, True):
        row = judge({"random": something, "ours": nothing}, "random", higher_is_better=higher_is_better)[1]
        assert (row.difference, row.superiority) == ("worse", 0.0)


def test_equal_strategies_are_called_different_in_few_of_many_comparisons():
    rng = np.random.default_rng(1)
    claims = sum(
        any(row.difference in ("better", "worse") for row in judge(results, "a", higher_is_better=False))
        for results in ({name: rng.normal(size=10) for name in "abcde"} for _ in range(300))
    )
    assert claims / 300 < 0.08  # four comparisons each: without correction about 0.15


def test_holm_agrees_with_its_definition():
    p_values = np.array([0.04, 0.001, 0.03, 0.9])
    assert np.allclose(holm(p_values), [0.09, 0.004, 0.09, 0.9])
    assert holm(np.array([])).size == 0


def test_the_table_has_a_row_a_strategy_and_says_what_was_done():
    lines = str(comparison()).splitlines()
    assert len(lines) == 5 and lines[0].startswith("strategy  median best loss")
    assert [line.split()[0] for line in lines[1:4]] == ["random", "local", "worst"]
    assert "32 evaluations, 10 seeds; lower is better" in lines[4]


def test_what_cannot_be_compared_is_refused_with_the_fix():
    with pytest.raises(ValueError, match="local"):
        run({"local": local_search}, baseline="evolution")
    with pytest.raises(ValueError, match=r"\(1.1, 1.1\)"):
        run({}, reference_point=3.0)
    with pytest.raises(ValueError, match="returns 2 objectives, but reference_point stands for 3"):
        run({}, lambda g: g[:, :2], reference_point=(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="num_seeds"):
        compare({}, distance, SPACE, jax.random.key(0), 8, 0)
