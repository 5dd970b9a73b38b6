"""A whole search in one call."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.counts import check_counts
from metagen_jax.search.pareto import is_usable, pareto_mask
from metagen_jax.search.strategy import SearchStrategy

Evaluate = Callable[[Any], Any]  # (N, D) genotypes -> (N,) or (N, M) losses, minimised
Violation = Callable[[jax.Array], jax.Array]  # (N, D) genotypes -> (N,), `<= 0` is feasible


class OptimizeResult(NamedTuple):
    """Everything that was evaluated, in order, and the best of it. E: evaluations, D: genotype length, M: objectives."""

    genotypes: jax.Array  # (E, D)
    losses: jax.Array  # (E, M) float32
    violations: jax.Array  # (E,) float32, `<= 0` is feasible
    front: jax.Array  # (E,) bool, True for the feasible rows that nothing dominates
    best_genotype: jax.Array  # (D,), lowest in the first objective; the least violating where nothing is feasible
    best_loss: jax.Array  # (M,) float32, its losses; NaN where every evaluation failed
    state: Any  # of the strategy, to continue from


def optimize(
    strategy: SearchStrategy,
    evaluate: Evaluate,
    key: jax.Array,
    num_evaluations: int,
    *,
    violation: Violation | None = None,
    state: Any = None,
    jit_evaluate: bool = True,
) -> OptimizeResult:
    """Asks, evaluates and tells until the budget is spent; the same key gives the same bits.

    The number of genotypes a batch is what the strategy was constructed for; the last batch is cut, so that exactly
    `num_evaluations` rows are told.

    Args:
      strategy: what searches. Its `capacity` must hold `num_evaluations`.
      evaluate: `(N, D)` genotypes -> `(N,)` or `(N, M)` losses, minimised. NaN or an infinity marks a failed candidate;
        an exception ends the search.
      key: consumed.
      num_evaluations: E, how many candidates to evaluate.
      violation: `(N, D)` genotypes -> `(N,)` float, `<= 0` is feasible, pure JAX; usually the space's. None: all feasible.
      state: where to go on, for example `result.state`. None: a fresh start.
      jit_evaluate: True: `evaluate` is JAX, and the search is one compiled `lax.scan`, which also works under `vmap`;
        calling again with the same functions and budget does not compile again. False: `evaluate` is any Python
        function, which gets a numpy array a batch.
    Returns:
      All evaluations and the best of them. For 3 objectives or more, a front of F rows takes O(E F M) time.
    Raises:
      ValueError: `num_evaluations` is not positive, or `evaluate` returns a wrong shape.

    Examples:
      >>> from metagen_jax.search import Integer, Space, evolution
      >>> space = Space((Integer(0, 31), Integer(0, 31)), violation=lambda genotypes: 20.0 - genotypes[:, 0])
      >>> strategy = evolution(space, population_size=8, num_objectives=1, capacity=100)
      >>> def evaluate(genotypes):
      ...     return (genotypes**2).sum(axis=1)
      >>> result = optimize(strategy, evaluate, jax.random.key(0), 100, violation=space.violation)
      >>> result.best_genotype.tolist(), float(result.best_loss[0])
      ([20, 0], 400.0)

      Any Python function, here with two objectives and a budget that is no multiple of the batch:

      >>> import numpy as np
      >>> strategy = evolution(space, population_size=8, num_objectives=2, capacity=20)
      >>> def measure(genotypes):
      ...     return np.stack([genotypes.sum(axis=1), abs(genotypes[:, 0] - genotypes[:, 1])], axis=1)
      >>> result = optimize(strategy, measure, jax.random.key(0), 20, violation=space.violation, jit_evaluate=False)
      >>> result.losses.shape, bool(result.front.any())
      ((20, 2), True)
    """
    check_counts(num_evaluations=num_evaluations)
    key_init, key = jax.random.split(key)
    if state is None:
        state = strategy.init(key_init)
    search = _search_compiled if jit_evaluate else _search_in_python
    return _summarise(*search(strategy, evaluate, violation, num_evaluations, key, state))


def batch_size_of(strategy: SearchStrategy) -> int:
    """Finds N, the number of genotypes that an `ask` returns, without computing anything.

    Examples:
      >>> from metagen_jax.search import discrete_space, random_search
      >>> space = discrete_space((4, 4), ordered=(True, True))
      >>> batch_size_of(random_search(space, population_size=6, num_objectives=1, capacity=16))
      6
      >>> batch_size_of(random_search(space, population_size=1, num_objectives=1, capacity=16))
      1
    """
    genotypes, _ = jax.eval_shape(lambda key: strategy.ask(key, strategy.init(key)), jax.random.key(0))
    return genotypes.shape[0]


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _search_compiled(
    strategy: SearchStrategy,
    evaluate: Evaluate,
    violation: Violation | None,
    num_evaluations: int,
    key: jax.Array,
    state: Any,
) -> tuple[jax.Array, jax.Array, jax.Array, Any]:
    """Returns genotypes `(E, D)`, losses `(E, M)`, violations `(E,)` and the last state. The key is consumed."""
    num_full, rest = divmod(num_evaluations, batch_size_of(strategy))

    def generation(state, step, num_told=None):
        genotypes, state = strategy.ask(jax.random.fold_in(key, step), state)
        genotypes = genotypes[:num_told]
        losses, violations = _as_columns(evaluate(genotypes), genotypes), _violations(violation, genotypes)
        return strategy.tell(state, genotypes, losses, violations), (genotypes, losses, violations)

    state, told = jax.lax.scan(generation, state, jnp.arange(num_full))
    told = jax.tree.map(lambda rows: rows.reshape(-1, *rows.shape[2:]), told)
    if rest:
        state, last = generation(state, num_full, rest)
        told = jax.tree.map(lambda *rows: jnp.concatenate(rows), told, last)
    return *told, state


def _search_in_python(
    strategy: SearchStrategy,
    evaluate: Evaluate,
    violation: Violation | None,
    num_evaluations: int,
    key: jax.Array,
    state: Any,
) -> tuple[jax.Array, jax.Array, jax.Array, Any]:
    """The same with a function that JAX cannot trace."""
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    told: list[tuple[jax.Array, jax.Array, jax.Array]] = []
    num_told = 0
    while num_told < num_evaluations:
        genotypes, state = ask(jax.random.fold_in(key, len(told)), state)
        genotypes = genotypes[: num_evaluations - num_told]
        losses = _as_columns(evaluate(np.asarray(genotypes)), genotypes)
        violations = _violations(violation, genotypes)
        state = tell(state, genotypes, losses, violations)
        told.append((genotypes, losses, violations))
        num_told += len(genotypes)
    return *(jnp.concatenate(column) for column in zip(*told, strict=True)), state


def _as_columns(losses: Any, genotypes: jax.Array) -> jax.Array:
    """Turns what `evaluate` returned into `(N, M)` float32."""
    losses = jnp.asarray(losses, jnp.float32)
    if losses.ndim not in (1, 2) or losses.shape[0] != genotypes.shape[0]:
        raise ValueError(
            f"evaluate returned losses of shape {losses.shape} for {genotypes.shape[0]} genotypes. "
            f"Return ({genotypes.shape[0]},), or ({genotypes.shape[0]}, M) for M objectives."
        )
    return losses.reshape(losses.shape[0], -1)


def _violations(violation: Violation | None, genotypes: jax.Array) -> jax.Array:
    if violation is None:
        return jnp.zeros(genotypes.shape[0], jnp.float32)
    return violation(genotypes).astype(jnp.float32)


@jax.jit
def _summarise(genotypes: jax.Array, losses: jax.Array, violations: jax.Array, state: Any) -> OptimizeResult:
    usable = is_usable(losses, jnp.ones(violations.shape, bool), violations)
    excess = jnp.where(usable, jnp.maximum(violations, 0.0), jnp.inf)
    feasible = usable & (excess == 0)
    best = jnp.lexsort((*jnp.where(feasible[:, None], losses, 0.0).T[::-1], excess))[0]
    best_loss = jnp.where(usable[best], losses[best], jnp.nan)
    return OptimizeResult(genotypes, losses, violations, _front(losses, feasible), genotypes[best], best_loss, state)


def _front(losses: jax.Array, feasible: jax.Array) -> jax.Array:
    """Marks the non-dominated rows as `(E,)` bool in O(E) memory for any M, so that millions of rows are no trouble.

    For 3 objectives or more, the row that is smallest in the first objective, ties broken by the next, cannot be dominated: it is on the front, and
    what it dominates is not. The rest is treated likewise until nothing is left.
    """
    if losses.shape[1] <= 2:
        return pareto_mask(losses, feasible)

    def peel(carry):
        front, left = carry
        smallest = left
        for column in losses.T:  # M is small and known
            smallest &= column == jnp.where(smallest, column, jnp.inf).min()
        row = losses[jnp.argmax(smallest)][None]  # (1, M)
        return front | smallest, left & ~smallest & ~(row <= losses).all(axis=1)

    nothing = jnp.zeros(feasible.shape, bool)
    return jax.lax.while_loop(lambda carry: carry[1].any(), peel, (nothing, feasible))[0]
