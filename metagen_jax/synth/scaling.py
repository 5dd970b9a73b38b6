"""Targets and their prototypes: a network that no search can train is judged by a small one of the same proportions.

Every axis is divided by one number that is fixed for the run. Rounding keeps the order of lengths, and as far as it can
be helped keeps them apart.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.modalities import SIZE, Dimension, Family, Field
from metagen_jax.synth.space import SearchSpace

GROWTH = (1.0, 1.25, 1.5)  # of a family's own longest length, where that keeps more lengths apart
PROTOTYPE_CONTEXT = 64  # positions at most
NUM_COMPARED = 64  # targets


def divisors(family: Family, dimensions: Sequence[Dimension]) -> dict[str, float]:
    """What each searched axis of a target is divided by: its prototypes are as long as the family's own networks."""
    own = {d.name: max(d.values) for d in family.dimensions if d.kind == SIZE}
    return {d.name: _divisor(d.values, own[d.name]) for d in dimensions if d.kind == SIZE}


def _divisor(lengths: Sequence[int], own: int) -> float:
    """The divisor that keeps most lengths apart, among these the largest."""
    candidates = [max(1.0, max(lengths) / (growth * own)) for growth in GROWTH]
    return max(candidates, key=lambda divisor: (len({shrunk(length, divisor) for length in lengths}), divisor))


def shrunk(length: int, divisor: float) -> int:
    """The prototype's length for a target's.

    Examples:
      >>> [shrunk(length, 42.7) for length in (3072, 4096, 5120)]
      [72, 96, 120]
    """
    return max(1, round(length / divisor))


def shrink(dimensions: Sequence[Dimension], by: Mapping[str, float]) -> tuple[Dimension, ...]:
    """The dimensions of the prototypes: the same choices at the same positions, of shorter lengths."""
    return tuple(
        dataclasses.replace(d, values=tuple(shrunk(length, by[d.name]) for length in d.values)) if d.name in by else d
        for d in dimensions
    )


def describe(target: SearchSpace, prototypes: SearchSpace) -> list[str]:
    """What is to be known of the prototypes before they are trained: their lengths, and how many of them coincide."""
    axes = [
        f"{d.name} {_span(d.values)} to {_span(small.values)}"
        for d, small in zip(target.dimensions, prototypes.dimensions, strict=True)
        if d.values != small.values
    ]
    data = [
        f"{field.name} {field.value} to {small.value}"
        for field, small in zip(target.fixed, prototypes.fixed, strict=True)
        if field != small
    ]
    networks, shorter = distinct(target, prototypes)
    return [
        f"networks of up to {target.most_params:,} parameters are targets: in their place prototypes are trained",
        f"shrunk: {'; '.join([*axes, *data])}",
        f"{networks} targets within the limits were drawn; {shorter} of their prototypes are different ones",
    ]


def distinct(target: SearchSpace, prototypes: SearchSpace) -> tuple[int, int]:
    """Draws `NUM_COMPARED` different targets, or all there are: how many, and how many different prototypes they have."""
    networks = target.feasible_networks()
    chosen = np.random.default_rng(0).permutation(len(networks))[:NUM_COMPARED]
    return len(chosen), len({prototypes.blueprint(networks[i]).network_key for i in chosen})


def _span(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]}-{values[-1]}"


def factors(target: SearchSpace, prototypes: SearchSpace) -> dict[str, float]:
    """What each axis was divided by, those that data and spec decide among them; only where that is not 1."""
    searched = {
        d.name: max(d.values) / max(small.values)
        for d, small in zip(target.dimensions, prototypes.dimensions, strict=True)
        if d.kind == SIZE
    }
    fixed = {field.name: field.value / small.value for field, small in zip(target.fixed, prototypes.fixed, strict=True)}
    return {name: factor for name, factor in (searched | fixed).items() if factor != 1}


TRANSFER = (
    "The learning rate is that of the prototype times the ratio of their widths, as Adam's falls with the width in the "
    "maximal update parametrisation (Yang et al., Tensor Programs V, 2022); the other settings are the prototype's."
)


def transferred(target: Blueprint, prototype: Blueprint, widths: Sequence[str]) -> dict[str, float]:
    """The training settings of a target, from those that its prototype was searched with: see `TRANSFER`.

    Args:
      widths: the axes of the residual stream, one a level; of several ratios the geometric mean counts.
    """
    ratios = [prototype.sizes[width] / target.sizes[width] for width in widths]
    ratio = math.prod(ratios) ** (1 / len(ratios))
    settings = dict(prototype.hyperparameters)
    return settings | {"learning_rate": settings["learning_rate"] * ratio}


def shrink_context(fields: Sequence[Field]) -> tuple[Field, ...]:
    """What data and spec decide for a prototype: a text is read in shorter windows."""
    return tuple(
        dataclasses.replace(field, value=min(field.value, PROTOTYPE_CONTEXT)) if field.name == "context" else field
        for field in fields
    )
