"""A start drawn by a cheap proxy of the losses, which the run checks before it relies on it again."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from metagen_jax.search.counts import check_counts
from metagen_jax.search.optimize import batch_size_of
from metagen_jax.search.pareto import non_dominated_rank
from metagen_jax.search.sampling import Drawn, draw_unseen, new_archive, repaired_among
from metagen_jax.search.seen import Seen, archive_size, genotype_codes, nothing_seen, remember, was_repaired
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy
from metagen_jax.search.warm_start import StartState, asking_first

Proxy = Callable[[jax.Array], jax.Array]  # (N, D) genotypes -> (N,) float, lower is more promising

MEMORY = 256  # told rows that the agreement is measured on, the last ones
CONFIDENCE_SCORE = 1.645  # of a standard normal: exceeded by chance in 5 % of cases


class ProxyState(NamedTuple):
    """The wrapped strategy, and what is known of the proxy. R: told rows kept, M: objectives."""

    start: StartState  # of the wrapped strategy
    scores: jax.Array  # (R,) float32, a ring: what the proxy says of told rows
    losses: jax.Array  # (R, M) float32
    violations: jax.Array  # (R,) float32
    num_told: jax.Array  # () int32
    agreement: jax.Array  # () float32, Spearman's rho of scores and losses
    lower_bound: jax.Array  # () float32, of the agreement
    seen: Seen


def proxy_start(
    strategy: SearchStrategy,
    space: Space,
    proxy: Proxy,
    *,
    num_initial: int,
    num_objectives: int,
    capacity: int,
    pool_size: int = 1000,
    control_share: float = 0.5,
    trusted_share: float = 0.2,
    objective: int = 0,
) -> SearchStrategy:
    """Wraps a strategy so that a proxy (a parameter count, say) draws its first genotypes, and later ones if it proves good.

    Of `num_initial` genotypes a share is drawn uniformly, as a control; each other one is the most promising of its
    own group of a random feasible pool, so that they are good by the proxy but not all alike. From then on the state
    holds how well the proxy ranks what was told (`rank_agreement`). As long as that is surely above 0, each batch
    is, with probability `trusted_share`, what the proxy likes best of a fresh pool; all others are the strategy's.

    Args:
      strategy: what to wrap.
      space: the space that it searches.
      proxy: `(N, D)` genotypes -> `(N,)` float, lower is more promising, pure JAX. NaN is least promising.
      num_initial: how many genotypes to start with.
      num_objectives: M, columns of the losses that will be told.
      capacity: as of the strategy.
      pool_size: how many feasible genotypes the proxy scores for one draw.
      control_share: of the first genotypes, drawn without the proxy: 0 to 1.
      trusted_share: of later batches, drawn by the proxy while it is trusted: 0 to 1.
      objective: the column of the losses that the proxy is a guess of.
    Returns:
      A strategy of the same batch size, whose state is a `ProxyState`.
    Raises:
      ValueError: a count is not positive, a share lies outside 0 to 1, or there is no such objective.
    References:
      Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, 2021, sec. 4.3 (warm-up and move proposal); that proxies
      lose their ranking on other tasks: White et al., A Deeper Look at Zero-Cost Proxies for Lightweight NAS, 2022.
      Departure: the proxy has to show on the run itself that it ranks.

    Examples:
      >>> from metagen_jax.search import aging_evolution, discrete_space, optimize
      >>> space = discrete_space((16, 16, 16), ordered=(True, True, True))
      >>> strategy = aging_evolution(space, population_size=4, num_objectives=1, capacity=40)
      >>> proxy = lambda genotypes: genotypes.sum(axis=1)
      >>> helped = proxy_start(strategy, space, proxy, num_initial=8, num_objectives=1, capacity=40)
      >>> result = optimize(helped, lambda genotypes: (genotypes**2).sum(axis=1), jax.random.key(0), 40)
      >>> bool(is_trusted(result.state))
      True

      A proxy that says the opposite is found out:

      >>> wrong = proxy_start(strategy, space, lambda g: -proxy(g), num_initial=8, num_objectives=1, capacity=40)
      >>> result = optimize(wrong, lambda genotypes: (genotypes**2).sum(axis=1), jax.random.key(0), 40)
      >>> bool(is_trusted(result.state)), bool(result.state.agreement < 0)
      (False, True)
    """
    check_counts(num_initial=num_initial, num_objectives=num_objectives, capacity=capacity, pool_size=pool_size)
    _check_shares(control_share=control_share, trusted_share=trusted_share)
    if not 0 <= objective < num_objectives:
        raise ValueError(f"objective must be from 0 to {num_objectives - 1}, got {objective!r}. 0 is the first column.")
    batch_size = batch_size_of(strategy)
    num_proposed = round(num_initial * (1 - control_share))
    num_kept = min(capacity, MEMORY)

    def draw_first(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        pool, score = _scored_pool(key, space, proxy, max(pool_size, num_initial), nothing_seen(1))
        chosen = jnp.arange(num_initial - num_proposed)  # the control
        if num_proposed > 0:
            rest = score[chosen.size :]
            num_grouped = rest.size // num_proposed * num_proposed
            groups = rest[:num_grouped].reshape(-1, num_proposed)
            winner = groups.argmin(axis=0) * num_proposed + jnp.arange(num_proposed)
            chosen = jnp.concatenate([chosen.size + winner, chosen])
        return pool.genotypes[chosen], pool.repaired[chosen]

    starting = asking_first(strategy, space, draw_first)

    def init(key: jax.Array) -> ProxyState:
        return ProxyState(
            start=starting.init(key),
            scores=jnp.full(num_kept, jnp.inf, jnp.float32),
            losses=jnp.full((num_kept, num_objectives), jnp.nan, jnp.float32),
            violations=jnp.full(num_kept, jnp.inf, jnp.float32),
            num_told=jnp.int32(0),
            agreement=jnp.float32(0.0),
            lower_bound=jnp.float32(-1.0),
            seen=new_archive(space, archive_size(space, capacity, batch_size)),
        )

    def ask(key: jax.Array, state: ProxyState) -> tuple[jax.Array, ProxyState]:
        key_strategy, key_pool, key_turn = jax.random.split(key, 3)

        def by_proxy(state: ProxyState) -> tuple[jax.Array, StartState, jax.Array]:
            pool, score = _scored_pool(key_pool, space, proxy, max(pool_size, batch_size), state.seen)
            genotypes = pool.genotypes[jnp.argsort(score)[:batch_size]]
            return genotypes, state.start, repaired_among(space, genotypes, pool)

        def by_strategy(state: ProxyState) -> tuple[jax.Array, StartState, jax.Array]:
            genotypes, start = starting.ask(key_strategy, state.start)
            return genotypes, start, was_repaired(space, start, genotypes)

        its_turn = is_trusted(state) & ~state.start.pending.any()
        its_turn &= jax.random.uniform(key_turn) < trusted_share
        genotypes, start, repaired = jax.lax.cond(its_turn, by_proxy, by_strategy, state)
        seen = remember(state.seen, genotype_codes(space, genotypes), repaired)
        return genotypes, state._replace(start=start, seen=seen)

    def tell(state: ProxyState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> ProxyState:
        start = starting.tell(state.start, genotypes, losses, violations)
        told = (_scores(proxy, genotypes), losses.astype(jnp.float32), violations.astype(jnp.float32))
        place = (state.num_told + jnp.arange(genotypes.shape[0])) % num_kept
        kept = (state.scores, state.losses, state.violations)
        scores, losses, violations = (
            ring.at[place[-num_kept:]].set(rows[-num_kept:]) for ring, rows in zip(kept, told, strict=True)
        )
        num_told = state.num_told + genotypes.shape[0]
        guessed = losses[:, objective : objective + 1]
        agreement, lower_bound = rank_agreement(scores, guessed, jnp.arange(num_kept) < num_told, violations)
        seen = remember(state.seen, genotype_codes(space, genotypes))
        return ProxyState(start, scores, losses, violations, num_told, agreement, lower_bound, seen)

    return SearchStrategy(init, ask, tell)


def _scored_pool(key: jax.Array, space: Space, proxy: Proxy, num: int, seen: Seen) -> tuple[Drawn, jax.Array]:
    """Draws `num` genotypes and their scores, `(num,)`; feasible and unseen ones first, others score +inf."""
    pool = draw_unseen(key, space, num, seen)
    return pool, jnp.where(pool.good, _scores(proxy, pool.genotypes), jnp.inf)


def _scores(proxy: Proxy, genotypes: jax.Array) -> jax.Array:
    scores = jnp.asarray(proxy(genotypes), jnp.float32)
    return jnp.where(jnp.isnan(scores), jnp.inf, scores)


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name} must lie between 0 and 1, got {share!r}. For example {name}=0.5.")


def is_trusted(state: ProxyState) -> jax.Array:
    """Tells whether the proxy was seen to rank: `()` bool, True where the agreement is surely above 0.

    Examples:
      >>> from metagen_jax.search import discrete_space, random_search
      >>> space = discrete_space((8, 8), ordered=(True, True))
      >>> strategy = random_search(space, population_size=8, num_objectives=1, capacity=16)
      >>> settings = dict(num_initial=8, num_objectives=1, capacity=16)
      >>> helped = proxy_start(strategy, space, lambda genotypes: genotypes.sum(axis=1), **settings)
      >>> genotypes, state = helped.ask(jax.random.key(1), helped.init(jax.random.key(0)))
      >>> bool(is_trusted(state))  # nothing was told yet
      False
      >>> losses = (genotypes**2).sum(axis=1, keepdims=True)
      >>> bool(is_trusted(helped.tell(state, genotypes, losses, jnp.zeros(8))))
      True
    """
    return state.lower_bound > 0.0


def rank_agreement(
    proxy_scores: jax.Array, losses: jax.Array, valid: jax.Array, violations: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Measures how well a proxy orders candidates, and how well it does so at least.

    Spearman's rho is the correlation of ranks, ties sharing their mean rank. Its lower bound is
    `tanh(atanh(rho) - 1.645 sqrt((1 + rho^2 / 2) / (n - 3)))`: in 95 % of runs the true value lies above.

    Args:
      proxy_scores: `(N,)` float, lower is more promising.
      losses: `(N, M)` float, minimised; several objectives are ordered by their non-dominated rank.
      valid: `(N,)` bool, True for real rows. Rows that failed or are infeasible do not count.
      violations: `(N,)` float, `<= 0` is feasible. None: all feasible.
    Returns:
      Rho, `()` float32 from -1 to 1: 1 where the proxy orders as the losses do, 0 where one of them is constant. And its
      lower bound, `()` float32; -1 with fewer than 4 rows. O(N^2).
    Raises:
      ValueError: a shape is not as above.
    References:
      Bonett and Wright, Sample Size Requirements for Estimating Pearson, Kendall and Spearman Correlations, 2000, for the
      standard error.

    Examples:
      >>> losses = jnp.array([[1.0], [2.0], [3.0], [4.0], [5.0], [jnp.nan]])
      >>> rho, lower = rank_agreement(jnp.array([1.0, 3.0, 2.0, 5.0, 9.0, 0.0]), losses, jnp.ones(6, bool))
      >>> f"{float(rho):.2f} {float(lower):.2f}"
      '0.90 0.09'
      >>> rho, lower = rank_agreement(jnp.array([1.0, 2.0, 3.0]), losses[:3], jnp.ones(3, bool))
      >>> float(lower)  # three rows show nothing
      -1.0
    """
    if losses.ndim != 2 or proxy_scores.shape != losses.shape[:1] or valid.shape != losses.shape[:1]:
        raise ValueError(
            f"proxy_scores and valid must be (N,) and losses (N, M), got {proxy_scores.shape}, {valid.shape} and "
            f"{losses.shape}. For one objective pass losses[:, None]."
        )
    if violations is not None:
        valid &= violations <= 0
    valid &= jnp.isfinite(losses).all(axis=1) & jnp.isfinite(proxy_scores)
    order = losses[:, 0] if losses.shape[1] == 1 else non_dominated_rank(losses, valid).astype(jnp.float32)
    rho = _correlation(_mean_ranks(proxy_scores, valid), _mean_ranks(order, valid), valid)
    freedom = valid.sum() - 3.0
    error = jnp.sqrt((1.0 + rho**2 / 2.0) / jnp.maximum(freedom, 1.0))
    inside = jnp.clip(rho, -1.0 + 1e-6, 1.0 - 1e-6)  # the ends have no finite artanh
    return rho, jnp.where(freedom > 0, jnp.tanh(jnp.arctanh(inside) - CONFIDENCE_SCORE * error), -1.0)


def _mean_ranks(values: jax.Array, valid: jax.Array) -> jax.Array:
    """Ranks the valid ones of `(N,)` values from 0; equal ones share the mean of their ranks."""
    below = ((values[None] < values[:, None]) & valid[None]).sum(axis=1)
    equal = ((values[None] == values[:, None]) & valid[None]).sum(axis=1)
    return below + 0.5 * (equal - 1.0)


def _correlation(x: jax.Array, y: jax.Array, valid: jax.Array) -> jax.Array:
    """Pearson's correlation of the valid rows, 0 where there is none."""
    count = jnp.maximum(valid.sum(), 1)
    x, y = (jnp.where(valid, v - jnp.where(valid, v, 0.0).sum() / count, 0.0) for v in (x, y))
    spread = jnp.sqrt((x * x).sum() * (y * y).sum())
    return jnp.where(spread > 0, (x * y).sum() / jnp.where(spread > 0, spread, 1.0), 0.0)
