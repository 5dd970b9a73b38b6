"""Candidates of one search space in the terms of another: the nearest networks that its limits allow."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.modalities import HYPERPARAMETER, Dimension
from metagen_jax.synth.space import SearchSpace

SAME_BUDGET = 0.05  # budgets whose logarithms differ by less are the same
OF_SHARE = 1.0  # weight of the logarithm of the share of the budget beside the position in one dimension
OF_OPEN = 1e-3  # weight of the middle of a dimension of which a blueprint says nothing


class Translator:
    """Says what a candidate of another space is in this one.

    Dimensions that both have by name are kept: words as they are; numbers as they are where the budget is the same, and
    else relative to what could be chosen, so that what was wide stays wide. Of the networks within the limits the
    nearest one is taken, and what counts is also which share of the budget it uses up. Training numbers keep their value
    as nearly as can be within a family; another family learns at other rates, so there it is their place that is kept.

    Args:
      space: where candidates are to go. D: its dimensions.
    Raises:
      InfeasibleError: it has nothing within its limits.
    """

    def __init__(self, space: SearchSpace):
        space.feasible_share()
        self._space, self._networks = space, space.feasible_networks()
        self._budget = space.spec.constraints.max_params
        columns = zip(space.dimensions, self._networks.T, strict=True)
        self._positions = np.stack([_positions(d.values)[column] for d, column in columns], axis=1)
        self._log_share = np.log(np.maximum(space.feasible_params(), 1) / (self._budget or 1))

    def __call__(
        self, blueprint: Blueprint, choices: Mapping[str, Sequence[Any]], params: float, budget: float | None
    ) -> np.ndarray:
        """Returns a genotype within the limits, `(D,)` int32.

        Args:
          blueprint: of a candidate of another space, or of the same one.
          choices: what could be chosen there, by name; empty where that is not known.
          params: how many parameters it had.
          budget: how many it could have at most; None without a limit.
        """
        same = self._budget == budget or _are_close(self._budget, budget)
        related = blueprint.family == self._space.family.name
        had = {**blueprint.structure, **blueprint.sizes, **blueprint.hyperparameters}

        def keeps_value(dimension: Dimension) -> bool:
            return related if dimension.kind == HYPERPARAMETER else same

        wanted = [
            _wanted(d, had.get(d.name), () if keeps_value(d) else choices.get(d.name, ()))
            for d in self._space.dimensions
        ]
        of_network = [column for column, d in enumerate(self._space.dimensions) if d.kind != HYPERPARAMETER]
        distance = np.zeros(len(self._networks))
        for column in of_network:
            weight, position = (OF_OPEN, 0.5) if wanted[column] is None else (1.0, wanted[column])
            distance += weight * (self._positions[:, column] - position) ** 2
        if self._budget and budget:
            distance += OF_SHARE * (self._log_share - math.log(max(params, 1) / budget)) ** 2
        genotype = self._networks[distance.argmin()].copy()
        for column, (dimension, position) in enumerate(zip(self._space.dimensions, wanted, strict=True)):
            if dimension.kind == HYPERPARAMETER:
                away = np.abs(_positions(dimension.values) - (0.5 if position is None else position))
                genotype[column] = int(away.argmin())
        return genotype


def _are_close(one: float | None, other: float | None) -> bool:
    return bool(one and other and abs(math.log(one / other)) < SAME_BUDGET)


def _positions(values: Sequence[Any]) -> np.ndarray:
    """Where each value lies between the first, 0, and the last, 1; positive numbers by their logarithms.

    Examples:
      >>> _positions((1, 2, 4)).tolist(), _positions(("rms", "layer")).tolist(), _positions((8,)).tolist()
      ([0.0, 0.5, 1.0], [0.0, 1.0], [0.5])
    """
    if len(values) == 1:
        return np.array([0.5])
    points = np.arange(len(values), dtype=float)
    if all(not isinstance(value, str) and value > 0 for value in values):
        points = np.log(np.asarray(values, float))
    return (points - points[0]) / (points[-1] - points[0])


def _wanted(dimension: Dimension, value: Any, choices: Sequence[Any]) -> float | None:
    """The position in a dimension that a value of another space asks for; None where it asks for none.

    Args:
      choices: among which it was, where its place among them counts and not the value itself.
    """
    values = dimension.values
    if value is None:
        return None
    if not dimension.ordered or isinstance(value, str):
        return float(_positions(values)[values.index(value)]) if value in values else None
    if value in choices and len(choices) > 1:
        return float(_positions(choices)[list(choices).index(value)])
    return float(np.interp(value, values, _positions(values)))
