"""A Gaussian process over mixed genotypes: what losses to expect at new ones, and how sure that is."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.linalg import cho_solve, solve_triangular

from metagen_jax.search.space import Space, to_unit

PRIOR_SPREAD = 1.0  # standard deviation of the logarithms of inverse lengths under their prior
PRIOR_NOISE = 0.03  # of targets with variance 1
JITTER = 1e-4  # added to the noise: what float32 needs to factorise 500 near points
OPTIMIZER = optax.adam(0.2, b1=0.8, b2=0.9)  # few steps, each from where the last fit ended
MATMUL = jax.lax.Precision.HIGHEST  # accelerators would round to bfloat16, and the variance would turn negative


class Hyperparameters(NamedTuple):
    """Logarithms of what the kernel needs. D: genotype length."""

    inverse_lengths: jax.Array  # (D,) float32: how fast correlation falls along each dimension
    noise: jax.Array  # () float32, variance that no genotype explains
    amplitude: jax.Array  # () float32, variance that genotypes explain


class Posterior(NamedTuple):
    """Beliefs about Q genotypes after C measurements and room for N more, before noise."""

    mean: jax.Array  # (Q,) float32
    variance: jax.Array  # (Q,) float32, positive
    explained: jax.Array  # (C + N, Q) float32: prior covariance less explained.T @ explained is the posterior one
    num_measured: jax.Array  # () int32, rows of `explained` in use


def prior_mode(space: Space) -> Hyperparameters:
    """Returns the most likely hyperparameters before anything was seen.

    An ordered dimension is expected to vary over its whole range. Two genotypes that differ in all categorical dimensions
    and no other are expected to correlate by exp(-1.5 sqrt(D)).
    """
    inverse_lengths = np.where(space.is_ordered, 1.0, 1.5 / math.sqrt(space.num_dimensions))
    return Hyperparameters(
        jnp.array(np.log(inverse_lengths), jnp.float32), jnp.float32(math.log(PRIOR_NOISE)), jnp.float32(0.0)
    )


def kernel(space: Space, hyperparameters: Hyperparameters, first: jax.Array, second: jax.Array) -> jax.Array:
    """Correlates genotypes: a product over dimensions, Matern 5/2 in ordered ones, exp(-w) for unequal categories.

    Args:
      space: the space, D dimensions.
      hyperparameters: of the kernel.
      first: `(P, D)` genotypes.
      second: `(Q, D)` genotypes.
    Returns:
      `(P, Q)` float32 prior covariance.
    References:
      Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sec. 4.2 and 5.1.

    Examples:
      >>> from metagen_jax.search import Space, Categorical
      >>> space = Space((Categorical(3),))
      >>> a, b = jnp.array([[0]]), jnp.array([[0], [1], [2]])
      >>> [round(float(value), 2) for value in kernel(space, prior_mode(space), a, b)[0]]
      [1.0, 0.22, 0.22]
    """
    scale = jnp.exp(hyperparameters.inverse_lengths)[None, None]
    distance = jnp.abs(to_unit(space, first)[:, None] - to_unit(space, second)[None])  # (P, Q, D)
    scaled = math.sqrt(5.0) * distance * scale
    matern = jnp.log1p(scaled + scaled * scaled / 3) - scaled
    unequal = -scale * (distance > 0)
    log_correlation = jnp.where(jnp.array(space.is_ordered)[None, None], matern, unequal).sum(axis=-1)
    return jnp.exp(log_correlation + hyperparameters.amplitude)


def fit(
    space: Space,
    start: Hyperparameters,
    genotypes: jax.Array,
    targets: jax.Array,
    valid: jax.Array,
    num_steps: int,
    own_noise: jax.Array | float = 0.0,
) -> Hyperparameters:
    """Moves hyperparameters uphill in posterior density, by Adam steps on their logarithms.

    Args:
      space: the space, D dimensions.
      start: where to begin, for example the result of the last fit.
      genotypes: `(C, D)`.
      targets: `(C,)` float32 of mean 0 and variance about 1.
      valid: `(C,)` bool, True for real rows.
      num_steps: how many; each takes O(C^3) time.
      own_noise: `(C,)` float32, variance of each target beyond the noise that all have.
    Returns:
      The hyperparameters.
    References:
      Rasmussen and Williams, 2006, eq. 5.9: with W = aa^T - K^-1 the gradient of the log evidence is that of
      sum(W * K) / 2 with W held constant, so nothing has to be differentiated through a factorisation.
    """
    mode = prior_mode(space)
    identity = jnp.eye(genotypes.shape[0])

    def loss(hyperparameters: Hyperparameters, pull: jax.Array) -> jax.Array:
        evidence = 0.5 * (pull * _gram(space, hyperparameters, genotypes, valid, own_noise)).sum()
        deviation = jax.tree.map(lambda value, expected: ((value - expected) ** 2).sum(), hyperparameters, mode)
        prior = 0.5 * sum(jax.tree.leaves(deviation)) / PRIOR_SPREAD**2
        return prior - evidence

    def step(carry, _):
        hyperparameters, moments = carry
        factor = jnp.linalg.cholesky(_gram(space, hyperparameters, genotypes, valid, own_noise))
        inverse = cho_solve((factor, True), identity)
        weights = jnp.dot(inverse, targets, precision=MATMUL)
        gradient = jax.grad(loss)(hyperparameters, weights[:, None] * weights[None] - inverse)
        updates, moments = OPTIMIZER.update(gradient, moments)
        return (optax.apply_updates(hyperparameters, updates), moments), None

    return jax.lax.scan(step, (start, OPTIMIZER.init(start)), length=num_steps)[0][0]


def posterior(
    space: Space,
    hyperparameters: Hyperparameters,
    genotypes: jax.Array,
    targets: jax.Array,
    valid: jax.Array,
    queries: jax.Array,
    num_more: int = 0,
    own_noise: jax.Array | float = 0.0,
) -> Posterior:
    """Predicts targets at new genotypes.

    Args:
      space: the space, D dimensions.
      hyperparameters: of the kernel.
      genotypes: `(C, D)` seen ones.
      targets: `(C,)` float32 at these.
      valid: `(C,)` bool, True for real rows.
      queries: `(Q, D)`.
      num_more: N, how often `believe` will be called on the result.
      own_noise: `(C,)` float32, variance of each target beyond the noise that all have.
    Returns:
      What to believe of the queries. O(C^3 + C^2 Q).

    Examples:
      >>> from metagen_jax.search import Continuous, Space
      >>> space = Space((Continuous(0.0, 1.0),))
      >>> seen, targets = jnp.array([[0.0], [1.0]]), jnp.array([-1.0, 1.0])
      >>> belief = posterior(space, prior_mode(space), seen, targets, jnp.ones(2, bool), jnp.array([[0.0], [0.5]]))
      >>> bool(belief.mean[0] < -0.8) and bool(abs(belief.mean[1]) < 1e-3)
      True
      >>> bool(belief.variance[0] < 0.05 < belief.variance[1])
      True
    """
    factor = jnp.linalg.cholesky(_gram(space, hyperparameters, genotypes, valid, own_noise))
    across = jnp.where(valid[:, None], kernel(space, hyperparameters, genotypes, queries), 0.0)  # (C, Q)
    explained = solve_triangular(factor, across, lower=True)
    mean = jnp.dot(solve_triangular(factor, targets, lower=True), explained, precision=MATMUL)
    variance = jnp.exp(hyperparameters.amplitude) - (explained * explained).sum(axis=0)
    room = jnp.zeros((num_more, queries.shape[0]))
    return Posterior(
        mean, jnp.maximum(variance, JITTER), jnp.concatenate([explained, room]), jnp.int32(genotypes.shape[0])
    )


def believe(
    space: Space, hyperparameters: Hyperparameters, belief: Posterior, queries: jax.Array, index: jax.Array
) -> Posterior:
    """Takes the mean of one query for measured: all means stay as they are, and variances near it shrink.

    Args:
      space: the space, D dimensions.
      hyperparameters: of the kernel.
      belief: about `queries`, with room for one more.
      queries: `(Q, D)`.
      index: `()` int32, which of them.
    Returns:
      The new belief. O((C + N + D) Q).
    References:
      Ginsbourger, Le Riche and Carraro, Kriging Is Well-Suited to Parallelize Optimization, 2010 (kriging believer).
    """
    prior = kernel(space, hyperparameters, queries[index][None], queries)[0]  # (Q,)
    column = prior - jnp.dot(belief.explained[:, index], belief.explained, precision=MATMUL)
    noisy = belief.variance[index] + jnp.exp(hyperparameters.noise) + JITTER
    row = column / jnp.sqrt(noisy)
    return Posterior(
        belief.mean,
        jnp.maximum(belief.variance - row * row, JITTER),
        belief.explained.at[belief.num_measured].set(row),
        belief.num_measured + 1,
    )


def _gram(
    space: Space,
    hyperparameters: Hyperparameters,
    genotypes: jax.Array,
    valid: jax.Array,
    own_noise: jax.Array | float,
) -> jax.Array:
    """Covariance of noisy measurements, `(C, C)`; rows of padding are independent of everything."""
    real = valid[:, None] & valid[None]
    covariance = jnp.where(real, kernel(space, hyperparameters, genotypes, genotypes), 0.0)
    return covariance + jnp.diag(jnp.where(valid, jnp.exp(hyperparameters.noise) + JITTER + own_noise, 1.0))
