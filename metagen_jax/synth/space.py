"""The search space of a spec: which choices there are, what each candidate costs, which of them the limits allow."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search import Space, discrete_space
from metagen_jax.spec import ModelSpec
from metagen_jax.synth import survey
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.conflicts import nothing_within
from metagen_jax.synth.costs import CostModel, Costs, Predictor, exact
from metagen_jax.synth.limits import Limit, limits_of
from metagen_jax.synth.modalities import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family, Field, Modality
from metagen_jax.synth.survey import Survey


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """Every candidate that a spec allows, as vectors of indices.

    D: number of dimensions, N: rows of a batch. A genotype is `(D,)` int32, indices into the values of `dimensions`.

    Attributes:
      spec: where the limits come from.
      modality: handler of the inputs and outputs.
      family: the kind of network.
      fixed: sizes that data and spec decide.
      dimensions: what is searched, in the order of the genotype.
      sources: the program's text for each structure, by the values of the structural dimensions.
      cost_models: costs, by the same key.
      predictor: of the latency, which is one of them.
      target: the space that the limits are of, if this is the one of its prototypes: the same genotypes, other lengths.
    """

    spec: ModelSpec
    modality: Modality
    family: Family
    fixed: tuple[Field, ...]
    dimensions: tuple[Dimension, ...]
    sources: Mapping[tuple[Any, ...], str]
    cost_models: Mapping[tuple[Any, ...], CostModel]
    predictor: Predictor
    target: "SearchSpace | None" = None

    def __getstate__(self) -> dict[str, Any]:
        # What follows from the fields is found again where it is asked for.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def largest(self) -> dict[str, int]:
        """The largest length of each searched axis."""
        return {d.name: max(d.values) for d in self.dimensions if d.kind == SIZE}

    @functools.cached_property
    def allocated(self) -> dict[str, int]:
        """The largest length of each searched axis over the networks within the limits: what a program has to hold."""
        longest = survey.longest(self.target or self, self._survey)
        return {d.name: d.values[index] for d, index in zip(self.dimensions, longest, strict=True) if d.kind == SIZE}

    @property
    def size(self) -> int:
        """The number of genotypes, feasible or not."""
        return math.prod(len(dimension.values) for dimension in self.dimensions)

    @functools.cached_property
    def limits(self) -> tuple[Limit, ...]:
        return limits_of(self.spec, self.predictor)

    @functools.cached_property
    def discrete(self) -> Space:
        """The space as the strategies see it."""
        return discrete_space(
            num_choices=tuple(len(dimension.values) for dimension in self.dimensions),
            ordered=tuple(dimension.ordered for dimension in self.dimensions),
            violation=self.violation,
        )

    def sizes(self, genotypes: Any) -> dict[str, Any]:
        """Returns the length of each searched axis: `(N, D)` int32, of NumPy or JAX, to `(N,)` int32 each."""
        xp = genotypes.__array_namespace__()
        return {
            dimension.name: xp.array(dimension.values, np.int32)[genotypes[:, column]]
            for column, dimension in enumerate(self.dimensions)
            if dimension.kind == SIZE
        }

    def have_structure(self, key: tuple[Any, ...], genotypes: Any) -> Any:
        """Which of `(N, D)` genotypes, of NumPy or JAX, have the structure of this key: `(N,)` bool."""
        xp = genotypes.__array_namespace__()
        structural = [column for column, d in enumerate(self.dimensions) if d.kind == STRUCTURE]
        chosen = xp.ones(len(genotypes), bool)
        for column, value in zip(structural, key, strict=True):
            alike = xp.array([other == value for other in self.dimensions[column].values])
            chosen = chosen & alike[genotypes[:, column]]
        return chosen

    def cost(self, genotypes: jax.Array) -> Costs:
        """Returns the costs of `(N, D)` genotypes; pure, to be jitted or vmapped at will."""
        sizes = self.sizes(genotypes)
        total = None
        for key, model in self.cost_models.items():
            costs, chosen = model(sizes), self.have_structure(key, genotypes)
            total = costs if total is None else jax.tree.map(functools.partial(jnp.where, chosen), costs, total)
        assert total is not None
        return total

    def costs_of(self, genotypes: np.ndarray) -> list[dict[str, Any]]:
        """The costs of each of `(N, D)` genotypes as plain numbers, by name."""
        return self.judge(genotypes)[0]

    def judge(self, genotypes: np.ndarray) -> tuple[list[dict[str, Any]], np.ndarray]:
        """The costs of each of `(N, D)` genotypes, and `(N,)` bool, True where every limit is kept."""
        costs = self.compiled_cost(genotypes)
        columns = {name: value.tolist() for name, value in costs._asdict().items() if name != "params"}
        columns = {"params": exact(costs.params).tolist(), **columns}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return rows, np.all(survey.kept(self.limits, costs), axis=0)

    def compiled_cost(self, genotypes: np.ndarray) -> Costs:
        """What `cost` returns, as NumPy arrays; each structure is compiled once, for any number of genotypes."""
        sizes, total = self.sizes(genotypes), None
        for key, model in self.cost_models.items():
            chosen = self.have_structure(key, genotypes)
            if chosen.any() or total is None:
                costs = model.compiled({axis: lengths[chosen] for axis, lengths in sizes.items()})
                total = total or jax.tree.map(lambda part: np.zeros(len(genotypes), part.dtype), costs)
                for whole, part in zip(jax.tree.leaves(total), jax.tree.leaves(costs), strict=True):
                    whole[chosen] = part
        assert total is not None
        return total

    def violation(self, genotypes: jax.Array) -> jax.Array:
        """How far each of `(N, D)` genotypes is outside the limits: `(N,)` float32, 0 inside, relative to the limit."""
        costs = self.cost(genotypes)
        excess = [limit.excess(costs) for limit in self.limits]
        return functools.reduce(jnp.maximum, excess, jnp.zeros(len(genotypes), jnp.float32))

    def blueprint(self, genotype: np.ndarray) -> Blueprint:
        """Decodes one genotype, `(D,)`."""
        return self.blueprints(genotype[None])[0]

    def blueprints(self, genotypes: np.ndarray) -> list[Blueprint]:
        """Decodes genotypes, `(N, D)`."""
        kinds = [self._chosen(genotypes, kind) for kind in (STRUCTURE, SIZE, HYPERPARAMETER)]
        return [Blueprint(self.family.name, *chosen) for chosen in zip(*kinds, strict=True)]

    def _chosen(self, genotypes: np.ndarray, kind: str) -> list[dict[str, Any]]:
        """What each of `(N, D)` genotypes says of the dimensions of a kind, by name."""
        found: list[dict[str, Any]] = [{} for _ in genotypes]
        for column, dimension in enumerate(self.dimensions):
            if dimension.kind == kind:
                for chosen, index in zip(found, genotypes[:, column].tolist(), strict=True):
                    chosen[dimension.name] = dimension.values[index]
        return found

    def shrunk(self, genotypes: np.ndarray) -> Sequence[Blueprint | None]:
        """The network that is trained in the place of each target; None where this is no space of prototypes."""
        return [None] * len(genotypes) if self.target is None else self.blueprints(genotypes)

    def structure_key(self, blueprint: Blueprint) -> tuple[Any, ...]:
        """The key of a blueprint's structure in `sources` and `cost_models`."""
        return tuple(blueprint.structure[d.name] for d in self.dimensions if d.kind == STRUCTURE)

    @functools.cached_property
    def _survey(self) -> Survey:
        return survey.survey(self) if self.target is None else self.target._survey

    def feasible_share(self) -> tuple[float, bool]:
        """The share of networks within the limits, and whether it was counted rather than estimated.

        Raises:
          InfeasibleError: no network is within the limits; the message names the limits that stand in the way and the
            nearest value of each that would work.
        """
        known = self._survey
        if not known.within.any():
            raise nothing_within(self, known)
        return known.share, known.counted

    def feasible_networks(self) -> np.ndarray:
        """Genotypes of networks within the limits, `(N, D)` int32: all of them, or of a large space those that were found."""
        return self._survey.genotypes[self._survey.within]

    def feasible_params(self) -> np.ndarray:
        """How many parameters each of `feasible_networks` has, `(N,)` int64."""
        return exact(self._survey.costs.params)[self._survey.within]

    def largest_feasible(self) -> np.ndarray:
        """The genotype of the network with the most parameters within the limits, trained with middling numbers."""
        best = self._largest_within[0].copy()
        for column, dimension in enumerate(self.dimensions):
            if dimension.kind == HYPERPARAMETER:
                best[column] = len(dimension.values) // 2
        return best

    @property
    def most_params(self) -> int:
        """The number of parameters of the largest network within the limits."""
        return self._largest_within[1]

    @functools.cached_property
    def _largest_within(self) -> tuple[np.ndarray, int]:
        if self.target is not None:
            return self.target._largest_within
        return survey.largest_within(self, self._survey)
