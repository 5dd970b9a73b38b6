"""Successive halving and Hyperband: the plans, the promotion rule and the driver."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import (
    Continuous,
    Rung,
    Space,
    hyperband,
    optimize_with_rungs,
    promote,
    random_search,
    successive_halving,
)

SPACE = Space((Continuous(0.0, 1.0), Continuous(0.0, 1.0)), violation=lambda g: g[:, 1] - 0.75)


def noisy(genotypes, budget):
    """The true loss is the first number; a small budget adds up to 1 / budget of the second, so that it misleads."""
    return genotypes[:, 0] + genotypes[:, 1] / budget


@functools.cache
def strategy_of(population_size):
    return random_search(SPACE, population_size=population_size, num_objectives=1, capacity=256)


def run(brackets, seed=0, evaluate=noisy, population_size=9):
    return optimize_with_rungs(
        strategy_of(population_size), evaluate, jax.random.key(seed), brackets, violation=SPACE.violation
    )


def test_hyperband_plans_the_table_of_the_paper():
    plan = [[(rung.num_candidates, rung.budget) for rung in bracket] for bracket in hyperband(81, eta=3)]
    assert plan == [  # Li et al. 2018, table 1
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_every_rung_keeps_a_share_and_the_last_has_the_full_budget(eta):
    for bracket in (successive_halving(50, 2, 1000, eta), *hyperband(200, eta)):
        assert bracket[-1].budget in (1000, 200)
        for lower, upper in itertools.pairwise(bracket):
            assert upper.num_candidates <= max(1, lower.num_candidates // eta) and upper.budget > lower.budget


def test_promotion_takes_the_best_feasible_rows_and_no_failed_one():
    losses = jnp.array([[4.0], [1.0], [jnp.nan], [2.0], [3.0], [-jnp.inf]])
    real, violations = jnp.array([True, False, True, True, True, True]), jnp.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    chosen = [np.flatnonzero(promote(losses, real, num, violations)).tolist() for num in (1, 2, 3, 6)]
    assert chosen == [[4], [0, 4], [0, 3, 4], [0, 3, 4]]


def test_promotion_works_under_jit_and_with_several_objectives():
    losses = jnp.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0], [4.0, 4.0]])
    chosen = jax.jit(promote, static_argnums=2)(losses, jnp.ones(4, bool), 3)
    assert chosen.tolist() == [True, True, True, False]


def test_survivors_are_the_best_of_their_rung_at_the_budget_of_that_rung():
    bracket = successive_halving(9, 1, 9)
    result = run((bracket,))
    first = np.array(noisy(result.genotypes, 1))
    second = np.array(noisy(result.genotypes, 3))
    in_second = np.argsort(first)[:3]
    winner = in_second[np.argmin(second[in_second])]
    assert np.flatnonzero(np.array(result.budgets) >= 3).tolist() == sorted(in_second.tolist())
    assert np.flatnonzero(np.array(result.budgets) == 9).tolist() == [winner]
    assert (np.array(result.losses)[:, 0] == np.array(noisy(result.genotypes, result.budgets))).all()
    assert int(result.spent.sum()) == 9 * 1 + 3 * 3 + 1 * 9


def test_halving_finds_more_than_full_budgets_do_for_the_same_cost():
    halved = [run((successive_halving(27, 1, 27),), seed) for seed in range(10)]
    full = [run(((Rung(4, 27),),), seed) for seed in range(10)]
    assert max(int(result.spent.sum()) for result in halved) <= min(int(result.spent.sum()) for result in full)

    def mean_true_loss(results):
        return np.mean([float(result.genotypes[result.losses[:, 0].argmin(), 0]) for result in results])

    assert mean_true_loss(halved) < mean_true_loss(full)


def test_where_all_fail_the_bracket_ends_and_the_search_goes_on():
    result = run(
        (successive_halving(9, 1, 9), successive_halving(3, 1, 1)), evaluate=lambda g, budget: np.full(len(g), np.nan)
    )
    assert result.spent.tolist() == [1] * 12 and np.isnan(np.array(result.losses)).all()


def test_candidates_are_distinct_and_feasible_where_a_rung_is_no_multiple_of_the_batch():
    result = run(hyperband(9), population_size=4)
    assert len(np.unique(np.array(result.genotypes), axis=0)) == len(result.genotypes) == 17
    assert (np.array(result.violations) <= 0).all()


def test_plans_that_make_no_sense_are_refused_with_the_fix():
    with pytest.raises(ValueError, match="eta=3"):
        hyperband(27, eta=1)
    with pytest.raises(ValueError, match="Exchange"):
        successive_halving(27, 9, 3)
    with pytest.raises(ValueError, match=r"hyperband\(27\)"):
        run(())
    with pytest.raises(ValueError, match="budget"):
        Rung(3, 0)
