"""The knee of a front: the compromise that gives up least."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from metagen_jax.search.pareto import check_batch, pareto_mask


class KneePoint(NamedTuple):
    """Where the knee of a front is, if there is a front."""

    row: jax.Array  # () int32; 0 where there is none
    exists: jax.Array  # () bool, False if no row is feasible and finite


def knee_point(losses: jax.Array, valid: jax.Array, violations: jax.Array | None = None) -> KneePoint:
    """Finds the row of the front that lies farthest below the plane through the ends of the front.

    Every objective is scaled so that the front spans 0 to 1. The plane is then the one where the scaled objectives sum to
    1, so that the knee is the row with the smallest sum. Of rows with equal sums the one with the smallest first objective
    is taken (then the second, ...), so the result does not depend on the order of the rows. A front of one row has it as
    its knee; of two rows, both ends, it is the one with the smaller first objective; with one objective it is the best row.

    Args:
      losses: `(N, M)` float, every objective minimised. A row that is not finite is never on the front.
      valid: `(N,)` bool, True for real rows.
      violations: `(N,)` float, `<= 0` is feasible; an infeasible row is never the knee. None: all feasible.
    Returns:
      The row, and whether there is one. Time as for `pareto_mask`.
    Raises:
      ValueError: a shape is not as above.
    References:
      Das, On Characterizing the "Knee" of the Pareto Curve Based on Normal-Boundary Intersection, 1999. Departure: the
      plane goes through the corners of the scaled front and not through the minima of the single objectives, which for
      three objectives or more need not span a plane; for two objectives these are the same.

    Examples:
      >>> losses = jnp.array([[0.0, 10.0], [1.0, 2.0], [10.0, 0.0], [9.0, 9.0]])
      >>> int(knee_point(losses, jnp.ones(4, bool)).row)
      1
      >>> bool(knee_point(losses, jnp.zeros(4, bool)).exists)
      False
    """
    check_batch(losses, valid, violations)
    front = pareto_mask(losses, valid, violations)
    lowest = jnp.where(front[:, None], losses, jnp.inf).min(axis=0)  # (M,)
    span = jnp.where(front[:, None], losses, -jnp.inf).max(axis=0) - lowest
    scaled = (losses - lowest[None]) / jnp.where(span > 0, span, 1.0)[None]
    height = jnp.where(front, scaled.sum(axis=1), jnp.inf)
    row = jnp.lexsort((*losses.T[::-1], height, ~front))[0]
    exists = front.any()
    return KneePoint(jnp.where(exists, row, 0).astype(jnp.int32), exists)
