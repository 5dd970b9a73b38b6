"""Pareto tools on padded batches: who dominates whom, fronts, crowding and hypervolume.

Everywhere N is the rows of a batch, M the objectives; every objective is minimised; a mask is True for real rows. A row
with a NaN or an infinite loss is a failed evaluation: it is on no front and dominates nothing.
"""

import jax
import jax.numpy as jnp


def pareto_mask(losses: jax.Array, valid: jax.Array, violations: jax.Array | None = None) -> jax.Array:
    """Marks the non-dominated feasible rows of a padded batch.

    A row dominates another if it is nowhere larger and somewhere smaller, so equal rows are kept together.

    Args:
      losses: `(N, M)` float, every objective minimised. A row that is not finite is never on the front.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible; an infeasible row is never on the front. None: all feasible.
    Returns:
      `(N,)` bool, True on the front. O(N^2 M) time and O(N^2) memory.
    Raises:
      ValueError: a shape is not as above.
    References:
      Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002, sec. III.

    Examples:
      >>> losses = jnp.array([[1.0, 3.0], [2.0, 2.0], [3.0, 3.0]])
      >>> pareto_mask(losses, jnp.ones(3, bool)).tolist()
      [True, True, False]
      >>> pareto_mask(losses, jnp.ones(3, bool), violations=jnp.array([1.0, 1.0, 0.0])).tolist()
      [False, False, True]
    """
    violations = _check(losses, valid, violations)
    candidates = valid & jnp.isfinite(losses).all(axis=1) & (violations <= 0)
    return candidates & ~constrained_domination(losses, candidates, violations).any(axis=0)


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
    violations = _check(losses, valid, violations)
    usable = is_usable(losses, valid, violations)
    excess = jnp.maximum(violations, 0.0)  # (N,), 0 for every feasible row
    no_worse = (losses[:, None] <= losses[None]).all(axis=-1)  # (N, N): row i is nowhere worse than row j
    better = no_worse & (losses[:, None] < losses[None]).any(axis=-1)
    both_feasible = (excess[:, None] == 0) & (excess[None] == 0)
    dominates = jnp.where(both_feasible, better, excess[:, None] < excess[None])
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
      `(N,)` int32 rank; N for padding and for failed rows. O(N^2 (M + fronts)) time and O(N^2) memory.
    Raises:
      ValueError: a shape is not as above.
    References:
      Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002, sec. III-A. Fronts are peeled off a
      full domination matrix here, which suits vector hardware better than the paper's linked lists.

    Examples:
      >>> losses = jnp.array([[1.0, 3.0], [2.0, 2.0], [3.0, 3.0], [0.0, 0.0]])
      >>> non_dominated_rank(losses, jnp.array([True, True, True, False])).tolist()
      [0, 0, 1, 4]
    """
    violations = _check(losses, valid, violations)
    dominates = constrained_domination(losses, valid, violations)
    num_rows = losses.shape[0]

    def peel(carry):
        front, rank, left = carry
        on_front = left & ~(dominates & left[:, None]).any(axis=0)
        return front + 1, jnp.where(on_front, front, rank), left & ~on_front

    start = (jnp.int32(0), jnp.full(num_rows, num_rows, jnp.int32), is_usable(losses, valid, violations))
    return jax.lax.while_loop(lambda carry: carry[2].any(), peel, start)[1]


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
    _check(losses, front_mask, None)
    return crowding_distance_by_front(losses, jnp.where(front_mask, 0, losses.shape[0]))


def crowding_distance_by_front(losses: jax.Array, rank: jax.Array) -> jax.Array:
    """Measures the crowding distance of every row inside its own front, for all fronts at once.

    Args:
      losses: `(N, M)` float, finite wherever `rank` is below N.
      rank: `(N,)` int32, as `non_dominated_rank` gives it: N for rows that are on no front.
    Returns:
      `(N,)` float32, as in `crowding_distance`. O(M N log N).
    Raises:
      ValueError: a shape is not as above.

    Examples:
      >>> losses = jnp.array([[0.0, 2.0], [2.0, 0.0], [1.0, 4.0], [2.0, 3.0], [4.0, 1.0]])
      >>> crowding_distance_by_front(losses, jnp.array([0, 0, 1, 1, 1])).tolist()
      [inf, inf, inf, 2.0, inf]
    """
    _check(losses, rank, None)
    num_rows, num_objectives = losses.shape
    losses = jnp.where((rank < num_rows)[:, None], losses, 0.0).astype(jnp.float32)
    copy = _is_copy(losses, rank)
    rank = jnp.where(copy, num_rows, rank)
    # Other objectives break ties, so that the distance does not depend on the order of the rows.
    rolled = jax.vmap(lambda shift: jnp.roll(losses, -shift, axis=1))(jnp.arange(num_objectives))  # (M, N, M)
    distance = jax.vmap(_gaps, in_axes=(0, None))(rolled, rank).sum(axis=0)
    return jnp.where(rank < num_rows, distance, 0.0)


def _is_copy(losses: jax.Array, rank: jax.Array) -> jax.Array:
    """Marks every row that equals one with a smaller index in the same front, as `(N,)` bool."""
    order = jnp.lexsort((*losses.T, rank))
    row_sorted, rank_sorted = losses[order], rank[order]
    same = (row_sorted[1:] == row_sorted[:-1]).all(axis=1) & (rank_sorted[1:] == rank_sorted[:-1])
    return jnp.zeros(rank.shape, bool).at[order].set(jnp.concatenate([jnp.zeros(1, bool), same]))


def _gaps(losses: jax.Array, rank: jax.Array) -> jax.Array:
    """Gives each row the gap between its neighbours in the first objective, over the span of its front, as `(N,)`."""
    num_rows = losses.shape[0]
    order = jnp.lexsort((*losses.T[::-1], rank))
    value, front = losses[order, 0], rank[order]
    starts = jnp.concatenate([jnp.ones(1, bool), front[1:] != front[:-1]])
    ends = jnp.concatenate([front[1:] != front[:-1], jnp.ones(1, bool)])
    lowest = jax.ops.segment_min(value, front, num_segments=num_rows + 1)
    highest = jax.ops.segment_max(value, front, num_segments=num_rows + 1)
    span = (highest - lowest)[front]
    gap = jnp.roll(value, -1) - jnp.roll(value, 1)
    gap = jnp.where(starts | ends, jnp.inf, gap / jnp.where(span > 0, span, 1.0))
    return jnp.zeros(num_rows).at[order].set(gap)


def best_first(losses: jax.Array, valid: jax.Array, violations: jax.Array) -> jax.Array:
    """Orders rows by constrained non-dominated rank, then by falling crowding distance; for one objective by loss.

    Args:
      losses: `(N, M)` float, every objective minimised.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible.
    Returns:
      `(N,)` int32, indices of rows; padding and failed rows come last.

    Examples:
      >>> best_first(jnp.array([[3.0], [1.0], [2.0]]), jnp.ones(3, bool), jnp.array([0.0, 1.0, 0.0])).tolist()
      [2, 0, 1]
    """
    rank = non_dominated_rank(losses, valid, violations)
    finite = jnp.where(jnp.isfinite(losses), losses, 0.0)  # an infeasible row may be ranked without losses
    return jnp.lexsort((-crowding_distance_by_front(finite, rank), rank))


def hypervolume_2d(
    losses: jax.Array, valid: jax.Array, reference_point: jax.Array, violations: jax.Array | None = None
) -> jax.Array:
    """Measures the area that a batch dominates below a reference point, exactly, for two objectives.

    Args:
      losses: `(N, 2)` float, both minimised. Rows that do not beat the reference point in both objectives add nothing.
      valid: `(N,)` bool, True for real rows.
      reference_point: `(2,)` float, the worst value of interest in each objective.
      violations: `(N,)` float, `<= 0` is feasible; infeasible rows add nothing. None: all feasible.
    Returns:
      `()` float32, larger is better; 0 for an empty batch. O(N log N).
    Raises:
      ValueError: a shape is not as above; any other number of objectives is refused.
    References:
      Zitzler and Thiele, Multiobjective Evolutionary Algorithms: A Comparative Case Study, 1999, sec. III.

    Examples:
      >>> losses = jnp.array([[1.0, 2.0], [2.0, 1.0]])
      >>> float(hypervolume_2d(losses, jnp.ones(2, bool), jnp.array([3.0, 3.0])))
      3.0
    """
    violations = _check(losses, valid, violations)
    if losses.shape[1] != 2:
        raise ValueError(
            f"hypervolume_2d takes exactly 2 objectives, got losses of shape {losses.shape}. Pick two columns."
        )
    if reference_point.shape != (2,):
        raise ValueError(
            f"reference_point must be (2,), got shape {reference_point.shape}. Pass jnp.array([worst_0, worst_1])."
        )
    counted = valid & jnp.isfinite(losses).all(axis=1) & (violations <= 0)
    counted &= (losses < reference_point[None]).all(axis=1)
    points = jnp.where(counted[:, None], losses, reference_point[None]).astype(jnp.float32)  # the rest has no area
    points = points[jnp.lexsort((points[:, 1], points[:, 0]))]
    reference = reference_point.astype(jnp.float32)
    lowest = jax.lax.cummin(points[:, 1])  # (N,)
    height = jnp.concatenate([reference[1:], lowest[:-1]]) - lowest  # what each point adds below those to its left
    return ((reference[0] - points[:, 0]) * height).sum()


def _check(losses: jax.Array, rows: jax.Array, violations: jax.Array | None) -> jax.Array:
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
