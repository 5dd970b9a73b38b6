"""What cheap guesses say of candidates that were not trained, and which candidates they promise most of."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import Candidate
from metagen_jax.data import Dataset
from metagen_jax.population.untrained import Untrained
from metagen_jax.population.weights import Structure
from metagen_jax.search import best_first
from metagen_jax.spec import Objective
from metagen_jax.spec.tasks import COSTS
from metagen_jax.synth import codegen
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.modalities import lengths_of
from metagen_jax.synth.space import SearchSpace

DICE = 2**31 - 1  # more than there are candidates: whose weights these are, no candidate is trained from
MOST_STRUCTURES = 16  # whose programs are held at once


class ZeroCost:
    """Fills in what untrained networks say of candidates.

    All networks are read with weights of the same key, so that it is the networks that differ, and each once: neither
    a candidate's number nor its hyperparameters count.

    Args:
      space: where the prototypes come from.
      dataset: what they would learn from.
      run_key: of the run.
      note: told of a structure that tells nothing, because its program is refused.
    """

    def __init__(self, space: SearchSpace, dataset: Dataset, run_key: jax.Array, note: Callable[[str], None]):
        self._space, self._dataset, self._note = space, dataset, note
        self._key = jax.random.fold_in(run_key, DICE)
        self._example = space.modality.abstract_example(lengths_of(space.fixed))
        self._held: dict[tuple[Any, ...], tuple[Structure, Untrained]] = {}
        self._known: dict[tuple[str, Any], float] = {}

    def __call__(self, candidates: Sequence[Candidate], names: Sequence[str]) -> None:
        """Fills in `guesses`; structure after structure, since each has programs of its own."""
        by_structure: dict[tuple[Any, ...], list[Candidate]] = {}
        for candidate in candidates:
            by_structure.setdefault(self._space.structure_key(candidate.prototype), []).append(candidate)
        for key, alike in by_structure.items():
            for candidate in alike:
                for name in names:
                    candidate.guesses[name] = self._value(name, key, candidate.prototype)

    def _value(self, name: str, key: tuple[Any, ...], blueprint: Blueprint) -> float:
        known = (name, blueprint.network_key)
        if known not in self._known:
            self._known[known] = self._measured(name, key, blueprint)
        return self._known[known]

    def _measured(self, name: str, key: tuple[Any, ...], blueprint: Blueprint) -> float:
        structure, untrained = self._programs(key)
        weights = structure.initial_weights(self._key, blueprint.sizes)
        try:
            return getattr(untrained, name)(blueprint.sizes, weights)
        except Exception as error:  # whatever a fragment does wrong, and whatever XLA says to it
            words = " ".join(map(str, key))
            self._note(f"{name} of {words}: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
            return math.nan

    def _programs(self, key: tuple[Any, ...]) -> tuple[Structure, Untrained]:
        """Those of a structure, which are then the last to be let go of."""
        if key in self._held:
            self._held[key] = self._held.pop(key)
        else:
            while len(self._held) >= MOST_STRUCTURES:
                del self._held[next(iter(self._held))]
            module = codegen.load_module(self._space.sources[key])
            structure = Structure(module, self._space.family.model_class, self._space.largest)
            batch = module.train_batch(*self._space.modality.train_arrays(self._dataset), 0)
            self._held[key] = structure, Untrained(structure, batch, self._example)
        return self._held[key]


def most_promising(
    candidates: Sequence[Candidate], weights: Mapping[str, float], wanted: Sequence[Objective], count: int
) -> list[int]:
    """Which of the candidates are to be trained.

    The first objective is guessed: each candidate has the sum of its ranks by the proxies, times their weights. Further
    objectives that are costs are known. The candidates are ordered as by NSGA-II: by the fronts of both together, and
    within a front those first that are less crowded; with one objective by the guess alone.

    Args:
      candidates: N of them, with what the proxies say.
      weights: by name of proxy; one that says nothing of a candidate ranks it last.
      wanted: the objectives of the spec.
      count: how many.
    Returns:
      Positions, rising; all where there are no more than `count`.

    Examples:
      >>> def proposed(number, params, flops):
      ...     costs = {"params": params, "flops": flops}
      ...     return Candidate(number, 2, np.zeros(1), Blueprint("vit", {}, {}, {}), costs)
      >>> pool = [proposed(0, 10, 3.0), proposed(1, 30, 2.0), proposed(2, 20, 1.0), proposed(3, 40, 0.0)]
      >>> loss, size = Objective("validation_loss", "minimize"), Objective("params", "minimize")
      >>> most_promising(pool, {"params": 0.5}, [loss], 2)
      [1, 3]
      >>> most_promising(pool, {"params": 0.5, "flops": 0.9}, [loss], 2)
      [0, 1]
      >>> most_promising(pool, {"params": 0.5}, [loss, size], 2)  # the ends of the front
      [0, 3]
    """
    if len(candidates) <= count:
        return list(range(len(candidates)))
    ranks = {name: _mean_ranks(np.array([c.proxy(name) for c in candidates])) for name in weights}
    guess = -sum(weight * ranks[name] for name, weight in weights.items()) / len(candidates)
    known = [
        [
            objectives.value(candidate, each.metric) * (-1 if each.direction == "maximize" else 1)
            for candidate in candidates
        ]
        for each in wanted[1:]
        if each.metric in COSTS
    ]
    rows, valid = objectives.padded(np.column_stack([guess, *known]).astype(np.float32))
    order = _best_first(rows, valid, jnp.zeros(len(rows)), count)
    return sorted(np.asarray(order).tolist())


_best_first = functools.partial(jax.jit, static_argnums=3)(best_first)


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, of equal ones their mean; what is not finite comes lowest.

    Examples:
      >>> _mean_ranks(np.array([3.0, 1.0, 3.0, math.nan])).tolist()
      [2.5, 1.0, 2.5, 0.0]
    """
    _, place, counts = np.unique(
        np.where(np.isfinite(values), values, -np.inf), return_inverse=True, return_counts=True
    )
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
