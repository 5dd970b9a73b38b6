"""The hypervolume indicator: how much of the objective space a batch of losses dominates."""

import jax
import jax.numpy as jnp

from metagen_jax.search.pareto import check_batch

LARGEST_NUM_OBJECTIVES = 4


def hypervolume(
    losses: jax.Array, valid: jax.Array, reference_point: jax.Array, violations: jax.Array | None = None
) -> jax.Array:
    """Measures the volume that a batch dominates below a reference point, exactly, for 2, 3 or 4 objectives.

    Rows are passed by rising first objective. Over the grid of all values of the others (but the last) the lowest last
    objective so far is kept; what lies above it, times the way to the next row, is added up.

    Args:
      losses: `(N, M)` float, every objective minimised. Rows that do not beat the reference point in every objective add
        nothing, nor do failed ones.
      valid: `(N,)` bool, True for real rows.
      reference_point: `(M,)` float, the worst value of interest in each objective.
      violations: `(N,)` float, `<= 0` is feasible; infeasible rows add nothing. None: all feasible.
    Returns:
      `()` float32, larger is better; 0 for an empty batch. O(N log N) time for two objectives, O(N^2) for three and
      O(N^3) for four, with O(N^(M - 2)) memory. Rounding: about N times 1e-7 of the largest volume, at worst.
    Raises:
      ValueError: a shape is not as above, or M is not 2, 3 or 4.
    References:
      Zitzler and Thiele, Multiobjective Evolutionary Algorithms: A Comparative Case Study, 1999, sec. III. Sweeping by one
      objective after the other: Fonseca, Paquete and Lopez-Ibanez, An Improved Dimension-Sweep Algorithm for the
      Hypervolume Indicator, 2006; here over whole grids in place of trees, which suits vector hardware.

    Examples:
      >>> losses = jnp.array([[1.0, 2.0], [2.0, 1.0]])
      >>> float(hypervolume(losses, jnp.ones(2, bool), jnp.array([3.0, 3.0])))
      3.0
      >>> corner = jnp.zeros((1, 4))
      >>> float(hypervolume(corner, jnp.ones(1, bool), jnp.full(4, 2.0)))
      16.0
    """
    violations = check_batch(losses, valid, violations)
    num_objectives = losses.shape[1]
    if not 2 <= num_objectives <= LARGEST_NUM_OBJECTIVES:
        raise ValueError(
            f"hypervolume takes 2, 3 or 4 objectives, got losses of shape {losses.shape}. "
            "Pick columns, for example losses[:, :2]; one objective is compared by its smallest loss."
        )
    if reference_point.shape != (num_objectives,):
        raise ValueError(
            f"reference_point must be ({num_objectives},), got shape {reference_point.shape}. "
            "Pass the worst value of interest in each objective."
        )
    reference = reference_point.astype(jnp.float32)
    counted = valid & jnp.isfinite(losses).all(axis=1) & (violations <= 0)
    counted &= (losses < reference_point[None]).all(axis=1)
    points = jnp.where(counted[:, None], losses, reference[None]).astype(jnp.float32)  # the rest has no volume
    if num_objectives == 2:
        return _area(points, reference)
    return _sweep(points, reference)


def _area(points: jax.Array, reference: jax.Array) -> jax.Array:
    """Adds up, from left to right, what each of `(N, 2)` points covers below those before it."""
    points = points[jnp.lexsort((points[:, 1], points[:, 0]))]
    lowest = jax.lax.cummin(points[:, 1])  # (N,)
    height = jnp.concatenate([reference[1:], lowest[:-1]]) - lowest
    return ((reference[0] - points[:, 0]) * height).sum()


def _sweep(points: jax.Array, reference: jax.Array) -> jax.Array:
    """Sweeps a grid over the middle objectives along the first one; `(N, M)` points, M of 3 or more."""
    num_rows, num_objectives = points.shape
    points = points[jnp.argsort(points[:, 0])]
    length = jnp.diff(points[:, 0], append=reference[0])  # (N,), along the first objective
    grids = [jnp.sort(column) for column in points.T[1:-1]]
    cell = jnp.ones((), jnp.float32)  # (N, ..., N): size of each cell of the grid
    for grid, end in zip(grids, reference[1:-1], strict=True):
        cell = cell[..., None] * jnp.diff(grid, append=end).reshape((1,) * cell.ndim + (-1,))

    def pass_row(carry, row_and_length):
        lowest, volume = carry
        row, length = row_and_length
        covers = jnp.ones((), bool)  # (N, ..., N): cells that the row dominates in the middle objectives
        for grid, value in zip(grids, row[1:-1], strict=True):
            covers = covers[..., None] & (grid >= value).reshape((1,) * covers.ndim + (-1,))
        lowest = jnp.where(covers, jnp.minimum(lowest, row[-1]), lowest)
        return (lowest, volume + length * (cell * (reference[-1] - lowest)).sum()), None

    start = jnp.full((num_rows,) * (num_objectives - 2), reference[-1]), jnp.float32(0.0)
    return jax.lax.scan(pass_row, start, (points, length))[0][1]
