"""Changing genotypes: each kind of choice in its own way."""

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.space import Space, from_indices, from_unit, to_indices, to_unit, unit_to_continuous
from metagen_jax.search.uniform import draw_uniform, scale_to_index

LOWEST_RATE = 0.2  # mutation rate of the most careful child, over D: with the forced change it changes one dimension
HIGHEST_RATE = 0.3  # mutation rate of the boldest child
STEP_STOP_RATE = 0.5  # a step in an ordered dimension goes on with one minus this: 1 half of the time, 2 a quarter...
NEAR_END = 1e-6  # share of a range; rounding may put its end that far off
SHORTEST_STEP, LONGEST_STEP = 1e-3, 0.5  # of a continuous dimension, as a share of its range


def mutate(key: jax.Array, space: Space, genotypes: jax.Array) -> jax.Array:
    """Changes at least one dimension of every genotype. The key is consumed.

    A categorical dimension gets any other choice; an integer moves up or down by a geometric step, a real number by a
    share of its range (of its logarithm's range) that is log-uniform between 0.001 and 0.5; both are cut at the ends.
    Each genotype has its own rate, log-uniform between 0.2 / D and 0.3.

    Args:
      key: consumed.
      space: the space, D dimensions.
      genotypes: `(N, D)`.
    Returns:
      `(N, D)`.
    """
    rate, where, forced, value, direction, length = draw_uniform(key, (6, *genotypes.shape))
    can_vary = jnp.array(space.is_continuous | (space.counts > 1))[None]  # (1, D)
    lowest_rate = min(HIGHEST_RATE, LOWEST_RATE / space.num_dimensions)
    chosen = where < lowest_rate * (HIGHEST_RATE / lowest_rate) ** rate[:, :1]  # one rate a genotype
    winner = jnp.where(can_vary, forced, -1.0).argmax(axis=1, keepdims=True)
    chosen |= jnp.arange(space.num_dimensions)[None] == winner
    changed = from_indices(
        space,
        _change_indices(space, to_indices(space, genotypes), value, direction, length),
        None if space.is_discrete else _change_continuous(space, genotypes, direction, length),
    )
    return jnp.where(chosen & can_vary, changed, genotypes)


def _change_indices(
    space: Space, indices: jax.Array, value: jax.Array, direction: jax.Array, length: jax.Array
) -> jax.Array:
    """Changes every discrete dimension of `(N, D)` indices; the last three are uniform draws."""
    counts = jnp.array(space.counts)[None]  # (1, D)
    resampled = (indices + 1 + scale_to_index(value, jnp.maximum(counts - 1, 1))) % counts
    return jnp.where(jnp.array(space.is_ordered)[None], _step(indices, counts, direction, length), resampled)


def _step(indices: jax.Array, counts: jax.Array, direction: jax.Array, length: jax.Array) -> jax.Array:
    """Moves every index up or down by a geometric step of 1 or more, cut at the ends; the last two are uniform draws."""
    room_up = counts - 1 - indices
    up = ((direction < 0.5) & (room_up > 0)) | (indices == 0)
    step = 1 + jnp.floor(jnp.log1p(-length) / jnp.log1p(-STEP_STOP_RATE)).astype(jnp.int32)  # geometric by inversion
    return indices + jnp.where(up, jnp.minimum(step, room_up), -jnp.minimum(step, indices))


def _change_continuous(space: Space, genotypes: jax.Array, direction: jax.Array, length: jax.Array) -> jax.Array:
    """Moves every continuous dimension of `(N, D)` genotypes; the last two are uniform draws."""
    unit = to_unit(space, genotypes)
    share = SHORTEST_STEP * (LONGEST_STEP / SHORTEST_STEP) ** length
    up = ((direction < 0.5) & (unit < 1.0)) | (unit == 0.0)
    return unit_to_continuous(space, unit + jnp.where(up, share, -share))


