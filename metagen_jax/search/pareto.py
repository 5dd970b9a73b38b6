"""Pareto tools on padded batches: who dominates whom, fronts and crowding.

Everywhere N is the rows of a batch, M the objectives; every objective is minimised; a mask is True for real rows. A row
with a NaN or an infinite loss is a failed evaluation: it is on no front and dominates nothing.

Comparing every pair of a few hundred rows takes microseconds on vector hardware, less than one sort. So pairs are what
these tools compare, column by column, except for one objective and for large batches of two.
"""

import jax
import jax.numpy as jnp

SORT_FROM = 1024  # rows from which the front of two objectives is found by sorting
BITS = 8  # rows of a domination matrix that share a byte; 32 to a word take twice as long to pack


def pareto_mask(losses: jax.Array, valid: jax.Array, violations: jax.Array | None = None) -> jax.Array:
    """Marks the non-dominated feasible rows of a padded batch.

    A row dominates another if it is nowhere larger and somewhere smaller, so equal rows are kept together.

    Args:
      losses: `(N, M)` float, every objective minimised. A row that is not finite is never on the front.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible; an infeasible row is never on the front. None: all feasible.
    Returns:
      `(N,)` bool, True on the front. O(N^2 M) time; O(N log N) for two objectives in large batches and O(N) for one.
    Raises:
      ValueError: a shape is not as above.
    References:
      Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002, sec. III. Sorting: Kung, Luccio and
      Preparata, On Finding the Maxima of a Set of Vectors, 1975.

    Examples:
      >>> losses = jnp.array([[1.0, 3.0], [2.0, 2.0], [3.0, 3.0]])
      >>> pareto_mask(losses, jnp.ones(3, bool)).tolist()
      [True, True, False]
      >>> pareto_mask(losses, jnp.ones(3, bool), violations=jnp.array([1.0, 1.0, 0.0])).tolist()
      [False, False, True]
    """
    violations = check_batch(losses, valid, violations)
    candidates = valid & jnp.isfinite(losses).all(axis=1) & (violations <= 0)
    num_rows, num_objectives = losses.shape
    if num_objectives == 1:
        return candidates & (losses[:, 0] == jnp.where(candidates, losses[:, 0], jnp.inf).min())
    if num_objectives == 2 and num_rows >= SORT_FROM:
        return candidates & _lowest_so_far(jnp.where(candidates[:, None], losses, jnp.inf))
    return candidates & ~(_better(losses) & candidates[:, None]).any(axis=0)


def _better(losses: jax.Array) -> jax.Array:
    """`(N, N)` bool, True at `[i, j]` where row i is nowhere larger than row j and somewhere smaller."""
    pairs = [(column[:, None], column[None]) for column in losses.T]
    no_worse = jnp.ones((losses.shape[0],) * 2, bool)
    better = ~no_worse
    for mine, other in pairs:
        no_worse &= mine <= other
        better |= mine < other
    return no_worse & better


def _lowest_so_far(losses: jax.Array) -> jax.Array:
    """Marks the rows of `(N, 2)` losses that no other dominates, by one sort, as `(N,)` bool."""
    order = jnp.lexsort((losses[:, 1], losses[:, 0]))
    first, second = losses[order].T
    position = jnp.arange(order.size)
    starts = jnp.concatenate([jnp.ones(1, bool), first[1:] != first[:-1]])
    leader = jax.lax.cummax(jnp.where(starts, position, 0))  # the first row with the same first objective, so the best
    lowest_before = jnp.concatenate([jnp.full(1, jnp.inf), jax.lax.cummin(second)[:-1]])
    on_front = (second == second[leader]) & (second < lowest_before[leader])
    return jnp.zeros(order.shape, bool).at[order].set(on_front)


