"""What is particular to the predictor-guided strategy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import (
    Categorical,
    Continuous,
    Integer,
    Prior,
    Space,
    normal_quantiles,
    optimize,
    predictor_guided,
    random_search,
)
from metagen_jax.search.sampling import sample_uniform

SPACE = Space((Categorical(4), Integer(0, 7), Continuous(-2.0, 2.0), Continuous(1e-4, 1.0, log=True)))
BUDGET = 32


def loss(genotypes):
    """0 at (2, 5, 0.7, 0.01)."""
    category, level, real, rate = genotypes.T
    return (category != 2) + 0.1 * (level - 5) ** 2 + (real - 0.7) ** 2 + (jnp.log10(rate) + 2) ** 2


@functools.cache
def best_losses(constructor, transform=lambda losses: losses):
    """Best true loss of 8 seeds where the strategy is told transformed losses."""
    strategy = constructor(SPACE, population_size=4, num_objectives=1, capacity=BUDGET)

    def run(key):
        return loss(optimize(strategy, lambda genotypes: transform(loss(genotypes)), key, BUDGET).genotypes).min()

    return np.array(jax.jit(lambda keys: jax.lax.map(run, keys))(jax.random.split(jax.random.key(0), 8)))


def test_it_finds_far_better_mixed_genotypes_than_random_search():
    assert np.median(best_losses(predictor_guided)) < 0.3 * np.median(best_losses(random_search))


def test_only_the_order_of_losses_counts():
    np.testing.assert_array_equal(best_losses(predictor_guided), best_losses(predictor_guided, cubed))


def first_losses(prior):
    """True losses of the first proposals, `(seeds, N)`."""
    strategy = predictor_guided(SPACE, population_size=4, num_objectives=1, capacity=BUDGET, prior=prior)
    keys = jax.random.split(jax.random.key(0), 8)
    return np.array(jax.jit(lambda: jax.lax.map(lambda key: loss(strategy.ask(key, strategy.init(key))[0]), keys))())


def test_with_a_prior_from_a_similar_task_the_first_proposals_are_better():
    rows = sample_uniform(jax.random.key(1), SPACE, 32)
    similar = loss(rows + jnp.array([[0.0, 1.0, 0.2, 0.0]]))[:, None]
    targets = normal_quantiles(similar, jnp.zeros(32), jnp.ones(32, bool))
    knowing = first_losses(Prior(rows, targets, jnp.full(32, 0.5)))
    assert np.median(knowing) < 0.5 * np.median(first_losses(None))


def test_a_prior_of_another_space_is_refused():
    prior = Prior(jnp.zeros((3, 2)), jnp.zeros((3, 1)), jnp.ones(3))
    with pytest.raises(ValueError, match=r"shapes \(K, 4\), \(K, 1\) and \(K,\), got \(\(3, 2\)"):
        predictor_guided(SPACE, population_size=2, num_objectives=1, capacity=6, prior=prior)


def cubed(losses):
    return 10.0 * losses**3 - 4.0


def test_infeasible_rows_rank_behind_feasible_ones_and_failed_ones_last():
    losses = jnp.array([[3.0], [-9.0], [1.0], [jnp.nan], [-9.0], [0.0]])
    violations = jnp.array([0.0, 2.0, 0.0, 0.0, 1.0, 0.0])
    valid = jnp.array([True] * 5 + [False])
    quantiles = normal_quantiles(losses, violations, valid)[:, 0]
    assert jnp.argsort(quantiles[:5]).tolist() == [2, 0, 4, 1, 3]
    assert quantiles[5] == 0.0
    assert abs(float(quantiles[:5].mean())) < 1e-6


def test_beyond_its_rows_it_keeps_the_best_half_and_the_newest():
    strategy = predictor_guided(SPACE, population_size=2, num_objectives=1, capacity=6)
    state, tell = strategy.init(jax.random.key(0)), jax.jit(strategy.tell)
    for losses in ([5.0, 1.0], [2.0, 9.0], [3.0, 8.0], [7.0, 6.0], [4.0, jnp.nan]):
        rows = jnp.array([[0.0, 1.0, each, 0.1] for each in losses])
        state = tell(state, rows, jnp.array(losses)[:, None], jnp.zeros(2))
    kept = np.array(state.losses)[:, 0]
    assert {1.0, 2.0, 3.0} <= set(kept.tolist())  # the best half
    assert {6.0, 4.0} <= set(kept.tolist()) and np.isnan(kept).sum() == 1  # the newest of the others
