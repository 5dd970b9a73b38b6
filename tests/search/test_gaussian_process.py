"""The Gaussian process against its textbook formulas."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import Categorical, Continuous, Integer, Space
from metagen_jax.search import gaussian_process as gp
from metagen_jax.search.sampling import sample_uniform

SPACE = Space((Categorical(3), Integer(1, 6), Continuous(-1.0, 1.0), Continuous(1e-4, 1e-1, log=True)))
NUM_ROWS, NUM_PADDED, NUM_QUERIES = 12, 4, 5


@functools.cache
def problem():
    """Genotypes with padding, targets, the mask of real rows, and queries."""
    genotypes = sample_uniform(jax.random.key(0), SPACE, NUM_ROWS + NUM_PADDED)
    valid = jnp.arange(NUM_ROWS + NUM_PADDED) < NUM_ROWS
    targets = jnp.where(valid, jnp.sin(3.0 * genotypes[:, 2]) + (genotypes[:, 0] == 1.0), 0.0)
    return genotypes, targets, valid, sample_uniform(jax.random.key(1), SPACE, NUM_QUERIES)


def noise_of(mode):
    return float(np.exp(mode.noise)) + gp.JITTER


def by_hand(genotypes, targets, queries):
    """Mean and variance in double precision with plain inverses."""
    mode = gp.prior_mode(SPACE)
    covariance = np.array(gp.kernel(SPACE, mode, genotypes, genotypes), np.float64) + noise_of(mode) * np.eye(
        len(genotypes)
    )
    across = np.array(gp.kernel(SPACE, mode, genotypes, queries), np.float64)
    inverse = np.linalg.inv(covariance)
    mean = across.T @ inverse @ np.array(targets, np.float64)
    return mean, 1.0 - np.einsum("cq,cd,dq->q", across, inverse, across)


def test_the_posterior_is_the_textbook_one_and_padding_does_not_count():
    genotypes, targets, valid, queries = problem()
    belief = jax.jit(lambda: gp.posterior(SPACE, gp.prior_mode(SPACE), genotypes, targets, valid, queries))()
    mean, variance = by_hand(genotypes[:NUM_ROWS], targets[:NUM_ROWS], queries)
    np.testing.assert_allclose(belief.mean, mean, atol=1e-4)
    np.testing.assert_allclose(belief.variance, variance, atol=1e-4)


def test_believing_a_query_is_measuring_its_mean():
    genotypes, targets, valid, queries = problem()
    mode = gp.prior_mode(SPACE)
    belief = gp.posterior(SPACE, mode, genotypes, targets, valid, queries, num_more=1)
    believed = gp.believe(SPACE, mode, belief, queries, jnp.int32(2))
    more = jnp.concatenate([genotypes[:NUM_ROWS], queries[2:3]])
    mean, variance = by_hand(more, jnp.append(targets[:NUM_ROWS], belief.mean[2]), queries)
    np.testing.assert_allclose(believed.mean, mean, atol=1e-4)
    np.testing.assert_allclose(believed.variance, variance, atol=1e-4)
    assert believed.variance[2] < belief.variance[2]


@pytest.mark.parametrize("dimension", [0, 2])
def test_fitting_finds_the_dimensions_that_matter(dimension):
    genotypes = sample_uniform(jax.random.key(2), SPACE, 40)
    column = genotypes[:, dimension]
    targets = jnp.where(column == 1.0, 1.0, -0.5) if dimension == 0 else jnp.sin(4.0 * column)
    valid = jnp.ones(40, bool)
    fitted = jax.jit(lambda: gp.fit(SPACE, gp.prior_mode(SPACE), genotypes, targets, valid, 30))()
    moved = fitted.inverse_lengths - gp.prior_mode(SPACE).inverse_lengths
    assert int(moved.argmax()) == dimension
    assert (np.delete(np.array(moved), dimension) < 0).all()