def simulated_binary_crossover(
    key: jax.Array, space: Space, first: jax.Array, second: jax.Array, *, rate: float, eta: float
) -> tuple[jax.Array, jax.Array]:
    """Makes two children of each couple of parents, about as far apart as the parents are.

    With chance `rate` a couple is crossed, and then each dimension with chance one half: the children lie at
    `mean -+ spread * (second - first) / 2`, where `spread = (2 u)^(1 / (eta + 1))` for a uniform `u < 1/2`, else
    `(2 - 2 u)^(-1 / (eta + 1))`; which child gets which is a coin flip. Logarithmic ranges are crossed on the logarithm,
    integers on the real line and then rounded; of a categorical dimension the parents' values are exchanged or not.

    Args:
      key: consumed.
      space: the space, D dimensions.
      first: `(N, D)`.
      second: `(N, D)`.
      rate: share of couples that are crossed; the others are copied.
      eta: how alike to their parents children are; 0 or more, larger is more alike.
    Returns:
      Two children a couple, `(N, D)` twice.
    References:
      Deb and Agrawal, Simulated Binary Crossover for Continuous Search Space, 1995. Departure: what falls outside a range
      is cut off at its end, so that optima at the end of a range are reached exactly.

    Examples:
      >>> from metagen_jax.search.space import Categorical, Continuous
      >>> space = Space((Continuous(0.0, 10.0), Categorical(9)))
      >>> one, two = jnp.array([[4.0, 3.0]]), jnp.array([[6.0, 8.0]])
      >>> children = simulated_binary_crossover(jax.random.key(0), space, one, two, rate=1.0, eta=5.0)
      >>> sorted(int(child[0, 1]) for child in children)
      [3, 8]
      >>> copied = simulated_binary_crossover(jax.random.key(0), space, one, two, rate=0.0, eta=5.0)
      >>> [child.tolist() for child in copied]
      [[[4.0, 3.0]], [[6.0, 8.0]]]
    """
    num, num_dimensions = first.shape
    uniform = draw_uniform(key, (num, num_dimensions + 1))
    crossed = uniform[:, -1:] < rate
    cut = 4.0 * uniform[:, :-1]  # the quarter is two coin flips, the rest a draw from [0, 1) again
    quarter = jnp.floor(cut)
    draw = cut - quarter
    crossed &= (quarter >= 2) & (first != second)  # where parents agree, rounding must not change what they agree on
    exchanged = quarter == 3
    a, b = _to_line(space, first), _to_line(space, second)
    spread = jnp.where(draw < 0.5, 2.0 * draw, 1.0 / (2.0 - 2.0 * draw)) ** (1.0 / (eta + 1.0))
    mean, reach = 0.5 * (a + b), 0.5 * spread * (b - a)
    low, high = (from_unit(space, jnp.clip(mean + side, 0.0, 1.0)) for side in (-reach, reach))
    is_ordered = jnp.array(space.is_ordered)[None]
    low, high = jnp.where(is_ordered, low, first), jnp.where(is_ordered, high, second)
    return (
        jnp.where(crossed, jnp.where(exchanged, high, low), first),
        jnp.where(crossed, jnp.where(exchanged, low, high), second),
    )


def polynomial_mutation(key: jax.Array, space: Space, genotypes: jax.Array, *, rate: float, eta: float) -> jax.Array:
    """Changes each dimension with the same small chance, mostly by little, at most to the end of its range.

    A real number (or its logarithm, or an integer before rounding) moves towards one end, either with the same chance,
    by the share `1 - (1 - v (1 - (1 - d)^(eta + 1)))^(1 / (eta + 1))` of the range, where d is the distance to that
    end and v uniform. An integer moves by 1 at least; a categorical dimension gets any other choice.

    Args:
      key: consumed.
      space: the space, D dimensions.
      genotypes: `(N, D)`.
      rate: mean number of changes a genotype, of the dimensions that can vary.
      eta: how small steps are: the mean is about `1 / (eta + 2)` of the range.
    Returns:
      `(N, D)`.
    References:
      Deb and Goyal, A Combined Genetic Adaptive Search (GeneAS) for Engineering Design, 1996; bounded form as in Deb and
      Deb, Analysing Mutation Schemes for Real-Parameter Genetic Algorithms, 2014. Departures: the steps of integers, and
      logarithms of 1 + x for small x, because steps of 1e-8 matter near the end of a range.

    Examples:
      >>> from metagen_jax.search.space import Categorical, Integer
      >>> genotypes, space = jnp.zeros((1, 2), jnp.int32), Space((Integer(0, 1), Categorical(2)))
      >>> polynomial_mutation(jax.random.key(0), space, genotypes, rate=2.0, eta=20.0).tolist()
      [[1, 1]]
      >>> polynomial_mutation(jax.random.key(0), space, genotypes, rate=0.0, eta=20.0).tolist()
      [[0, 0]]
    """
    can_vary = space.is_continuous | (space.counts > 1)  # (D,)
    chance = min(1.0, rate / max(int(can_vary.sum()), 1))
    uniform = draw_uniform(key, genotypes.shape)
    draw = uniform / max(chance, 1e-12)  # uniform in [0, 1) where it says that the dimension changes
    chosen = (uniform < chance) & jnp.array(can_vary)[None]
    line = _to_line(space, genotypes)
    changed = _polynomial_change(space, genotypes, line, line, jnp.minimum(draw, 1.0), eta)
    return jnp.where(chosen, changed, genotypes)