def constrained_domination(losses: jax.Array, valid: jax.Array, violations: jax.Array | None = None) -> jax.Array:
    """Says for each pair of rows whether the first dominates the second.

    A feasible row dominates every infeasible one; of two infeasible rows the less violating dominates, whatever their
    losses; two feasible rows are compared by their losses.

    Args:
      losses: `(N, M)` float, every objective minimised. The losses of infeasible rows are not read.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible. A NaN violation counts as a failed row. None: all feasible.
    Returns:
      `(N, N)` bool, True at `[i, j]` where row i dominates row j. False wherever i or j is padding or failed.
    Raises:
      ValueError: a shape is not as above.
    References:
      Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002, sec. VI, definition 1.

    Examples:
      >>> losses = jnp.array([[5.0], [1.0], [jnp.nan]])
      >>> constrained_domination(losses, jnp.ones(3, bool), violations=jnp.array([0.0, 2.0, 1.0])).astype(int).tolist()
      [[0, 1, 1], [0, 0, 0], [0, 1, 0]]
    """
    violations = check_batch(losses, valid, violations)
    usable = is_usable(losses, valid, violations)
    excess = jnp.maximum(violations, 0.0)  # (N,), 0 for every feasible row
    both_feasible = (excess[:, None] == 0) & (excess[None] == 0)
    dominates = jnp.where(both_feasible, _better(losses), excess[:, None] < excess[None])
    return dominates & usable[:, None] & usable[None]


def is_usable(losses: jax.Array, valid: jax.Array, violations: jax.Array) -> jax.Array:
    """Marks the rows that a comparison can use: feasible with finite losses, or infeasible by a known amount.

    Args:
      losses: `(N, M)` float.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible.
    Returns:
      `(N,)` bool.
    """
    finite = jnp.isfinite(losses).all(axis=1)
    return valid & ~jnp.isnan(violations) & (finite | (violations > 0))


def non_dominated_rank(losses: jax.Array, valid: jax.Array, violations: jax.Array | None = None) -> jax.Array:
    """Sorts a padded batch into fronts: 0 for the rows that nothing dominates, 1 for those only front 0 dominates...

    With violations, infeasible rows come after all feasible ones, ranked by violation.

    Args:
      losses: `(N, M)` float, every objective minimised.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible. None: all feasible.
    Returns:
      `(N,)` int32 rank; N for padding and for failed rows. O(N^2 (M + fronts / 8)) time and O(N^2) memory; O(N log N)
      for one objective.
    Raises:
      ValueError: a shape is not as above.
    References:
      Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002, sec. III-A. Fronts are peeled off a
      full domination matrix of bits here, which suits vector hardware better than the paper's linked lists.

    Examples:
      >>> losses = jnp.array([[1.0, 3.0], [2.0, 2.0], [3.0, 3.0], [0.0, 0.0]])
      >>> non_dominated_rank(losses, jnp.array([True, True, True, False])).tolist()
      [0, 0, 1, 4]
    """
    violations = check_batch(losses, valid, violations)
    usable = is_usable(losses, valid, violations)
    if losses.shape[1] == 1:
        return _rank_of_values(losses[:, 0], usable, jnp.maximum(violations, 0.0))
    return peel_fronts(constrained_domination(losses, valid, violations), usable, losses.shape[0])


def _rank_of_values(values: jax.Array, usable: jax.Array, excess: jax.Array) -> jax.Array:
    """Gives each of `(N,)` values how many different ones are better; infeasible rows are compared by their excess."""
    values = jnp.where(usable & (excess == 0), values, 0.0)
    order = jnp.lexsort((values, excess, ~usable))
    sorted_values, sorted_excess = values[order], excess[order]
    differs = (sorted_values[1:] != sorted_values[:-1]) | (sorted_excess[1:] != sorted_excess[:-1])
    rank = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(differs, dtype=jnp.int32)])
    return jnp.where(usable, jnp.zeros_like(rank).at[order].set(rank), values.size)


