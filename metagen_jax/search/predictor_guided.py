"""Search guided by a predictor: a Gaussian process of the losses seen so far scores a pool of candidates."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri

from metagen_jax.search import gaussian_process
from metagen_jax.search.counts import check_counts
from metagen_jax.search.evolution import breed
from metagen_jax.search.gaussian_process import Hyperparameters, Posterior
from metagen_jax.search.pareto import best_first
from metagen_jax.search.sampling import draw_unseen, new_archive, remember_asked, sample_uniform, spread_out
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, remember
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy, check_settings, check_told
from metagen_jax.search.uniform import draw_uniform

NUM_INITIAL = 4  # told rows before the predictor is asked
NUM_PARENTS = 8  # best rows that the local half of a pool is bred from
POOL_SIZE = 512  # scored candidates an ask, or 8 for each proposal if that is more
MAX_ROWS = 512  # told rows that the predictor keeps: a fit takes cubic time
WEIGHT_OF_SUM = 0.05  # of the plain weighted sum beside the largest weighted loss, so that weakly dominated points lose
CONFIDENCE = 0.5  # standard deviations below the mean, with several objectives


class PredictorState(NamedTuple):
    """Everything told, and the predictors' hyperparameters. C: rows kept, D: genotype length, M: objectives."""

    genotypes: jax.Array  # (C, D)
    losses: jax.Array  # (C, M) float32
    violations: jax.Array  # (C,) float32
    age: jax.Array  # (C,) int32, the number of the row in the order told; 0 for an empty place
    hyperparameters: Hyperparameters  # every leaf (M, ...)
    seen: Seen


class Prior(NamedTuple):
    """What is believed of some genotypes before anything is told, such as from other tasks. K: how many, M: objectives."""

    genotypes: jax.Array  # (K, D)
    targets: jax.Array  # (K, M) float32, normal quantiles of their ranks there: below 0 is better than the middle
    noise: jax.Array  # (K,) float32, variance of a target beyond that of a loss that is told; more counts less


