"""Comparing strategies over seeds, with a test that says whether a difference is real."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.counts import check_counts
from metagen_jax.search.hypervolume import hypervolume
from metagen_jax.search.optimize import Evaluate, Violation, optimize
from metagen_jax.search.random_search import random_search
from metagen_jax.search.space import Space
from metagen_jax.search.strategy import SearchStrategy


class ComparedStrategy(NamedTuple):
    """What one strategy reached, and how that differs from the baseline. S: seeds."""

    name: str
    results: np.ndarray  # (S,) float32, best loss or hypervolume of each seed; NaN where no candidate counted
    median: float
    quartiles: tuple[float, float]  # lower and upper
    superiority: float  # chance that a run beats a run of the baseline, ties counted half; 0.5 for the baseline
    p_value: float  # two-sided Mann-Whitney U, Holm-corrected for the number of strategies; 1 for the baseline
    difference: str  # "better", "worse" or "no difference shown"; "baseline" for itself


class Comparison(NamedTuple):
    """The strategies, the baseline first; `str` gives a table."""

    strategies: tuple[ComparedStrategy, ...]
    quantity: str  # "best loss" (lower is better) or "hypervolume" (higher is better)
    num_evaluations: int
    num_seeds: int
    significance: float  # a corrected p-value below this counts as a difference

    def __str__(self) -> str:
        baseline = self.strategies[0].name
        head = ("strategy", f"median {self.quantity}", "quartiles", f"beats {baseline}", "p", f"against {baseline}")
        rows = [
            (
                row.name,
                f"{row.median:.5g}",
                f"{row.quartiles[0]:.5g} to {row.quartiles[1]:.5g}",
                "" if row.difference == "baseline" else f"{row.superiority:.0%}",
                "" if row.difference == "baseline" else f"{row.p_value:.2g}",
                row.difference,
            )
            for row in self.strategies
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
        direction = "lower" if self.quantity == "best loss" else "higher"
        note = (
            f"{self.num_evaluations} evaluations, {self.num_seeds} seeds; {direction} is better. p: two-sided "
            f"Mann-Whitney U, Holm-corrected; a difference is claimed below {self.significance:g}."
        )
        return "\n".join([*lines, note])


def compare(
    strategies: Mapping[str, Callable[..., SearchStrategy]],
    evaluate: Evaluate,
    space: Space,
    key: jax.Array,
    num_evaluations: int,
    num_seeds: int,
    *,
    population_size: int = 8,
    baseline: str = "random",
    reference_point: Any = None,
    violation: Violation | None = None,
    significance: float = 0.05,
    jit_evaluate: bool = True,
) -> Comparison:
    """Runs strategies over seeds on one task and tests each against a baseline.

    A run counts by its best feasible loss, with several objectives by the hypervolume of what it found (2 to 4
    objectives). Runs of different strategies are independent, so the test is the unpaired Mann-Whitney U; p-values are
    corrected by Holm for the number of strategies. "no difference shown" is not "equal": more seeds may show one.

    Args:
      strategies: by name, constructors as in `STRATEGIES`; fix hyperparameters with `functools.partial`.
      evaluate: `(N, D)` genotypes -> `(N,)` or `(N, M)` losses, minimised, as in `optimize`.
      space: what is searched.
      key: consumed. Seed i of every strategy runs with the same key.
      num_evaluations: of each run.
      num_seeds: runs of each strategy; at least 6 against 6 can show a difference at 0.01, and 20 are better.
      population_size: genotypes a batch.
      baseline: a name of `strategies`; "random" is added where it is missing.
      reference_point: `(M,)` worst values of interest; needed with several objectives, refused with one.
      violation: `(N, D)` -> `(N,)`, `<= 0` is feasible. None: that of the space.
      significance: level below which a corrected p-value counts.
      jit_evaluate: True: `evaluate` is JAX, and all seeds of a strategy are one compiled program. False: any function.
    Returns:
      The comparison.
    Raises:
      ValueError: the baseline is unknown, a count is not positive, or the reference point does not fit the objectives.
    References:
      Mann and Whitney, On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other, 1947;
      Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979; Vargha and Delaney, A Critique and Improvement
      of the CL Common Language Effect Size Statistics, 2000, for the chance of superiority.

    Examples:
      >>> from metagen_jax.search import Integer, Space, evolution, local_search
      >>> space = Space((Integer(0, 31), Integer(0, 31)))
      >>> def evaluate(genotypes):
      ...     return ((genotypes - 20) ** 2).sum(axis=1)
      >>> strategies = {"evolution": evolution, "local": local_search}
      >>> comparison = compare(strategies, evaluate, space, jax.random.key(0), num_evaluations=48, num_seeds=10)
      >>> [(row.name, row.difference) for row in comparison.strategies]
      [('random', 'baseline'), ('evolution', 'better'), ('local', 'better')]
      >>> print(str(comparison).splitlines()[-1])
      48 evaluations, 10 seeds; lower is better. p: two-sided Mann-Whitney U, Holm-corrected; a difference is claimed below 0.05.

      Random search is no better than itself:

      >>> from metagen_jax.search import random_search
      >>> comparison = compare({"again": random_search}, evaluate, space, jax.random.key(0), 16, 5)
      >>> comparison.strategies[1].difference, comparison.strategies[1].superiority
      ('no difference shown', 0.5)
    """
    check_counts(num_evaluations=num_evaluations, num_seeds=num_seeds, population_size=population_size)
    if baseline not in strategies:
        if baseline != "random":
            raise ValueError(f"baseline {baseline!r} is none of {sorted(strategies)}. Name one of them, or 'random'.")
        strategies = {"random": random_search, **strategies}
    violation = space.violation if violation is None else violation
    reference = _check_reference(reference_point)
    num_objectives = 1 if reference is None else reference.size
    if jit_evaluate:
        _check_objectives(evaluate, space, population_size, num_objectives)
    results = {}
    for name, construct in strategies.items():
        strategy = construct(
            space, population_size=population_size, num_objectives=num_objectives, capacity=num_evaluations
        )
        keys = jax.random.split(key, num_seeds)
        run = functools.partial(_outcome, strategy, evaluate, violation, num_evaluations, jit_evaluate, reference)
        results[name] = np.array(
            jax.jit(lambda keys, run=run: jax.lax.map(run, keys))(keys) if jit_evaluate else [run(key) for key in keys]
        )
    quantity = "best loss" if reference is None else "hypervolume"
    rows = judge(results, baseline, higher_is_better=reference is not None, significance=significance)
    return Comparison(rows, quantity, num_evaluations, num_seeds, significance)


def judge(
    results: Mapping[str, np.ndarray], baseline: str, *, higher_is_better: bool, significance: float = 0.05
) -> tuple[ComparedStrategy, ...]:
    """Tests results that are already there against those of the baseline, as `compare` does.

    Args:
      results: by name, one number a seed; NaN is worst.
      baseline: a name of `results`.
      higher_is_better: whether large numbers are good.
      significance: level below which a corrected p-value counts.
    Returns:
      One entry a name, the baseline first.

    Examples:
      >>> import numpy as np
      >>> ours, random = np.arange(10.0), np.arange(10.0) + 100
      >>> rows = judge({"random": random, "ours": ours}, "random", higher_is_better=False)
      >>> rows[1].difference, float(rows[1].superiority)
      ('better', 1.0)
      >>> judge({"random": random, "ours": random + 0.1}, "random", higher_is_better=False)[1].difference
      'no difference shown'
    """
    from scipy.stats import mannwhitneyu  # takes as long to import as JAX, and no search needs it

    worst = -np.inf if higher_is_better else np.inf
    comparable = {name: np.where(np.isnan(result), worst, result) for name, result in results.items()}
    others = [name for name in results if name != baseline]
    sign = 1.0 if higher_is_better else -1.0
    tests = [mannwhitneyu(sign * comparable[name], sign * comparable[baseline]) for name in others]
    num_pairs = [results[name].size * results[baseline].size for name in others]
    superiority = [float(test.statistic) / pairs for test, pairs in zip(tests, num_pairs, strict=True)]
    p_values = holm(np.array([1.0 if np.isnan(test.pvalue) else test.pvalue for test in tests]))
    rows = [_describe(baseline, results[baseline], comparable[baseline], 0.5, 1.0, "baseline")]
    for name, chance, p_value in zip(others, superiority, p_values, strict=True):
        shown = "better" if chance > 0.5 else "worse"
        difference = shown if p_value < significance else "no difference shown"
        rows.append(_describe(name, results[name], comparable[name], chance, float(p_value), difference))
    return tuple(rows)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Corrects `(K,)` p-values for K tests: the i-th smallest times K - i + 1, never below a smaller one's, at most 1.

    Examples:
      >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
      [0.03, 0.06, 0.06]
      >>> holm(np.array([0.9])).tolist()
      [0.9]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(p_values.size, 0, -1)
    corrected = np.empty(p_values.size)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if p_values.size else scaled
    return corrected


def _describe(
    name: str, result: np.ndarray, comparable: np.ndarray, superiority: float, p_value: float, difference: str
) -> ComparedStrategy:
    # "nearest" values: between two infinities there is no interpolation
    low, median, high = np.quantile(comparable, [0.25, 0.5, 0.75], method="closest_observation")
    if np.isfinite(comparable).all():
        low, median, high = np.quantile(comparable, [0.25, 0.5, 0.75])
    return ComparedStrategy(name, result, float(median), (float(low), float(high)), superiority, p_value, difference)


def _outcome(
    strategy: SearchStrategy,
    evaluate: Evaluate,
    violation: Violation | None,
    num_evaluations: int,
    jit_evaluate: bool,
    reference: jax.Array | None,
    key: jax.Array,
) -> jax.Array:
    """Runs one search: its best feasible loss, or its hypervolume, `()` float32."""
    result = optimize(strategy, evaluate, key, num_evaluations, violation=violation, jit_evaluate=jit_evaluate)
    if reference is None:
        return jnp.where(result.front.any(), result.best_loss[0], jnp.nan)
    everyone = jnp.ones(num_evaluations, bool)
    return hypervolume(result.losses, everyone, reference, result.violations)


def _check_reference(reference_point: Any) -> jax.Array | None:
    if reference_point is None:
        return None
    reference = jnp.asarray(reference_point, jnp.float32)
    if reference.ndim != 1 or reference.size < 2:
        raise ValueError(
            f"reference_point must hold the worst value of interest in each of 2 or more objectives, got "
            f"{reference_point!r}. For example (1.1, 1.1); leave it out for one objective."
        )
    return reference


def _check_objectives(evaluate: Evaluate, space: Space, num_rows: int, num_objectives: int) -> None:
    """Finds out without computing anything whether `evaluate` returns as many objectives as the reference point has."""
    genotypes = jax.ShapeDtypeStruct((num_rows, space.num_dimensions), space.dtype)
    shape = jax.eval_shape(evaluate, genotypes).shape
    returned = shape[1] if len(shape) == 2 else 1
    if returned != num_objectives:
        raise ValueError(
            f"evaluate returns {returned} objectives, but reference_point stands for {num_objectives}. "
            "Give one number an objective, and none at all for one objective."
        )
