"""A normal distribution over R^n that moves towards its better samples: the update of CMA-ES, without genotypes.

n: coordinates, R: rows of a batch. All times are per update.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

RESOLUTION = 2.0**-25  # no deviation is smaller than this share of the mean; float32 resolves 2^-24
SMALLEST_DEVIATION, LARGEST_DEVIATION = 1e-20, 1.0  # of a coordinate whose range has length 1
SMALLEST_STEP, LARGEST_STEP = 1e-12, 1e3  # of sigma alone; the factor makes deviations smaller or larger still
FASTEST_GROWTH = 1.0  # of log sigma in one update
ALMOST_ZERO = 1e-30  # keeps a division by a length defined


class Normal(NamedTuple):
    """A normal distribution with covariance sigma^2 A A^T, and the two evolution paths that adapt it."""

    mean: jax.Array  # (n,) float32
    step: jax.Array  # () float32, sigma
    factor: jax.Array  # (n, n) float32, A, lower triangular; (n,) where the covariance is diagonal
    step_path: jax.Array  # (n,) float32, p_sigma, in the coordinates in which the distribution is round
    covariance_path: jax.Array  # (n,) float32, p_c, in the coordinates of the mean
    generation: jax.Array  # () int32, updates so far


class Covariance(NamedTuple):
    """How the factor A of a covariance matrix is stored and used."""

    identity: Callable[[int], jax.Array]  # n -> A
    colour: Callable[[jax.Array, jax.Array], jax.Array]  # A, (R, n) round rows z -> A z of each
    whiten: Callable[[jax.Array, jax.Array], jax.Array]  # A, (R, n) rows y -> A^-1 y of each
    adapt: Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
    """A, keep `()`, weights `(R,)`, round rows Z `(R, n)` -> the factor of A (keep I + Z^T diag(weights) Z) A^T."""
    deviations: Callable[[jax.Array], jax.Array]  # A -> (n,)
    stretch: Callable[[jax.Array, jax.Array], jax.Array]  # A, (n,) -> diag of it times A
    learning_speed: Callable[[int], float]  # n -> how much faster than a full matrix it may be learned


class Rates(NamedTuple):
    """Weights and learning rates of one generation, in Hansen's symbols. All are float32."""

    weights: jax.Array  # (R,), best row first; the positive ones sum to 1, the negative ones unlearn directions
    mu_eff: jax.Array  # (), how many rows the positive weights amount to
    c_sigma: jax.Array  # ()
    d_sigma: jax.Array  # ()
    c_c: jax.Array  # ()
    c_1: jax.Array  # ()
    c_mu: jax.Array  # ()


def unfused(product: jax.Array) -> jax.Array:
    """Rounds a product to 22 bits of mantissa, so that no compiler contracts it with a sum that follows.

    LLVM turns a b + c into one operation with one rounding where both stand in the same loop, which depends on what
    surrounds them: without this a run under `vmap` would differ in the last bit from the same run alone. For the same
    reason arrays are multiplied by the reciprocal of a scalar here and not divided by it, which XLA does in some programs.

    Examples:
      >>> float(unfused(jnp.float32(1.5)))
      1.5
      >>> bool(unfused(jnp.float32(1 / 3)) == jnp.float32(1 / 3))
      False
    """
    return jax.lax.reduce_precision(product, exponent_bits=8, mantissa_bits=22)


def initial_normal(covariance: Covariance, mean: np.ndarray, step: float, smallest: np.ndarray) -> Normal:
    """Starts with equal deviations, but none below `smallest`, `(n,)`.

    Examples:
      >>> from metagen_jax.search.cma_es import FULL
      >>> initial_normal(FULL, np.zeros(2, np.float32), 0.5, np.zeros(2, np.float32)).step.item()
      0.5
      >>> initial_normal(FULL, np.zeros(2, np.float32), 0.5, np.array([0.0, 1.0], np.float32)).factor.tolist()
      [[1.0, 0.0], [0.0, 2.0]]
    """
    nothing = jnp.zeros(mean.size, jnp.float32)
    round_one = Normal(
        jnp.array(mean), jnp.float32(step), covariance.identity(mean.size), nothing, nothing, jnp.int32(0)
    )
    return _keep_deviations(covariance, round_one, smallest)


