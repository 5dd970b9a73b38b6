"""A start by proxy: it helps where the proxy ranks, and is found out where it does not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from metagen_jax.search import (
    aging_evolution,
    discrete_space,
    is_trusted,
    optimize,
    proxy_start,
    random_search,
    rank_agreement,
)

SPACE = discrete_space((16,) * 4, (True,) * 4, lambda g: 12.0 - g.sum(axis=1))
SETTINGS = {"num_objectives": 1, "capacity": 48}


def total(genotypes):
    return genotypes.sum(axis=1)


def loss(genotypes):
    return (genotypes**2).sum(axis=1) + 20 * (genotypes[:, 0] == 0)


def reversed_total(genotypes):
    return -genotypes.sum(axis=1)


def unrelated(genotypes):
    return genotypes[:, 0] * 37 % 16 + genotypes[:, 2] * 11 % 7


@functools.cache
def helped(proxy, base=random_search, **options):
    inner = base(SPACE, population_size=4, **SETTINGS)
    return proxy_start(inner, SPACE, proxy, num_initial=8, pool_size=200, **SETTINGS, **options)


@functools.cache
def results(proxy, num_seeds=12, **options):
    strategy = helped(proxy, **options)
    keys = jax.random.split(jax.random.key(0), num_seeds)

    def run(key):
        return optimize(strategy, loss, key, 48, violation=SPACE.violation)

    return jax.jit(lambda keys: jax.lax.map(run, keys))(keys)


@pytest.mark.parametrize("ties", [False, True])
def test_agreement_is_the_spearman_correlation_of_the_rows_that_count(ties):
    rng = np.random.default_rng(0)
    scores, losses = rng.normal(size=(2, 40))
    losses += scores
    if ties:
        scores, losses = scores.round(), losses.round()
    losses[[3, 5]] = np.nan, -np.inf
    valid, violations = np.arange(40) < 35, (np.arange(40) == 7).astype(np.float32)
    counted = valid & np.isfinite(losses) & (violations == 0)
    rho, _ = rank_agreement(*(jnp.array(a) for a in (scores, losses[:, None], valid, violations)))
    assert abs(float(rho) - scipy.stats.spearmanr(scores[counted], losses[counted]).statistic) < 1e-5


def test_the_lower_bound_lies_below_the_true_agreement_in_about_95_of_100_runs():
    def bound(key):
        scores, noise = jax.random.normal(key, (2, 20))
        return rank_agreement(scores, (scores + noise)[:, None], jnp.ones(20, bool))[1]

    bounds = np.array(jax.vmap(bound)(jax.random.split(jax.random.key(1), 2000)))
    true_rho = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)  # of two normals with correlation sqrt(0.5)
    assert 0.93 < (bounds < true_rho).mean() < 0.97


def test_agreement_reads_several_objectives_by_their_fronts():
    losses = jnp.array([[0.0, 1.0], [1.0, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    rho, _ = rank_agreement(jnp.array([0.0, 0.0, 5.0, 5.0, 6.0]), losses, jnp.ones(5, bool))
    assert abs(float(rho) - 1.0) < 1e-6


def test_a_constant_proxy_agrees_with_nothing():
    rho, bound = rank_agreement(jnp.ones(9), jnp.arange(9.0)[:, None], jnp.ones(9, bool))
    assert float(rho) == 0.0 and float(bound) < 0.0


def test_the_first_genotypes_are_better_by_the_proxy_than_their_control_but_not_alike():
    genotypes = np.array(results(total).genotypes)
    proposed, control = genotypes[:, :4].sum(axis=2), genotypes[:, 4:8].sum(axis=2)
    assert proposed.mean() < control.mean() - 5
    assert all(len(np.unique(rows, axis=0)) == 8 for rows in genotypes[:, :8])
    assert (genotypes.sum(axis=2) >= 12).all()  # feasible


def test_a_proxy_is_trusted_exactly_where_it_ranks():
    def share_trusted(proxy):
        return float(jax.vmap(is_trusted)(results(proxy).state).mean())

    assert share_trusted(total) == 1.0
    assert share_trusted(unrelated) < 0.3 and share_trusted(reversed_total) == 0.0


def test_a_trusted_proxy_draws_later_batches_and_another_does_not():
    def later(proxy):
        return float(np.array(results(proxy, trusted_share=1.0).genotypes)[:, 24:].sum(axis=2).mean())

    assert later(total) < 20 < later(reversed_total)  # the mean of all genotypes is 30


def test_a_good_proxy_helps_and_a_wrong_one_does_little_harm():
    best = {proxy: np.array(results(proxy, base=aging_evolution).best_loss).mean() for proxy in (total, reversed_total)}
    keys = jax.random.split(jax.random.key(0), 12)
    alone = aging_evolution(SPACE, population_size=4, **SETTINGS)
    run = functools.partial(optimize, alone, loss, num_evaluations=48, violation=SPACE.violation)
    plain = np.array(jax.jit(lambda keys: jax.lax.map(lambda key: run(key=key).best_loss, keys))(keys)).mean()
    assert best[total] < 0.9 * plain
    assert best[reversed_total] < 1.25 * plain


def test_a_proxy_that_is_nan_somewhere_proposes_the_rest():
    strategy = helped(lambda genotypes: jnp.where(genotypes[:, 0] > 2, jnp.nan, 0.0), control_share=0.0)
    genotypes, _ = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)))
    assert (genotypes[:, 0] <= 2).all()


def test_wrong_counts_and_shares_are_refused():
    for option in ({"control_share": 1.5}, {"trusted_share": -0.1}, {"pool_size": 0}):
        with pytest.raises(ValueError, match=next(iter(option))):
            proxy_start(helped(total), SPACE, total, **({"num_initial": 4} | SETTINGS | option))
    with pytest.raises(ValueError, match=r"losses\[:, None\]"):
        rank_agreement(jnp.zeros(4), jnp.zeros(4), jnp.ones(4, bool))
