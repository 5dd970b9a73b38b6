"""The lengths that are searched where the spec leaves them open: a family's own, or larger ones that a budget asks for."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Mapping

from metagen_jax.spec import Constraints
from metagen_jax.synth.modalities import SIZE, Dimension, Family

# Around the lengths of the network that the budget aims at. Without a lower limit small networks belong to the space.
AROUND = (0.5, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5)
BELOW = (0.25, 0.375, 0.5, 0.625, 0.75, 1.0, 1.25)
AIM = 0.7  # share of an upper limit that stands alone
FINEST_STEP = 128  # lengths beyond 1024 are multiples of it, which suits matrix units


def for_budget(
    family: Family, constraints: Constraints, ranged: Collection[str], count: Callable[[Mapping[str, int]], int]
) -> tuple[Dimension, ...]:
    """Returns the family's dimensions, with longer lengths where the budget is beyond those that it has.

    Lengths grow along the family's anchors, networks of which it is known that they work: the network of the aimed size
    lies between two of them, and each axis is searched around its length there.

    Args:
      family: the kind of network.
      constraints: of the spec.
      ranged: axes of which the spec keeps a range: it is taken from the family's own lengths too.
      count: lengths of all searched axes to the number of parameters.
    """
    own = {d.name: max(d.values) for d in family.dimensions if d.kind == SIZE}
    aim = _aim(constraints)
    if aim is None or aim <= count(own) or not family.anchors:
        return family.dimensions
    center = _between_anchors([own, *family.anchors], aim, count)
    factors = AROUND if constraints.min_params else BELOW

    def around(dimension: Dimension) -> Dimension:
        lengths = _snapped(center[dimension.name] * factor for factor in factors)
        own_lengths = dimension.values if dimension.name in ranged else ()
        return dataclasses.replace(dimension, values=tuple(sorted({*lengths, *own_lengths})))

    return tuple(around(d) if d.kind == SIZE else d for d in family.dimensions)


def _aim(constraints: Constraints) -> float | None:
    """The number of parameters that a budget is after; None where it does not say."""
    low, high = constraints.min_params, constraints.max_params
    if low:
        return math.sqrt(low * high) if high is not None else 1.25 * low
    return None if high is None else AIM * high


def _between_anchors(
    anchors: list[Mapping[str, int]], aim: float, count: Callable[[Mapping[str, int]], int]
) -> dict[str, float]:
    """The lengths of the network of so many parameters on the line through the anchors, on logarithmic scales.

    Beyond the last anchor the line goes on as between the last two.
    """
    number = next((i for i in range(1, len(anchors)) if count(anchors[i]) >= aim), len(anchors) - 1)
    start, end = anchors[number - 1], anchors[number]

    def at(position: float) -> dict[str, float]:
        return {axis: length * (end[axis] / length) ** position for axis, length in start.items()}

    low, high = 0.0, 8.0
    for _ in range(50):
        middle = (low + high) / 2
        rounded = {axis: round(length) for axis, length in at(middle).items()}
        low, high = (middle, high) if count(rounded) < aim else (low, middle)
    return at(high)


def _snapped(lengths: Iterable[float]) -> tuple[int, ...]:
    """Whole lengths that are a multiple of a power of two near an eighth of them.

    Examples:
      >>> _snapped([2.2, 29.9, 1000.0, 5100.0])
      (2, 30, 1024, 5120)
    """
    snapped = set()
    for length in lengths:
        step = min(FINEST_STEP, 2 ** max(0, math.floor(math.log2(max(length, 1) / 8))))
        snapped.add(max(1, round(length / step) * step))
    return tuple(sorted(snapped))