def peel_fronts(dominates: jax.Array, usable: jax.Array, enough: int) -> jax.Array:
    """Takes one front after the other off a domination matrix, until enough rows are ranked.

    Args:
      dominates: `(N, N)` bool, as `constrained_domination` gives it.
      usable: `(N,)` bool, True for rows that can be on a front.
      enough: stop after the front with which this many rows have a rank.
    Returns:
      `(N,)` int32 rank; N for rows that are not usable or were not reached. O(N^2 / 8) a front.
    """
    num_rows = usable.size
    packed = _pack_bits(dominates)  # (W, N)
    num_left_at_end = jnp.maximum(usable.sum() - enough, 0)

    def peel(carry):
        front, rank, left = carry
        dominated = ((packed & _pack_bits(left[:, None])) != 0).any(axis=0)
        on_front = left & ~dominated
        return front + 1, jnp.where(on_front, front, rank), left & ~on_front

    start = (jnp.int32(0), jnp.full(num_rows, num_rows, jnp.int32), usable)
    return jax.lax.while_loop(lambda carry: carry[2].sum() > num_left_at_end, peel, start)[1]


def _pack_bits(rows: jax.Array) -> jax.Array:
    """Packs 8 rows of `(N, K)` bool into one of `(W, K)` uint8."""
    padded = jnp.pad(rows, ((0, -rows.shape[0] % BITS), (0, 0))).reshape(-1, BITS, rows.shape[1])
    bit = jnp.uint8(1) << jnp.arange(BITS, dtype=jnp.uint8)
    return jnp.where(padded, bit[None, :, None], jnp.uint8(0)).sum(axis=1, dtype=jnp.uint8)


def crowding_distance(losses: jax.Array, front_mask: jax.Array) -> jax.Array:
    """Measures how far each member of one front is from its neighbours; large means lonely, so worth keeping.

    For each objective the gap between the two neighbours, divided by the span of the front, summed over the objectives.

    Args:
      losses: `(N, M)` float, finite where `front_mask` is True.
      front_mask: `(N,)` bool, True for the members of the front.
    Returns:
      `(N,)` float32: +inf for the ends of the front in any objective, 0 for a copy of an earlier row and off the front.
    Raises:
      ValueError: a shape is not as above.
    References:
      Deb et al., NSGA-II, 2002, sec. III-B. Copies get 0 instead of sharing a boundary's infinity.

    Examples:
      >>> losses = jnp.array([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0], [9.0, 9.0]])
      >>> crowding_distance(losses, jnp.array([True, True, True, False])).tolist()
      [inf, 2.0, inf, 0.0]
    """
    check_batch(losses, front_mask, None)
    return crowding_distance_by_front(losses, jnp.where(front_mask, 0, losses.shape[0]))


def crowding_distance_by_front(losses: jax.Array, rank: jax.Array) -> jax.Array:
    """Measures the crowding distance of every row inside its own front, for all fronts at once.

    Args:
      losses: `(N, M)` float, finite wherever `rank` is below N.
      rank: `(N,)` int32, as `non_dominated_rank` gives it: N for rows that are on no front.
    Returns:
      `(N,)` float32, as in `crowding_distance`. O(M^2 N^2).
    Raises:
      ValueError: a shape is not as above.

    Examples:
      >>> losses = jnp.array([[0.0, 2.0], [2.0, 0.0], [1.0, 4.0], [2.0, 3.0], [4.0, 1.0]])
      >>> crowding_distance_by_front(losses, jnp.array([0, 0, 1, 1, 1])).tolist()
      [inf, inf, inf, 2.0, inf]
    """
    check_batch(losses, rank, None)
    num_rows, num_objectives = losses.shape
    losses = jnp.where((rank < num_rows)[:, None], losses, 0.0).astype(jnp.float32)
    same_front = (rank[:, None] == rank[None]) & (rank < num_rows)[:, None]  # (N, N)
    copy = is_copy(losses, same_front)
    same_front &= ~copy[:, None] & ~copy[None]
    # Other objectives break ties, so that the distance does not depend on the order of the rows.
    distance = sum(_gaps(jnp.roll(losses, -objective, axis=1), same_front) for objective in range(num_objectives))
    return jnp.where(copy | (rank == num_rows), 0.0, distance)


