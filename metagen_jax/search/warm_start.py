"""Warm start: any strategy begins with genotypes that one already knows or wants to try."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.optimize import batch_size_of
from metagen_jax.search.sampling import new_archive, repairs
from metagen_jax.search.seen import Seen, genotype_codes, is_repeat, remember, was_repaired
from metagen_jax.search.space import Categorical, Continuous, Space, violation_of
from metagen_jax.search.strategy import SearchStrategy


class StartState(NamedTuple):
    """Genotypes to ask first, and the wrapped strategy. K: how many of them."""

    inner: Any  # the state of the wrapped strategy
    genotypes: jax.Array  # (K, D)
    pending: jax.Array  # (K,) bool, True for those still to be asked
    notes: Seen | None  # on repairs, of them and of what filled up their batches; None where nothing is repaired


def start_from(
    strategy: SearchStrategy,
    space: Space,
    genotypes: jax.Array,
    losses: jax.Array | None = None,
    violations: jax.Array | None = None,
) -> SearchStrategy:
    """Wraps a strategy so that it starts from given genotypes.

    With losses they count as evaluated: they are told in `init`, in batches of the strategy's size. Without, the first
    asks return them, in order; infeasible ones, repeats and those that were told in the meantime are left out. A batch
    that they do not fill is filled up by the strategy, which moves on only when all of them were asked.

    Args:
      strategy: what to wrap.
      space: the space that it searches.
      genotypes: `(K, D)` values of the space.
      losses: `(K, M)` float if they were evaluated before, every objective minimised. NaN marks a failed one.
      violations: `(K,)` float beside the losses, `<= 0` is feasible. None: as the space says.
    Returns:
      A strategy of the same batch size with every promise kept, but that two asks with no tell in between, the first of
      which was filled up, may return the same genotype twice.
    Raises:
      ValueError: a shape is wrong or a value lies outside the space.

    Examples:
      >>> from metagen_jax.search import discrete_space, random_search
      >>> space = discrete_space((8, 8), ordered=(True, True))
      >>> strategy = random_search(space, population_size=2, num_objectives=1, capacity=16)
      >>> warm = start_from(strategy, space, jnp.array([[7, 7], [0, 3], [1, 1]]))
      >>> first, state = warm.ask(jax.random.key(1), warm.init(jax.random.key(0)))
      >>> second, state = warm.ask(jax.random.key(2), state)
      >>> first.tolist(), second[0].tolist()
      ([[7, 7], [0, 3]], [1, 1])

      With losses the strategy learns from them, and does not try them again:

      >>> from metagen_jax.search import local_search
      >>> climb = local_search(space, population_size=2, num_objectives=1, capacity=16, num_initial=1)
      >>> warm = start_from(climb, space, jnp.array([[0, 0]]), losses=jnp.zeros((1, 1)))
      >>> genotypes, state = warm.ask(jax.random.key(1), warm.init(jax.random.key(0)))
      >>> sorted(genotypes.tolist())
      [[0, 1], [1, 0]]
    """
    genotypes = _check_genotypes(space, genotypes)
    if losses is None:
        return asking_first(strategy, space, lambda key: (genotypes, jnp.zeros(genotypes.shape[0], bool)))
    if losses.ndim != 2 or losses.shape[0] != genotypes.shape[0]:
        raise ValueError(
            f"losses must be ({genotypes.shape[0]}, M), one row a genotype, got shape {losses.shape}. "
            "For one objective pass losses[:, None]."
        )
    if violations is None:
        violations = violation_of(space, genotypes)
    batch_size = batch_size_of(strategy)
    num_whole = genotypes.shape[0] // batch_size * batch_size
    told = (genotypes, losses.astype(jnp.float32), violations.astype(jnp.float32))

    def init(key: jax.Array) -> Any:
        batches = jax.tree.map(lambda rows: rows[:num_whole].reshape(-1, batch_size, *rows.shape[1:]), told)
        state, _ = jax.lax.scan(lambda state, batch: (strategy.tell(state, *batch), None), strategy.init(key), batches)
        if num_whole < genotypes.shape[0]:
            state = strategy.tell(state, *(rows[num_whole:] for rows in told))
        return state

    return strategy._replace(init=init)


def asking_first(
    strategy: SearchStrategy, space: Space, draw_first: Callable[[jax.Array], tuple[jax.Array, jax.Array]]
) -> SearchStrategy:
    """Wraps a strategy so that its first asks return given genotypes, as `start_from` does.

    Args:
      strategy: what to wrap.
      space: the space that it searches.
      draw_first: key, consumed, -> `(K, D)` genotypes, and `(K,)` bool, which of them had to be repaired.
    """
    batch_size = batch_size_of(strategy)

    def init(key: jax.Array) -> StartState:
        key_inner, key_first = jax.random.split(key)
        genotypes, repaired = draw_first(key_first)
        codes = genotype_codes(space, genotypes)
        pending = ~is_repeat(codes) & (violation_of(space, genotypes) <= 0)
        notes = None
        if repairs(space):
            notes = remember(new_archive(space, genotypes.shape[0] + batch_size), codes, repaired)
        return StartState(strategy.init(key_inner), genotypes, pending, notes)

    def ask(key: jax.Array, state: StartState) -> tuple[jax.Array, StartState]:
        fill, inner = strategy.ask(key, state.inner)
        starting = state.pending.any()
        known = _among(space, fill, state.genotypes) & starting
        rows = jnp.concatenate([state.genotypes, fill])
        order = jnp.argsort(jnp.concatenate([jnp.where(state.pending, 0, 3), jnp.where(known, 2, 1)]), stable=True)
        taken = order[:batch_size]
        pending = state.pending & ~(jnp.arange(state.pending.size)[:, None] == taken[None]).any(axis=1)
        notes = state.notes
        if notes is not None:
            filled = remember(notes, genotype_codes(space, rows[taken]), was_repaired(space, inner, rows[taken]))
            notes = jax.tree.map(lambda old, new: jnp.where(starting, new, old), notes, filled)
        # What the strategy proposed for a batch and was not used must not count as asked.
        inner = jax.tree.map(lambda old, new: jnp.where(starting, old, new), state.inner, inner)
        return rows[taken], StartState(inner, state.genotypes, pending, notes)

    def tell(state: StartState, genotypes: jax.Array, losses: jax.Array, violations: jax.Array) -> StartState:
        inner = strategy.tell(state.inner, genotypes, losses, violations)
        return state._replace(inner=inner, pending=state.pending & ~_among(space, state.genotypes, genotypes))

    return SearchStrategy(init, ask, tell)


def _among(space: Space, rows: jax.Array, others: jax.Array) -> jax.Array:
    """Tells which of `(N, D)` genotypes also stand among `(K, D)` others, as `(N,)` bool."""
    return (genotype_codes(space, rows)[:, None] == genotype_codes(space, others)[None]).any(axis=1)


def _check_genotypes(space: Space, genotypes: jax.Array) -> jax.Array:
    """Refuses genotypes that are none of the space's, and returns them in its type."""
    rows = np.asarray(genotypes)
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] != space.num_dimensions:
        raise ValueError(
            f"genotypes must be (K, {space.num_dimensions}) with K of 1 or more, got shape {rows.shape}. "
            "For one genotype pass genotype[None]."
        )
    for dimension, choice in enumerate(space.choices):
        low, high = (0, choice.num_choices - 1) if isinstance(choice, Categorical) else (choice.low, choice.high)
        column = rows[:, dimension]
        whole = isinstance(choice, Continuous) | (column == np.round(column))
        lies_outside = ~((column >= np.float32(low)) & (column <= np.float32(high)) & whole)
        if lies_outside.any():
            row = int(lies_outside.argmax())
            raise ValueError(
                f"genotypes[{row}, {dimension}] is {column[row]}, which {choice} does not hold. "
                f"Give a value from {low} to {high}{'' if isinstance(choice, Continuous) else ', a whole number'}."
            )
    return jnp.asarray(rows, space.dtype)