def draw_round(key: jax.Array, num: int, num_coordinates: int) -> jax.Array:
    """Draws standard normal rows in pairs of opposite sign, whose directions are orthogonal.

    Every row is standard normal by itself; together they cover the directions more evenly than independent ones. Where
    there are more pairs than coordinates, every block of n pairs is orthogonal in itself.

    Args:
      key: consumed.
      num: R, how many rows.
      num_coordinates: n.
    Returns:
      `(R, n)` float32. O(R n min(R, n)).
    References:
      Wang, Emmerich and Baeck, Mirrored Orthogonal Sampling with Pairwise Selection in Evolution Strategies, 2014.

    Examples:
      >>> rows = draw_round(jax.random.key(0), 6, 3)
      >>> bool((rows[:3] == -rows[3:]).all())
      True
      >>> bool(jnp.abs(rows[0] @ rows[1]) < 1e-5)
      True
    """
    num_pairs = (num + 1) // 2
    num_blocks = -(-num_pairs // num_coordinates)
    shape = (num_blocks, min(num_pairs, num_coordinates), num_coordinates)
    drawn = jax.random.normal(key, (math.prod(shape),)).reshape(shape)  # a flat draw compiles faster
    directions, _ = jnp.linalg.qr(drawn.swapaxes(1, 2))  # (blocks, n, rows), columns of length 1
    directions = directions.swapaxes(1, 2)
    lengths = jnp.sqrt(unfused(drawn**2).sum(axis=2, keepdims=True))
    sign = jnp.where((directions * drawn).sum(axis=2, keepdims=True) < 0.0, -1.0, 1.0)  # which the QR leaves open
    rows = (directions * lengths * sign).reshape(-1, num_coordinates)[:num_pairs]
    return jnp.concatenate([rows, -rows])[:num]


def place(covariance: Covariance, normal: Normal, samples: jax.Array) -> jax.Array:
    """Turns `(R, n)` round samples into points of the distribution."""
    return normal.mean[None] + unfused(normal.step * covariance.colour(normal.factor, samples))


def learning_rates(num_rows: int, count: jax.Array | int, num_coordinates: int, speed: float = 1.0) -> Rates:
    """Gives Hansen's default weights and learning rates for a generation.

    Args:
      num_rows: R; weights of rows from `count` on are 0.
      count: `()`, lambda, the rows that are real, at least 2.
      num_coordinates: n.
      speed: factor on both learning rates of the covariance, for a matrix with fewer than n (n + 1) / 2 numbers.
    Returns:
      The weights and rates.
    References:
      Hansen, The CMA Evolution Strategy: A Tutorial, 2016, table 1 and equations 49-58.

    Examples:
      >>> rates = learning_rates(10, 10, 10)
      >>> [round(weight, 3) for weight in rates.weights.tolist()][:5]
      [0.456, 0.271, 0.162, 0.085, 0.026]
      >>> round(rates.mu_eff.item(), 2), round(rates.c_1.item(), 4)
      (3.17, 0.0153)
    """
    n = num_coordinates
    size = jnp.asarray(count, jnp.float32)
    place_in_order = jnp.arange(1, num_rows + 1, dtype=jnp.float32)
    preference = jnp.where(place_in_order <= size, jnp.log((size + 1) / 2) - jnp.log(place_in_order), 0.0)  # (R,)
    positive, negative = jnp.maximum(preference, 0.0), jnp.maximum(-preference, 0.0)
    positive = positive * (1.0 / jnp.maximum(positive.sum(), ALMOST_ZERO))
    mu_eff = 1.0 / jnp.maximum(unfused(positive**2).sum(), ALMOST_ZERO)
    mu_eff_negative = negative.sum() ** 2 / jnp.maximum(unfused(negative**2).sum(), ALMOST_ZERO)
    c_1 = jnp.minimum(speed * 2.0 / ((n + 1.3) ** 2 + mu_eff), 0.5)
    c_mu = jnp.minimum(
        0.9 * (1.0 - c_1), speed * 2.0 * (0.25 + mu_eff + 1.0 / mu_eff - 2.0) / ((n + 2.0) ** 2 + mu_eff)
    )
    most_negative = jnp.minimum(1.0 + c_1 / c_mu, 1.0 + 2.0 * mu_eff_negative / (mu_eff + 2.0))
    most_negative = jnp.minimum(most_negative, (1.0 - c_1 - c_mu) / (n * c_mu))  # keeps the matrix positive definite
    c_sigma = (mu_eff + 2.0) / (n + mu_eff + 5.0)
    return Rates(
        weights=positive - unfused(negative * (most_negative / jnp.maximum(negative.sum(), ALMOST_ZERO))),
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1.0 + 2.0 * jnp.maximum(0.0, jnp.sqrt((mu_eff - 1.0) / (n + 1.0)) - 1.0) + c_sigma,
        c_c=(4.0 + mu_eff / n) / (n + 4.0 + 2.0 * mu_eff / n),
        c_1=c_1,
        c_mu=c_mu,
    )


def turn_over(covariance: Covariance, normal: Normal, mean: jax.Array, outside: jax.Array) -> Normal:
    """Reflects a distribution in the coordinates marked in `outside`, `(n,)` bool; `mean` is where its mean comes to lie.

    Examples:
      >>> from metagen_jax.search.cma_es import FULL
      >>> normal = initial_normal(FULL, np.array([0.1, 1.2], np.float32), 0.5, np.zeros(2, np.float32))
      >>> turned = turn_over(FULL, normal, jnp.array([0.1, 0.8]), jnp.array([False, True]))
      >>> turned.mean.tolist() == normal.mean.tolist()
      False
      >>> turned.factor.tolist()
      [[1.0, 0.0], [-0.0, -1.0]]
    """
    sign = jnp.where(outside, -1.0, 1.0)
    return normal._replace(
        mean=mean, factor=covariance.stretch(normal.factor, sign), covariance_path=sign * normal.covariance_path
    )


def update(covariance: Covariance, normal: Normal, points: jax.Array, count: jax.Array, smallest: np.ndarray) -> Normal:
    """Moves a distribution towards the better of its samples, and adapts its step size and covariance.

    With z_i = A^-1 (x_i - m) / sigma, z_w their average with the positive weights and s the factor that makes sqrt(s) z_w
    as long as a standard normal row under random selection:

      p_sigma <- (1 - c_sigma) p_sigma + sqrt(c_sigma (2 - c_sigma) s) z_w,  p_c alike with c_c
      A A^T   <- A ((1 - c_1 - c_mu sum w) I + c_1 q q^T + c_mu sum w_i z_i z_i^T) A^T,  q = A^-1 p_c
      m       <- m + sigma A z_w
      sigma   <- sigma exp(c_sigma / d_sigma (|p_sigma| / E|N(0, I)| - 1))

    Args:
      covariance: how the factor is stored.
      normal: the distribution.
      points: `(R, n)`, best first, wherever they come from.
      count: `()` int32, how many of them are real, at least 2; the first ones are.
      smallest: `(n,)`, deviations to stay above.
    Returns:
      The new distribution. O(n^2 (n + R)) for a full matrix, O(n R) for a diagonal one.
    References:
      Hansen, The CMA Evolution Strategy: A Tutorial, 2016, figure 6; Injecting External Solutions Into CMA-ES, 2011, for
      the longest z_i. Departures: A is a Cholesky factor, so p_sigma is not turned with it (Krause, Arbones and Igel,
      2016); s is measured on the rows, where Hansen has mu_eff, as these need not be independent.
    """
    num_rows, n = points.shape
    rates = learning_rates(num_rows, count, n, covariance.learning_speed(n))
    steps = (points - normal.mean[None]) * (1.0 / normal.step)
    whitened = covariance.whiten(normal.factor, jnp.concatenate([steps, normal.covariance_path[None]]))
    samples, path = whitened[:-1], whitened[-1]
    samples = jnp.where((jnp.arange(num_rows) < count)[:, None], samples, 0.0)
    shrink = jnp.minimum(1.0, _longest(n) / jnp.sqrt(jnp.maximum(unfused(samples**2).sum(axis=1), ALMOST_ZERO)))
    samples = unfused(samples * shrink[:, None])
    square = unfused(samples**2).sum(axis=1)  # (R,)

    average = unfused(jnp.maximum(rates.weights, 0.0)[:, None] * samples).sum(axis=0)
    direction = average * jnp.sqrt(n / _random_square(samples, square, count, rates.mu_eff))
    step_path = unfused((1.0 - rates.c_sigma) * normal.step_path)
    step_path += unfused(jnp.sqrt(rates.c_sigma * (2.0 - rates.c_sigma)) * direction)
    relative_length = jnp.sqrt(unfused(step_path**2).sum()) / _expected_length(n)
    settled = jnp.sqrt(1.0 - (1.0 - rates.c_sigma) ** (2.0 * (normal.generation + 1).astype(jnp.float32)))
    stalled = relative_length >= (1.4 + 2.0 / (n + 1.0)) * settled  # sigma is far too small: wait for it
    push = jnp.where(stalled, 0.0, jnp.sqrt(rates.c_c * (2.0 - rates.c_c)))
    path = unfused((1.0 - rates.c_c) * path) + unfused(push * direction)

    lost = jnp.where(stalled, rates.c_1 * rates.c_c * (2.0 - rates.c_c), 0.0)
    balance = jnp.where(rates.weights < 0.0, n / jnp.maximum(square, ALMOST_ZERO), 1.0)
    balance = jnp.where(square > ALMOST_ZERO, balance, 0.0)
    keep = 1.0 + unfused(lost) - rates.c_1 - unfused(rates.c_mu * rates.weights.sum())
    row_weights = jnp.append(rates.c_mu * rates.weights * balance, rates.c_1)
    factor = covariance.adapt(normal.factor, keep, row_weights, jnp.concatenate([samples, path[None]]))

    moved = covariance.colour(normal.factor, jnp.stack([average, path]))
    growth = rates.c_sigma / rates.d_sigma * (relative_length - 1.0)
    changed = Normal(
        mean=normal.mean + unfused(normal.step * moved[0]),
        step=jnp.clip(normal.step * jnp.exp(jnp.minimum(growth, FASTEST_GROWTH)), SMALLEST_STEP, LARGEST_STEP),
        factor=factor,
        step_path=step_path,
        covariance_path=moved[1],
        generation=normal.generation + 1,
    )
    return _if_finite(covariance, _keep_deviations(covariance, changed, smallest), normal)


def _if_finite(covariance: Covariance, changed: Normal, before: Normal) -> Normal:
    """Starts again without correlations where float32 no longer holds them, as after many rounds without progress."""
    finite = jnp.isfinite(changed.factor).all() & jnp.isfinite(changed.mean).all() & jnp.isfinite(changed.step)
    uncorrelated = covariance.stretch(covariance.identity(before.mean.size), covariance.deviations(before.factor))
    nothing = jnp.zeros_like(before.mean)
    again = before._replace(factor=uncorrelated, step_path=nothing, covariance_path=nothing)
    return jax.tree.map(lambda new, old: jnp.where(finite, new, old), changed, again)


def _longest(num_coordinates: int) -> float:
    """The longest z that counts in full; samples of the distribution itself are rarely cut (Hansen 2011)."""
    return math.sqrt(num_coordinates) + 2.0 * num_coordinates / (num_coordinates + 2.0)


def _expected_length(num_coordinates: int) -> float:
    """The mean length of a standard normal row."""
    n = num_coordinates
    return math.sqrt(2.0) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2))