def is_copy(losses: jax.Array, comparable: jax.Array) -> jax.Array:
    """Marks every row that equals a comparable one with a smaller index, as `(N,)` bool; `comparable` is `(N, N)`."""
    same = comparable
    for column in losses.T:
        same &= column[:, None] == column[None]
    position = jnp.arange(losses.shape[0])
    return (same & (position[:, None] < position[None])).any(axis=0)


def _gaps(losses: jax.Array, same_front: jax.Array) -> jax.Array:
    """Gives each row the gap between its neighbours in the first objective, over the span of its front, as `(N,)`."""
    before = jnp.zeros(same_front.shape, bool)  # at [i, j] where row i stands before row j
    for column in losses.T[::-1]:
        mine, other = column[:, None], column[None]
        before = (mine < other) | ((mine == other) & before)
    value = losses[:, :1]  # (N, 1)
    below = jnp.where(same_front & before, value, -jnp.inf).max(axis=0)
    above = jnp.where(same_front & before.T, value, jnp.inf).min(axis=0)
    lowest = jnp.where(same_front, value, jnp.inf).min(axis=0)
    highest = jnp.where(same_front, value, -jnp.inf).max(axis=0)
    span = highest - lowest
    return (above - below) / jnp.where(span > 0, span, 1.0)


def best_first(losses: jax.Array, valid: jax.Array, violations: jax.Array, num: int | None = None) -> jax.Array:
    """Orders rows by constrained non-dominated rank, then by falling crowding distance; for one objective by loss.

    Args:
      losses: `(N, M)` float, every objective minimised.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible.
      num: how many are wanted; fronts behind these are not sorted, which saves most of the time. None: all.
    Returns:
      `(N,)` int32, or `(num,)`, indices of rows; padding and failed rows come last.

    Examples:
      >>> best_first(jnp.array([[3.0], [1.0], [2.0]]), jnp.ones(3, bool), jnp.array([0.0, 1.0, 0.0])).tolist()
      [2, 0, 1]
      >>> best_first(jnp.array([[3.0], [1.0], [jnp.nan]]), jnp.ones(3, bool), jnp.zeros(3), num=2).tolist()
      [1, 0]
    """
    if losses.shape[1] == 1:
        usable = is_usable(losses, valid, violations)
        excess = jnp.maximum(violations, 0.0)
        return jnp.lexsort((jnp.where(usable & (excess == 0), losses[:, 0], 0.0), excess, ~usable))[:num]
    usable = is_usable(losses, valid, violations)
    enough = losses.shape[0] if num is None else num
    rank = peel_fronts(constrained_domination(losses, valid, violations), usable, enough)
    # What was not reached stands before what is not usable.
    rank = jnp.where(usable, rank, losses.shape[0] + 1)
    read = jnp.where(violations[:, None] > 0, 0.0, losses)  # an infeasible row is ranked without its losses
    return jnp.lexsort((-crowding_distance_by_front(read, jnp.minimum(rank, losses.shape[0])), rank))[:num]


def check_batch(losses: jax.Array, rows: jax.Array, violations: jax.Array | None) -> jax.Array:
    """Refuses wrong shapes, and returns the violations, zeros where there are none."""
    if losses.ndim != 2:
        raise ValueError(f"losses must be (N, M), got shape {losses.shape}. For one objective pass losses[:, None].")
    num_rows = losses.shape[0]
    if rows.shape != (num_rows,):
        raise ValueError(
            f"losses have {num_rows} rows, but the array beside them has shape {rows.shape}. Pass one entry a row: ({num_rows},)."
        )
    if violations is None:
        return jnp.zeros(num_rows, jnp.float32)
    if violations.shape != (num_rows,):
        raise ValueError(
            f"violations must be ({num_rows},), one a row, got shape {violations.shape}. Pass None without limits."
        )
    return violations
