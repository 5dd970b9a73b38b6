"""Shortening a front so that what is left stays spread out."""

import jax
import jax.numpy as jnp

from metagen_jax.search.pareto import check_batch, is_copy


def truncate_front(losses: jax.Array, front_mask: jax.Array, num_removed: jax.Array | int) -> jax.Array:
    """Removes the most crowded member of a front again and again, and looks at the crowding anew each time.

    Removing all at once by one look, as NSGA-II was published, tears holes where crowded members are neighbours. Copies go
    first. Then, for two objectives, the member with the smallest crowding distance; for more, the one with the smallest
    product of distances to its M nearest neighbours. The ends of the front in each objective go last.

    Args:
      losses: `(N, M)` float, finite where `front_mask` is True.
      front_mask: `(N,)` bool, True for the members of one front: none may dominate another.
      num_removed: `()` int32, how many to remove; at most all are.
    Returns:
      `(N,)` bool, True for the members that stay. O(N^2) a round (M > 2: O(M N^2)); a round removes all members that no
      later removal could save, so that there are few: about 6 for 50 of 150.
    Raises:
      ValueError: a shape is not as above.
    References:
      Kukkonen and Deb, Improved Pruning of Non-Dominated Solutions Based on Crowding Distance for Bi-Objective
      Optimization Problems, 2006; the same, A Fast and Effective Method for Pruning of Non-dominated Solutions in
      Many-Objective Problems, 2006. Departures: several are removed a round, with the same result; distances are sums of
      absolute differences.

    Examples:
      >>> losses = jnp.array([[0.0, 9.0], [4.0, 5.0], [5.0, 4.0], [5.5, 3.5], [9.0, 0.0]])
      >>> truncate_front(losses, jnp.ones(5, bool), 1).tolist()
      [True, True, False, True, True]
      >>> truncate_front(losses, jnp.ones(5, bool), 2).tolist()
      [True, True, False, False, True]
    """
    check_batch(losses, front_mask, None)
    num_removed = jnp.minimum(num_removed, front_mask.sum())
    copy = is_copy(losses, front_mask[:, None] & front_mask[None])
    first_to_go = copy & (jnp.cumsum(copy) <= num_removed)
    front = front_mask & ~first_to_go
    num_removed = num_removed - first_to_go.sum()
    lowest = jnp.where(front[:, None], losses, jnp.inf).min(axis=0)  # (M,)
    highest = jnp.where(front[:, None], losses, -jnp.inf).max(axis=0)
    span = highest - lowest
    scaled = jnp.where(front[:, None], losses - lowest[None], 0.0) / jnp.where(span > 0, span, 1.0)[None]
    scaled = jnp.where(jnp.isnan(scaled), 1.0, scaled)  # a span beyond float32
    prune = _prune_line if losses.shape[1] <= 2 else _prune_cloud
    return prune(scaled.astype(jnp.float32), front, num_removed)


def _order_of(crowding: jax.Array, alive: jax.Array) -> jax.Array:
    """Counts for each living row those that are more crowded (at a tie, that stand earlier): `(N,)` int32, N for the dead."""
    position = jnp.arange(alive.size)
    mine, other = crowding[:, None], crowding[None]
    sooner = (mine < other) | ((mine == other) & (position[:, None] < position[None]))
    return jnp.where(alive, (sooner & alive[:, None]).sum(axis=0, dtype=jnp.int32), alive.size)


# Both loops rest on one fact. Crowding only eases when something is removed. So a member that is among the `left` most
# crowded, and more crowded than all whose removal would change its crowding or that it changes, is going to be removed
# whatever happens first, and when does not matter.


def _prune_line(scaled: jax.Array, front: jax.Array, num_removed: jax.Array) -> jax.Array:
    """Prunes a front of two objectives, along which each member has a neighbour on either side."""
    num_rows = front.size
    order = jnp.argsort(jnp.where(front, scaled[:, 0], jnp.inf))
    line = scaled[order]  # (N, M)
    position = jnp.arange(num_rows)
    last = front.sum() - 1

    def unfinished(carry):
        return carry[3] > 0

    def one_round(carry):
        alive, before, after, left = carry
        crowding = jnp.abs(line[after] - line[before]).sum(axis=1)
        crowding = jnp.where((before == position) | (after == position), jnp.inf, crowding)
        turn = _order_of(crowding, alive)
        goes = turn < left
        goes &= ((turn < turn[before]) | (before == position)) & ((turn < turn[after]) | (after == position))
        after = jnp.where(goes[after], after[after], after)  # two neighbours never go in the same round
        before = jnp.where(goes[before], before[before], before)
        return alive & ~goes, before, after, left - goes.sum(dtype=jnp.int32)

    start = (position <= last, jnp.maximum(position - 1, 0), jnp.clip(position + 1, 0, last), num_removed)
    alive = jax.lax.while_loop(unfinished, one_round, start)[0]
    return jnp.zeros(num_rows, bool).at[order].set(alive)


def _prune_cloud(scaled: jax.Array, front: jax.Array, num_removed: jax.Array) -> jax.Array:
    """Prunes a front of three objectives or more by the distances to the nearest neighbours."""
    num_rows, num_objectives = scaled.shape
    position = jnp.arange(num_rows)
    distance = sum(jnp.abs(column[:, None] - column[None]) for column in scaled.T)  # (N, N)
    distance = jnp.where(position[:, None] == position[None], jnp.inf, distance)
    smallest = jnp.argmin(jnp.where(front[:, None], scaled, jnp.inf), axis=0)  # (M,)
    largest = jnp.argmax(jnp.where(front[:, None], scaled, -jnp.inf), axis=0)
    is_end = jnp.zeros(num_rows, bool).at[jnp.concatenate([smallest, largest])].set(True)

    def unfinished(carry):
        return carry[1] > 0

    def one_round(carry):
        alive, left = carry
        to_living = jnp.where(alive[:, None], distance, jnp.inf)
        crowding, radius = jnp.ones(num_rows), jnp.full(num_rows, -jnp.inf)
        for _ in range(num_objectives):  # the next nearest; neighbours at the same distance count as one
            radius = jnp.where(to_living > radius[None], to_living, jnp.inf).min(axis=0)
            crowding = crowding * jnp.minimum(radius, 2.0 * num_objectives)  # beyond any distance, where none is left
        turn = _order_of(jnp.where(is_end, jnp.inf, crowding), alive)
        near = (distance <= radius[:, None]) | (distance <= radius[None])
        must_wait = (near & (turn[:, None] < turn[None])).any(axis=0)
        goes = ~must_wait & (turn < left)
        return alive & ~goes, left - goes.sum(dtype=jnp.int32)

    return jax.lax.while_loop(unfinished, one_round, (front, num_removed))[0]