def _random_square(samples: jax.Array, square: jax.Array, count: jax.Array, mu_eff: jax.Array) -> jax.Array:
    """The expected squared length of the weighted average, were the weights given to the rows at random.

    n / mu_eff for independent rows, less for pairs of opposite sign, which partly cancel. It is not taken to be less than
    for such pairs, so that rows made short by rounding do not look like long steps.
    """
    num = jnp.maximum(count.astype(jnp.float32), 2.0)
    total = square.sum()
    between = (unfused(samples.sum(axis=0) ** 2).sum() - total) / (
        num * (num - 1.0)
    )  # mean product of two different rows
    measured = unfused(total / num * (1.0 / mu_eff)) + unfused((1.0 - 1.0 / mu_eff) * between)
    of_pairs = samples.shape[1] * (1.0 / mu_eff - (1.0 - 1.0 / mu_eff) / (num - 1.0))
    return jnp.maximum(measured, jnp.maximum(of_pairs, ALMOST_ZERO))


def _keep_deviations(covariance: Covariance, normal: Normal, smallest: np.ndarray) -> Normal:
    """Stretches coordinates that would freeze, or of which float32 would not resolve the samples; cuts endless ones."""
    deviations = normal.step * covariance.deviations(normal.factor)
    lowest = jnp.maximum(jnp.maximum(smallest, SMALLEST_DEVIATION), RESOLUTION * jnp.abs(normal.mean))
    kept = jnp.clip(deviations, lowest, LARGEST_DEVIATION)
    return normal._replace(factor=covariance.stretch(normal.factor, kept / deviations))
