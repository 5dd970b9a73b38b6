"""What is asked of a spec with limits, answered a second time without the code that keeps them."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.limits.random_specs import (
    ANSWERING,
    KINDS,
    LATENCY,
    LOWEST,
    MEMORY,
    PARAMS_MAX,
    PARAMS_MIN,
    THROUGHPUT,
    UPPER,
    Group,
    Limits,
)
from metagen_jax.automl.pipeline import prepare
from metagen_jax.errors import InfeasibleError, SpecError
from metagen_jax.population.weights import Structure
from metagen_jax.search import STRATEGIES, Space, was_repaired
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen, named_axes
from metagen_jax.synth.costs import Costs, Wide, exact
from metagen_jax.synth.limits import limits_of
from metagen_jax.synth.space import SearchSpace
from metagen_jax.synth.survey import networks

BATCH, BATCHES = 8, 4  # of a search
SAMPLED = 200_000  # networks of a space that is not enumerated, other ones than it looks at itself
NO_LIMIT = {kind: float("inf") if upper else 0.0 for kind, upper in UPPER.items()}
ALONE = "with all other limits as they are"
UNITS = {"parameters": 1.0, "MB": 1e6, "GB": 1e9, "ms": 1.0, "a second": 1.0}


class Studied:
    """A group's space without limits, and what its networks cost."""

    def __init__(self, group: Group, folder: Path):
        self.group = group
        self._folder = folder
        self._spec_with_all = self._load(LOWEST)
        self.space = prepare(self._load({})).space
        self.counted = group.size != "large"
        self.genotypes = self._everything() if self.counted else self._sample()
        self.measured = self._measure(self.space.compiled_cost(self.genotypes))
        self._searches: dict[str, Any] = {}

    def _load(self, limits: Limits) -> Any:
        path = self._folder / "spec.yaml"
        path.write_text(self.group.text(limits), encoding="utf-8")
        return load_spec(path)

    def shown(self, error: Exception) -> str:
        """A message without the folder of the spec."""
        return str(error).replace(f"{self._folder}/", "")

    def _everything(self) -> np.ndarray:
        counts = networks(self.space).counts
        return np.stack(np.unravel_index(np.arange(counts.prod()), counts), axis=1).astype(np.int32)

    def _sample(self) -> np.ndarray:
        counts = networks(self.space).counts
        return np.random.default_rng(1).integers(0, counts, size=(SAMPLED, len(counts)), dtype=np.int32)

    def _measure(self, costs: Costs) -> dict[str, np.ndarray]:
        """What a spec's limits are about, in its units: predictions with their margin."""
        margin = 1.0 + self.space.predictor.error
        params, latency = exact(costs.params).astype(float), np.asarray(costs.latency_ms, np.float64) * margin
        return {
            PARAMS_MIN: params,
            PARAMS_MAX: params,
            MEMORY: np.asarray(costs.memory_bytes, np.float64),
            ANSWERING: np.asarray(costs.inference_bytes, np.float64),
            LATENCY: latency,
            THROUGHPUT: 1000.0 / latency,
        }

    def within(self, limits: Limits) -> np.ndarray:
        """Which of the networks that are known keep the limits."""
        kept = [self.measured[kind] <= b if UPPER[kind] else self.measured[kind] >= b for kind, b in limits.items()]
        return np.all(kept, axis=0) if kept else np.ones(len(self.genotypes), bool)

    def with_limits(self, limits: Limits) -> SearchSpace:
        """The space of a spec with limits; costs do not depend on them and are compiled once."""
        return dataclasses.replace(self.space, spec=self._load(limits))

    # -- a search -----------------------------------------------------------------------------------------------------

    def propose(self, strategy: str, limits: Limits, seed: int) -> tuple[np.ndarray, int]:
        """What a strategy proposes in a few batches, `(N, D)`, and how many of these it had to repair."""
        if strategy not in self._searches:
            self._searches[strategy] = jax.jit(lambda bounds, key: self._search(strategy, bounds, key))
        margin = 1.0 + self.space.predictor.error
        own = NO_LIMIT | limits
        own |= {LATENCY: own[LATENCY] / margin, THROUGHPUT: own[THROUGHPUT] * margin}
        most = min(own[PARAMS_MAX], 2**40)
        bounds = [Wide.of(int(own[PARAMS_MIN])), Wide.of(int(most)), *(jnp.float32(own[kind]) for kind in KINDS[2:])]
        genotypes, repaired = self._searches[strategy](bounds, jax.random.key(seed))
        return np.asarray(genotypes).reshape(-1, genotypes.shape[-1]), int(repaired)

    def _search(self, strategy: str, bounds: list[Any], key: jax.Array) -> tuple[jax.Array, jax.Array]:
        every = limits_of(self._spec_with_all, self.space.predictor)

        def violation(genotypes: jax.Array) -> jax.Array:
            costs = self.space.cost(genotypes)
            excess = [limit.excess(costs, bound) for limit, bound in zip(every, bounds, strict=True)]
            return jnp.stack(excess).max(axis=0)

        space = Space(self.space.discrete.choices, violation)
        searcher = STRATEGIES[strategy](space, population_size=BATCH, num_objectives=2, capacity=BATCH * BATCHES)

        def one_batch(state: Any, key: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            genotypes, state = searcher.ask(key, state)
            repaired, costs = was_repaired(space, state, genotypes).sum(), self.space.cost(genotypes)
            losses = jnp.stack([-costs.params.rounded(), costs.latency_ms], axis=1)
            return searcher.tell(state, genotypes, losses, violation(genotypes)), (genotypes, repaired)

        key_init, key_batches = jax.random.split(key)
        state = searcher.init(key_init)
        _, (genotypes, repaired) = jax.lax.scan(one_batch, state, jax.random.split(key_batches, BATCHES))
        return genotypes, repaired.sum()

    # -- a second count -----------------------------------------------------------------------------------------------

    def broken(self, genotypes: np.ndarray, limits: Limits) -> list[str]:
        """The limits that a candidate breaks by a count of its own blueprint, one line each; parameters one by one."""
        found = []
        for genotype in genotypes:
            blueprint = self.space.blueprint(genotype)
            model = self.space.cost_models[self.space.structure_key(blueprint)]
            own = model.compiled({axis: np.array([length]) for axis, length in blueprint.sizes.items()})
            measured = {kind: values[0] for kind, values in self._measure(own).items()}
            params = named_axes.param_count(model.leaves, blueprint.sizes)
            measured |= {PARAMS_MIN: params, PARAMS_MAX: params}
            for kind, bound in limits.items():
                if measured[kind] > bound if UPPER[kind] else measured[kind] < bound:
                    found.append(f"{kind} {bound}: {measured[kind]} of {dict(blueprint.sizes)}")
        return found

    def built_params(self, genotype: np.ndarray) -> int:
        """The parameters of the model that the rendered program builds."""
        blueprint = self.space.blueprint(genotype)
        source = self.space.sources[self.space.structure_key(blueprint)]
        model = Structure(codegen.load_module(source), self.space.family.model_class, self.space.largest)
        return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model.abstract(blueprint.sizes), nnx.Param)))

    # -- a message ----------------------------------------------------------------------------------------------------

    def wrong_in(self, message: str, limits: Limits) -> tuple[list[str], int]:
        """What is wrong in a message that nothing is within the limits, and how many named values were tried."""
        wrong, tried = [], 0
        lines = self.group.text(limits).splitlines()
        for title, group in _groups(message):
            if self.within({kind: limits[kind] for kind in group}).any():
                wrong.append(f"{title} {sorted(group)}: a network keeps them")
            for kind, (line, beside, value) in group.items():
                tried += 1
                if kind.split(".")[-1] not in lines[line - 1]:
                    wrong.append(f"{kind} is not in line {line}")
                others = limits if beside == ALONE else {other: limits[other] for other in group}
                if not self._works(others | {kind: value}):
                    wrong.append(f"{kind} {value} does not work, {beside}")
                elif not self._is_nearest(others, kind, value):
                    wrong.append(f"{kind} {value} is not the nearest, {beside}")
        return wrong if tried else [*wrong, "no limit is named"], tried

    def _works(self, limits: Limits) -> bool:
        if self.counted or self.within(limits).any():
            return bool(self.within(limits).any())
        try:
            return self.with_limits(limits).feasible_share()[0] > 0
        except (InfeasibleError, SpecError):
            return False

    def _is_nearest(self, limits: Limits, kind: str, value: float) -> bool:
        rest = self.within({other: bound for other, bound in limits.items() if other != kind})
        if not rest.any():
            return not self.counted
        values = self.measured[kind][rest]
        nearest = values.min() if UPPER[kind] else values.max()
        further = value / nearest if UPPER[kind] else nearest / value
        return further < 1.011 and (further > 0.999 or not self.counted)  # three digits are written


def _groups(message: str) -> list[tuple[str, dict[str, tuple[int, str, float]]]]:
    """The groups of limits that a message names: kind to line, condition and nearest value."""
    groups: list[tuple[str, dict[str, tuple[int, str, float]]]] = []
    for text in message.splitlines()[1:-1]:
        if text.endswith(":"):
            groups.append((text.strip(), {}))
            continue
        line, kind = re.search(r"spec\.yaml:(\d+), constraints\.([a-z_.]+): ", text).groups()
        beside, number, unit = re.search(r"; ([^;]*), the closest is ([\d.,e+-]+) (\w+( second)?)", text).groups()[:3]
        groups[-1][1][kind] = int(line), beside, float(number.replace(",", "")) * UNITS[unit]
    return groups
