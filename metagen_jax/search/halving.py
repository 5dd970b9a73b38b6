"""Successive halving and Hyperband as promotion rules: many candidates at a small budget, the best at a larger one."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.counts import check_counts
from metagen_jax.search.optimize import batch_size_of
from metagen_jax.search.pareto import best_first, is_usable
from metagen_jax.search.strategy import SearchStrategy


@dataclasses.dataclass(frozen=True)
class Rung:
    """One level of a bracket.

    Attributes:
      num_candidates: how many are evaluated here.
      budget: what each of them may spend in total, in any unit (steps, epochs, samples).

    Raises:
      ValueError: a count is not positive.

    Examples:
      >>> Rung(num_candidates=27, budget=100)
      Rung(num_candidates=27, budget=100)
      >>> Rung(num_candidates=0, budget=100)
      Traceback (most recent call last):
      ...
      ValueError: num_candidates must be an int of 1 or more, got 0. For example num_candidates=8.
    """

    num_candidates: int
    budget: int

    def __post_init__(self) -> None:
        check_counts(num_candidates=self.num_candidates, budget=self.budget)


Bracket = tuple[Rung, ...]


def successive_halving(num_candidates: int, min_budget: int, max_budget: int, eta: int = 3) -> Bracket:
    """Plans one bracket: from rung to rung the best 1 / eta go on, with eta times the budget.

    `num_candidates eta^-i` of them, at least 1, get `min_budget eta^i`; the last rung has exactly `max_budget`.

    Args:
      num_candidates: how many start.
      min_budget: what each may spend on the first rung.
      max_budget: what each may spend on the last rung, at least `min_budget`.
      eta: the share kept is 1 / eta, 2 or more.
    Returns:
      The rungs, budgets rising.
    Raises:
      ValueError: a count is not positive, `eta` is below 2 or the budgets are in the wrong order.
    References:
      Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, 2016, fig. 1;
      Karnin et al., Almost Optimal Exploration in Multi-Armed Bandits, 2013. Departure: the first budget is given
      rather than found from a total.

    Examples:
      >>> successive_halving(9, min_budget=10, max_budget=100)
      (Rung(num_candidates=9, budget=10), Rung(num_candidates=3, budget=30), Rung(num_candidates=1, budget=100))
      >>> successive_halving(8, min_budget=100, max_budget=10)
      Traceback (most recent call last):
      ...
      ValueError: min_budget must not exceed max_budget, got 100 and 10. Exchange them.
    """
    check_counts(num_candidates=num_candidates, min_budget=min_budget, max_budget=max_budget)
    _check_eta(eta)
    if min_budget > max_budget:
        raise ValueError(f"min_budget must not exceed max_budget, got {min_budget} and {max_budget}. Exchange them.")
    num_rungs = 1
    while min_budget * eta**num_rungs <= max_budget:
        num_rungs += 1
    budgets = [min_budget * eta**i for i in range(num_rungs - 1)] + [max_budget]
    return tuple(Rung(max(1, num_candidates // eta**i), budget) for i, budget in enumerate(budgets))


def hyperband(max_budget: int, eta: int = 3) -> tuple[Bracket, ...]:
    """Plans brackets of about equal cost, from many candidates at a small budget to few at the full one.

    With `s_max = floor(log_eta max_budget)` bracket `s = s_max .. 0` starts `ceil((s_max + 1) / (s + 1) eta^s)`
    candidates with `max_budget eta^-s`. This hedges against budgets too small to rank candidates.

    Args:
      max_budget: what a candidate may spend on the last rung, in units of the smallest budget that makes sense.
      eta: the share kept is 1 / eta, 2 or more.
    Returns:
      The brackets, the most aggressive first.
    Raises:
      ValueError: `max_budget` is not positive or `eta` is below 2.
    References:
      Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, 2018, algorithm 1. Departure:
      budgets are rounded to whole units.

    Examples:
      >>> for bracket in hyperband(9):
      ...     print([(rung.num_candidates, rung.budget) for rung in bracket])
      [(9, 1), (3, 3), (1, 9)]
      [(5, 3), (1, 9)]
      [(3, 9)]
      >>> sum(rung.num_candidates * rung.budget for bracket in hyperband(81) for rung in bracket)
      1902
    """
    check_counts(max_budget=max_budget)
    _check_eta(eta)
    s_max = 0
    while eta ** (s_max + 1) <= max_budget:
        s_max += 1
    return tuple(_hyperband_bracket(max_budget, eta, s, s_max) for s in range(s_max, -1, -1))


def _hyperband_bracket(max_budget: int, eta: int, s: int, s_max: int) -> Bracket:
    num_candidates = -(-(s_max + 1) * eta**s // (s + 1))  # rounded up
    rungs = ((max(1, num_candidates // eta**i), round(max_budget / eta ** (s - i))) for i in range(s + 1))
    return tuple(Rung(count, budget) for count, budget in rungs)


def _check_eta(eta: int) -> None:
    check_counts(eta=eta)
    if eta < 2:
        raise ValueError(f"eta must be 2 or more, got {eta}. Write eta=3: a third is kept.")


def promote(losses: jax.Array, valid: jax.Array, num: int, violations: jax.Array | None = None) -> jax.Array:
    """Marks the rows that go on to the next rung.

    Args:
      losses: `(N, M)` float at the same budget, every objective minimised. A row that is not finite has failed.
      valid: `(N,)` bool, True for real rows.
      num: how many to promote.
      violations: `(N,)` float, `<= 0` is feasible. None: all feasible.
    Returns:
      `(N,)` bool: the best `num` rows by `best_first`. Fewer where fewer are usable; a failed row never goes on, an
      infeasible one only where the feasible ones do not suffice.
    Raises:
      ValueError: `num` is not positive or `losses` is not two-dimensional.

    Examples:
      >>> losses = jnp.array([[3.0], [1.0], [jnp.nan], [2.0]])
      >>> promote(losses, jnp.ones(4, bool), num=2).tolist()
      [False, True, False, True]
      >>> promote(losses, jnp.ones(4, bool), num=2, violations=jnp.array([0.0, 9.0, 0.0, 0.0])).tolist()
      [True, False, False, True]
    """
    check_counts(num=num)
    if violations is None:
        violations = jnp.zeros(losses.shape[0], jnp.float32)
    order = best_first(losses, valid, violations, num)
    chosen = jnp.zeros(losses.shape[0], bool).at[order].set(True)
    return chosen & is_usable(losses, valid, violations)


class RungsResult(NamedTuple):
    """Every candidate that was evaluated, in order of its start. E: candidates, D: genotype length, M: objectives."""

    genotypes: jax.Array  # (E, D)
    losses: jax.Array  # (E, M) float32, at the highest budget that the candidate reached
    violations: jax.Array  # (E,) float32
    budgets: jax.Array  # (E,) int32, that budget
    spent: jax.Array  # (E,) int32, sum of the budgets of all its rungs: what it costs if each rung starts afresh
    state: Any  # of the strategy


def optimize_with_rungs(
    strategy: SearchStrategy,
    evaluate: Callable[[jax.Array, int], jax.Array],
    key: jax.Array,
    brackets: tuple[Bracket, ...],
    *,
    violation: Callable[[jax.Array], jax.Array] | None = None,
) -> RungsResult:
    """Runs brackets one after the other; a strategy proposes the candidates that each starts with.

    A bracket asks the strategy for as many candidates as its first rung holds, promotes the best to the next rung, and
    at its end tells the strategy all of them, each with its losses at the highest budget it reached. Those losses are
    not from equal budgets: where short training flatters a candidate, the strategy is misled, so results should be told
    as what the full budget would give where that is known. With random search this is Hyperband.

    Args:
      strategy: what proposes. Its `capacity` must hold the candidates of all brackets.
      evaluate: `(N, D)` genotypes and a budget -> `(N,)` or `(N, M)` losses, minimised; any Python function. It is
        called once a rung and may go on from where it left a candidate.
      key: consumed.
      brackets: as `hyperband` or, in a tuple, `successive_halving` plans them. Repeat them for a longer run.
      violation: `(N, D)` -> `(N,)` float, `<= 0` is feasible, for example the space's. None: all feasible.
    Returns:
      What was evaluated, by start.
    Raises:
      ValueError: there is no bracket or an empty one.
    References:
      Li et al., Hyperband, 2018; with a strategy that learns from what it is told as in Falkner et al., BOHB: Robust
      and Efficient Hyperparameter Optimization at Scale, 2018, whose model however reads one budget only.

    Examples:
      >>> from metagen_jax.search import Continuous, Space, random_search
      >>> strategy = random_search(Space((Continuous(-1.0, 1.0),)), population_size=4, num_objectives=1, capacity=64)
      >>> def evaluate(genotypes, budget):
      ...     return genotypes[:, 0] ** 2 + 1 / budget
      >>> result = optimize_with_rungs(strategy, evaluate, jax.random.key(0), hyperband(9))
      >>> sorted(set(result.budgets.tolist())), len(result.genotypes), int(result.spent.sum())
      ([1, 3, 9], 17, 78)
      >>> int(result.budgets[result.losses[:, 0].argmin()])
      9
    """
    if not brackets or not all(brackets):
        raise ValueError(f"brackets must hold at least one rung each, got {brackets!r}. For example hyperband(27).")
    key_init, key = jax.random.split(key)
    state = strategy.init(key_init)
    batch_size, tell = batch_size_of(strategy), jax.jit(strategy.tell)
    finished = []
    for number, bracket in enumerate(brackets):
        genotypes, state = _ask_for(strategy, state, jax.random.fold_in(key, number), bracket[0].num_candidates)
        violations = jnp.zeros(len(genotypes)) if violation is None else violation(genotypes).astype(jnp.float32)
        losses, budgets, spent = _run_bracket(evaluate, bracket, genotypes, violations)
        for start in range(0, len(genotypes), batch_size):
            rows = slice(start, start + batch_size)
            state = tell(state, genotypes[rows], losses[rows], violations[rows])
        finished.append((genotypes, losses, violations, budgets, spent))
    genotypes, losses, violations, budgets, spent = (jnp.concatenate(column) for column in zip(*finished, strict=True))
    return RungsResult(genotypes, losses, violations, budgets, spent, state)


def _ask_for(strategy: SearchStrategy, state: Any, key: jax.Array, num: int) -> tuple[jax.Array, Any]:
    """Asks until there are `num` genotypes; the last batch is cut. The key is consumed."""
    batches: list[jax.Array] = []
    step = 0
    while sum(batch.shape[0] for batch in batches) < num:
        genotypes, state = jax.jit(strategy.ask)(jax.random.fold_in(key, step), state)
        batches.append(genotypes)
        step += 1
    return jnp.concatenate(batches)[:num], state


def _run_bracket(
    evaluate: Callable[[jax.Array, int], jax.Array], bracket: Bracket, genotypes: jax.Array, violations: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Takes the candidates up the rungs of one bracket: their last losses `(E, M)`, budgets and spendings, `(E,)`."""
    alive = jnp.arange(len(genotypes))
    losses = jnp.zeros((len(genotypes), 0), jnp.float32)  # until `evaluate` has shown how many objectives there are
    budgets, spent = np.zeros((2, len(genotypes)), np.int32)
    for number, rung in enumerate(bracket):
        if number > 0:
            everyone = jnp.ones(alive.shape, bool)
            alive = alive[promote(losses[alive], everyone, rung.num_candidates, violations[alive])]
        if not alive.size:
            break
        measured = jnp.asarray(evaluate(genotypes[alive], rung.budget), jnp.float32)
        measured = measured.reshape(alive.size, -1)  # (N,) is one objective
        losses = measured if number == 0 else losses.at[alive].set(measured)
        budgets[alive] = rung.budget
        spent[alive] += rung.budget
    return losses, jnp.asarray(budgets), jnp.asarray(spent)