def predictor_guided(
    space: Space,
    *,
    population_size: int,
    num_objectives: int,
    capacity: int,
    num_initial: int = NUM_INITIAL,
    prior: Prior | None = None,
) -> SearchStrategy:
    """Asks for what a Gaussian process expects to improve most.

    Half of a pool is bred from the best told rows by crossover and mutation, the rest drawn from the space; only feasible
    unseen candidates count, and the space is never listed. For one objective the pool's largest expected improvement
    EI(x) = E[max(best - z(x), 0)] is taken; for several, each proposal draws weights w and takes the smallest
    max_m(w_m l_m) + 0.05 sum_m(w_m l_m) of the lower confidence bounds l. Within a batch, proposals are conditioned on
    the earlier ones as if these had brought what was expected.

    The process sees ranks, as normal quantiles: nothing depends on the scale of a loss, and a disaster is just the last.
    Infeasible rows rank behind all feasible ones by violation, failed ones behind those, so it learns to avoid both.

    Args:
      space: what to search.
      population_size: N, genotypes an `ask`.
      num_objectives: M, columns of the losses that will be told.
      capacity: the most evaluations ever told. Beyond it the oldest are forgotten and may be proposed again.
      num_initial: rows told before the predictor is asked; until then proposals are spread over the space.
      prior: what the process is told beside, as noisy targets; with it the predictor is asked from the beginning. What is
        told counts more and more, since there is ever more of it, and it is less noisy.
    Returns:
      The strategy. An ask takes O(M C^3) time with C = min(capacity, 512) rows: beyond these the best half and the
      newest are kept.
    Raises:
      ValueError: a setting is not positive, or the prior is not of K genotypes and M objectives.
    References:
      Jones, Schonlau and Welch, Efficient Global Optimization of Expensive Black-Box Functions, 1998 (expected
      improvement); Paria, Kandasamy and Poczos, A Flexible Framework for Multi-Objective Bayesian Optimization using
      Random Scalarizations, 2019; White et al., BANANAS, 2021 (pools of mutated candidates). Departures: ranks as
      targets, hyperparameters by a few gradient steps an ask, from where the last ask left them.

    Examples:
      >>> from metagen_jax.search import Continuous, Space
      >>> space = Space((Continuous(-4.0, 4.0), Continuous(-4.0, 4.0)))
      >>> strategy = predictor_guided(space, population_size=1, num_objectives=1, capacity=16)
      >>> genotypes, state = jax.jit(strategy.ask)(jax.random.key(0), strategy.init(jax.random.key(1)))
      >>> state = strategy.tell(state, genotypes, (genotypes**2).sum(axis=1, keepdims=True), jnp.zeros(1))
      >>> int(state.age.max())
      1
      >>> predictor_guided(space, population_size=1, num_objectives=1, capacity=16, num_initial=0)
      Traceback (most recent call last):
      ...
      ValueError: num_initial must be an int of 1 or more, got 0. For example num_initial=8.

      What another task has shown decides where it looks first:

      >>> other = jnp.linspace(-4.0, 4.0, 9)[:, None] * jnp.ones((1, 2))
      >>> prior = Prior(other, jnp.abs(other[:, :1] - 3.0) - 2.0, jnp.full(9, 0.1))
      >>> knowing = predictor_guided(space, population_size=4, num_objectives=1, capacity=16, prior=prior)
      >>> genotypes, _ = jax.jit(knowing.ask)(jax.random.key(0), knowing.init(jax.random.key(1)))
      >>> bool(genotypes.mean() > 1.0)
      True
    """
    check_settings(space, population_size=population_size, num_objectives=num_objectives, capacity=capacity)
    check_counts(num_initial=num_initial)
    prior = _checked(space, num_objectives, prior)
    num_rows = min(capacity, MAX_ROWS)
    pool_size = max(POOL_SIZE, 8 * population_size)
    num_fit_steps = max(4, min(24, 2 * population_size))

    def init(key: jax.Array) -> PredictorState:
        del key  # nothing is random before the first ask
        mode = gaussian_process.prior_mode(space)
        return PredictorState(
            genotypes=jnp.zeros((num_rows, space.num_dimensions), space.dtype),
            losses=jnp.full((num_rows, num_objectives), jnp.nan, jnp.float32),
            violations=jnp.zeros(num_rows, jnp.float32),
            age=jnp.zeros(num_rows, jnp.int32),
            hyperparameters=jax.tree.map(lambda leaf: jnp.repeat(leaf[None], num_objectives, axis=0), mode),
            seen=new_archive(space, archive_size(space, capacity, population_size)),
        )

    def ask(key: jax.Array, state: PredictorState) -> tuple[jax.Array, PredictorState]:
        key_breed, key_draw, key_fill, key_weights = jax.random.split(key, 4)
        was_told_enough = (state.age > 0).sum() >= num_initial
        knows_enough = was_told_enough | bool(len(prior.genotypes))
        children = breed(key_breed, space, *_parents(state, prior, was_told_enough), pool_size // 2)
        preferred = jnp.where(knows_enough, children, sample_uniform(key_draw, space, pool_size // 2))
        drawn = draw_unseen(
            key_fill,
            space,
            pool_size,
            state.seen,
            preferred=preferred,
            num_good=pool_size // 4,
            num_bred=jnp.where(knows_enough, pool_size // 8, 0),
        )
        pool, good = drawn.genotypes, drawn.good
        weights = _random_weights(key_weights, population_size, num_objectives)
        genotypes, hyperparameters = jax.lax.cond(
            knows_enough,
            lambda: _propose(space, state, prior, pool, good, weights, num_fit_steps),
            lambda: (spread_out(space, pool, good, population_size), state.hyperparameters),
        )
        seen = remember_asked(space, state.seen, genotypes, drawn)
        return genotypes, state._replace(hyperparameters=hyperparameters, seen=seen)

    def tell(state: PredictorState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> PredictorState:
        check_told(space, num_objectives, genotypes, losses, violations)
        genotypes = genotypes.astype(space.dtype)
        everyone = state._replace(
            genotypes=jnp.concatenate([state.genotypes, genotypes]),
            losses=jnp.concatenate([state.losses, losses.astype(jnp.float32)]),
            violations=jnp.concatenate([state.violations, violations.astype(jnp.float32)]),
            age=jnp.concatenate([state.age, state.age.max() + 1 + jnp.arange(genotypes.shape[0], dtype=jnp.int32)]),
            seen=remember(state.seen, genotype_codes(space, genotypes)),
        )
        return _keep(everyone, num_rows)

    return SearchStrategy(init, ask, tell)


def _checked(space: Space, num_objectives: int, prior: Prior | None) -> Prior:
    """The prior in the types of the space; one of no genotypes where there is none."""
    dimensions = space.num_dimensions
    if prior is None:
        return Prior(jnp.zeros((0, dimensions), space.dtype), jnp.zeros((0, num_objectives)), jnp.zeros(0))
    count = len(prior.genotypes)
    shapes = (prior.genotypes.shape, prior.targets.shape, prior.noise.shape)
    if shapes != ((count, dimensions), (count, num_objectives), (count,)):
        expected = f"(K, {dimensions}), (K, {num_objectives}) and (K,)"
        raise ValueError(f"prior must have genotypes, targets and noise of shapes {expected}, got {shapes}.")
    return Prior(
        prior.genotypes.astype(space.dtype), prior.targets.astype(jnp.float32), prior.noise.astype(jnp.float32)
    )


def _parents(state: PredictorState, prior: Prior, by_told: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What the local half of a pool is bred from, `(P, D)`, and how many of it count: the best told, or of the prior."""
    valid = state.age > 0
    told = state.genotypes[best_first(state.losses, valid, state.violations, NUM_PARENTS)]
    num_told = jnp.clip(valid.sum(), 1, NUM_PARENTS)
    count = min(len(prior.genotypes), NUM_PARENTS, len(told))
    if count == 0:
        return told, num_told
    known = prior.genotypes[jnp.argsort(prior.targets.sum(axis=1))[:count]]
    return jnp.where(by_told, told, told.at[:count].set(known)), jnp.where(by_told, num_told, count)


def _keep(state: PredictorState, num_rows: int) -> PredictorState:
    """Keeps the best half of the places and fills the rest with the newest rows."""
    valid = state.age > 0
    elite = best_first(state.losses, valid, state.violations, num_rows // 2)
    is_elite = jnp.zeros(valid.shape, bool).at[elite].set(True) & valid
    kept = jnp.lexsort((-state.age, ~is_elite))[:num_rows]
    return state._replace(
        genotypes=state.genotypes[kept],
        losses=state.losses[kept],
        violations=state.violations[kept],
        age=state.age[kept],
    )


def _propose(
    space: Space,
    state: PredictorState,
    prior: Prior,
    pool: jax.Array,
    good: jax.Array,
    weights: jax.Array,
    num_fit_steps: int,
) -> tuple[jax.Array, Hyperparameters]:
    """Fits one process an objective and picks one candidate of the pool for each of `(N, M)` weights.

    Returns:
      `(N, D)` genotypes, and the hyperparameters, every leaf `(M, ...)`.
    """
    told = state.age > 0
    told_targets = normal_quantiles(state.losses, state.violations, told).T  # (M, C)
    targets = jnp.concatenate([told_targets, prior.targets.T], axis=1)  # (M, C + K)
    genotypes = jnp.concatenate([state.genotypes, prior.genotypes])
    valid = jnp.concatenate([told, jnp.ones(len(prior.genotypes), bool)])
    noise = jnp.concatenate([jnp.zeros(told.size), prior.noise])

    def believe_in(start: Hyperparameters, targets: jax.Array) -> tuple[Hyperparameters, Posterior]:
        fitted = gaussian_process.fit(space, start, genotypes, targets, valid, num_fit_steps, noise)
        belief = gaussian_process.posterior(
            space, fitted, genotypes, targets, valid, pool, num_more=weights.shape[0], own_noise=noise
        )
        return fitted, belief

    # A loop, because XLA solves batches of triangular systems on CPU many times slower than one after another.
    fitted, belief = jax.lax.map(lambda each: believe_in(*each), (state.hyperparameters, targets))
    counted = jnp.concatenate([told, jnp.broadcast_to(~told.any(), len(prior.genotypes))])
    best = jnp.where(counted[None], targets, jnp.inf).min(axis=1)  # (M,)
    # Where fewer candidates are good than asked for, the others follow in the order of the pool.
    last_resort = -1e9 - jnp.arange(good.size, dtype=jnp.float32)

    def propose_one(carry, weight):
        belief, best, eligible = carry
        value = _expected_improvement(belief, best) if best.size == 1 else _scalarised_bound(belief, best, weight)
        chosen = jnp.argmax(jnp.where(eligible, jnp.where(good, value, last_resort), -jnp.inf))
        best = jnp.minimum(best, belief.mean[:, chosen])
        belief = jax.vmap(lambda h, b: gaussian_process.believe(space, h, b, pool, chosen))(fitted, belief)
        return (belief, best, eligible.at[chosen].set(False)), chosen

    start = (belief, best, jnp.ones(good.shape, bool))
    _, chosen = jax.lax.scan(propose_one, start, weights)
    return pool[chosen], fitted


def normal_quantiles(losses: jax.Array, violations: jax.Array, valid: jax.Array) -> jax.Array:
    """Replaces losses by the normal quantiles of their ranks, so that every objective has mean 0 and variance about 1.

    Args:
      losses: `(C, M)` float32.
      violations: `(C,)` float32; infeasible rows rank behind all feasible ones, by violation.
      valid: `(C,)` bool, True for real rows. Failed rows (not finite) share the last rank.
    Returns:
      `(C, M)` float32, 0 in rows of padding.
    References:
      Salinas, Shen and Perrone, A Quantile-Based Approach for Hyperparameter Transfer Learning, 2020.

    Examples:
      >>> losses = jnp.array([[1.0], [1e9], [jnp.nan], [5.0]])
      >>> quantiles = normal_quantiles(losses, jnp.array([0.0, 0.0, 0.0, 2.0]), jnp.ones(4, bool))
      >>> jnp.argsort(quantiles[:, 0]).tolist()
      [0, 1, 3, 2]
    """
    infeasible = violations > 0
    failed = jnp.isnan(violations) | (~infeasible & ~jnp.isfinite(losses).all(axis=1))
    tier = jnp.where(failed, 2, jnp.where(infeasible, 1, 0))  # (C,)
    value = jnp.where((tier == 0)[:, None], losses, jnp.where(tier == 1, violations, 0.0)[:, None])  # (C, M)
    lower_tier, same_tier = tier[:, None] < tier[None], tier[:, None] == tier[None]  # (C, C)
    below = lower_tier[..., None] | (same_tier[..., None] & (value[:, None] < value[None]))  # row i below row j
    equal = same_tier[..., None] & (value[:, None] == value[None])
    counted = valid[:, None, None].astype(jnp.float32)
    rank = ((below + 0.5 * equal) * counted).sum(axis=0)  # (C, M), equal rows share the middle
    share = rank / jnp.maximum(valid.sum(), 1).astype(jnp.float32)
    return jnp.where(valid[:, None], ndtri(jnp.clip(share, 1e-6, 1 - 1e-6)), 0.0)


def _expected_improvement(belief: Posterior, best: jax.Array) -> jax.Array:
    """Logarithm of the expected improvement, `(P,)`; the belief is about one objective."""
    deviation = jnp.sqrt(belief.variance[0])
    gap = (best[0] - belief.mean[0]) / deviation
    density = jnp.exp(-0.5 * gap * gap) / math.sqrt(2 * math.pi)
    improvement = deviation * (gap * ndtr(gap) + density)
    # Far below the best, the difference cancels in float32: there the bound orders candidates.
    return jnp.where(gap > -4.0, jnp.log(jnp.maximum(improvement, 1e-12)), gap - 30.0)


def _scalarised_bound(belief: Posterior, best: jax.Array, weight: jax.Array) -> jax.Array:
    """Minus the augmented Chebyshev scalarisation of the lower confidence bounds, `(P,)`."""
    bound = belief.mean - CONFIDENCE * jnp.sqrt(belief.variance)  # (M, P)
    weighted = weight[:, None] * (bound - best[:, None])
    return -(weighted.max(axis=0) + WEIGHT_OF_SUM * weighted.sum(axis=0))


def _random_weights(key: jax.Array, num: int, num_objectives: int) -> jax.Array:
    """Draws `(num, M)` weights evenly from the simplex. The key is consumed."""
    exponential = -jnp.log1p(-draw_uniform(key, (num, num_objectives)))
    return exponential / jnp.maximum(exponential.sum(axis=1, keepdims=True), 1e-12)