def mutate_one_dimension(key: jax.Array, space: Space, genotypes: jax.Array, *, eta: float) -> jax.Array:
    """Changes exactly one dimension of each of `(N, D)` genotypes as `polynomial_mutation` does. The key is consumed.

    Examples:
      >>> from metagen_jax.search.space import Integer
      >>> genotypes = jnp.zeros((5, 3), jnp.int32)
      >>> mutants = mutate_one_dimension(jax.random.key(0), Space((Integer(0, 9),) * 3), genotypes, eta=20.0)
      >>> (mutants != genotypes).sum(axis=1).tolist()
      [1, 1, 1, 1, 1]
      >>> fixed = Space((Integer(4, 4),))
      >>> mutate_one_dimension(jax.random.key(0), fixed, jnp.full((1, 1), 4), eta=20.0).tolist()
      [[4]]
    """
    can_vary = np.flatnonzero(space.is_continuous | (space.counts > 1))
    if not can_vary.size:
        return genotypes
    which, draw = draw_uniform(key, (2, genotypes.shape[0]))
    dimension = jnp.array(can_vary)[scale_to_index(which, jnp.array(can_vary.size))]  # (N,)
    chosen = jnp.arange(space.num_dimensions)[None] == dimension[:, None]
    line = _to_line(space, genotypes)
    at = jnp.where(chosen, line, 0.0).sum(axis=1, keepdims=True)  # (N, 1), so that one step a genotype is computed
    # Away from an end, where half of the steps would lead nowhere.
    draw = jnp.where(
        at < NEAR_END, 0.5 + 0.5 * draw[:, None], jnp.where(at > 1.0 - NEAR_END, 0.5 * draw[:, None], draw[:, None])
    )
    return jnp.where(chosen, _polynomial_change(space, genotypes, line, at, draw, eta), genotypes)


def _to_line(space: Space, genotypes: jax.Array) -> jax.Array:
    """Places `(N, D)` genotypes in [0, 1], integers in the middle of the part that `from_unit` gives back to them."""
    middle = (to_indices(space, genotypes) + 0.5) / jnp.array(space.counts, jnp.float32)[None]
    if space.is_discrete:
        return middle
    return jnp.where(jnp.array(space.is_continuous)[None], to_unit(space, genotypes), middle)


def _polynomial_change(
    space: Space, genotypes: jax.Array, line: jax.Array, at: jax.Array, draw: jax.Array, eta: float
) -> jax.Array:
    """Changes every dimension of `(N, D)` genotypes, which lie at `line`, by a step from `at`; draws are uniform.

    `at` and `draw` are `(N, D)`, or `(N, 1)` where only one dimension of the result is going to be used.
    """
    down = draw < 0.5
    share = jnp.abs(1.0 - 2.0 * draw)
    room = jnp.where(down, at, 1.0 - at)
    step = -jnp.expm1(jnp.log1p(share * jnp.expm1((eta + 1.0) * jnp.log1p(-room))) / (eta + 1.0))
    moved = from_unit(space, line + jnp.where(down, -step, step))
    return moved if space.is_continuous.all() else _change_discrete(space, genotypes, moved, draw, down)


def _change_discrete(
    space: Space, genotypes: jax.Array, moved: jax.Array, draw: jax.Array, down: jax.Array
) -> jax.Array:
    """Makes integers move by 1 at least and gives categorical dimensions another choice; continuous ones stay `moved`."""
    counts = jnp.array(space.counts)[None]
    indices, target = to_indices(space, genotypes), to_indices(space, moved)
    down = (down & (indices > 0)) | (indices == counts - 1)
    stepped = jnp.where(target == indices, indices + jnp.where(down, -1, 1), target)
    other = (indices + 1 + scale_to_index(draw, jnp.maximum(counts - 1, 1))) % counts
    changed = jnp.where(jnp.array(space.is_ordered)[None], jnp.clip(stepped, 0, counts - 1), other)
    return from_indices(space, changed, None if space.is_discrete else moved)
