"""What there is in a search space: all of its networks, or of a large space a sample and those within the limits."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search import Space, discrete_space
from metagen_jax.search.space import all_indices, violation_of
from metagen_jax.search.splitting import Split, split
from metagen_jax.synth.costs import Costs, exact
from metagen_jax.synth.limits import Limit
from metagen_jax.synth.modalities import HYPERPARAMETER, SIZE

if TYPE_CHECKING:
    from metagen_jax.synth.space import SearchSpace

MOST_ENUMERATED = 1_000_000
NUM_SAMPLED = 200_000
NUM_WITHIN = 200  # of a sample: fewer say too little, and networks within the limits are searched for
NUM_ROWS = 4096  # of a search
NUM_SEARCHES = 3  # before a space is said to have nothing within its limits


class Survey(NamedTuple):
    """Networks of a search space. N: how many, D: dimensions.

    Training numbers are left at their first value.
    """

    genotypes: np.ndarray  # (N, D) int32: all of them, or a sample, with every one within the limits that was met
    costs: Costs  # theirs
    within: np.ndarray  # (N,) bool, whether every limit is kept
    share: float  # of all networks, those within the limits
    counted: bool  # whether these are all of them; the share is an estimate otherwise


def survey(space: "SearchSpace") -> Survey:
    """Lists the networks of a space of up to `MOST_ENUMERATED`; searches a larger one where a sample meets too few."""
    counts = networks(space).counts
    if math.prod(counts.tolist()) <= MOST_ENUMERATED:
        genotypes = all_indices(counts)
        costs, within = _judged(space, genotypes)
        return Survey(genotypes, costs, within, float(within.mean()), counted=True)
    rng = np.random.default_rng(0)
    genotypes = rng.integers(0, counts, size=(NUM_SAMPLED, len(counts)), dtype=np.int32)
    corners = np.stack([np.zeros(len(counts)), counts - 1]).astype(np.int32)
    costs, within = _judged(space, np.concatenate([genotypes, corners]))
    sampled = Survey(np.concatenate([genotypes, corners]), costs, within, float(within[:-2].mean()), counted=False)
    return sampled if within.sum() >= NUM_WITHIN else _searched(space, sampled)


def networks(space: "SearchSpace", violation: Callable[[jax.Array], jax.Array] | None = None) -> Space:
    """The networks of a space as a space of their own, with one choice for each number of the training."""
    return discrete_space(
        num_choices=tuple(1 if d.kind == HYPERPARAMETER else len(d.values) for d in space.dimensions),
        ordered=tuple(d.ordered for d in space.dimensions),
        violation=violation,
    )


def largest_within(space: "SearchSpace", known: Survey) -> tuple[np.ndarray, int]:
    """The network with the most parameters within the limits, in a large space the most found: genotype, parameters."""
    genotypes, params = known.genotypes[known.within], exact(known.costs.params)[known.within]
    if not known.counted:
        found = np.unique(_close_to_largest(space, float(params.max())), axis=0)
        costs, within = _judged(space, found)
        genotypes = np.concatenate([genotypes, found[within]])
        params = np.concatenate([params, exact(costs.params)[within]])
    return genotypes[params.argmax()], int(params.max())


def longest(space: "SearchSpace", known: Survey) -> np.ndarray:
    """The largest index of each dimension over the networks within the limits, `(D,)`.

    In a large space it is not known which those are. There an index is only left out if the smallest network with it
    has more parameters than the limits allow.
    """
    if known.counted:
        return known.genotypes[known.within].max(axis=0)
    largest = networks(space).counts - 1
    structures = _structures(space)
    for column, dimension in enumerate(space.dimensions):
        if dimension.kind != SIZE:
            continue
        for index in range(largest[column], 0, -1):
            smallest = structures.copy()
            smallest[:, column] = index
            if not _has_too_many_params(space, smallest).all():
                break
            largest[column] = index - 1
    return largest


def _judged(space: "SearchSpace", genotypes: np.ndarray) -> tuple[Costs, np.ndarray]:
    costs = space.compiled_cost(genotypes)
    return costs, np.all(kept(space.limits, costs), axis=0)


def kept(limits: Sequence[Limit], costs: Costs) -> np.ndarray:
    """Which limits networks keep, `(L, N)` bool."""
    inside = [np.asarray(limit.excess(costs)) <= 0 for limit in limits]
    return np.stack(inside) if inside else np.ones((0, len(costs.flops)), bool)


def _searched(space: "SearchSpace", sampled: Survey) -> Survey:
    """Adds what a search finds within the limits, and its estimate of their share."""
    search = _splitting(networks(space, space.violation))
    for seed in range(NUM_SEARCHES):
        found = search(jax.random.key(seed))
        within = np.asarray(found.violations) <= 0
        if within.any():
            break
    genotypes = np.concatenate([sampled.genotypes, np.unique(np.asarray(found.genotypes)[within], axis=0)])
    costs, within = _judged(space, genotypes)
    return Survey(genotypes, costs, within, float(found.share) or sampled.share, counted=False)


def _close_to_largest(space: "SearchSpace", params: float) -> np.ndarray:
    """Networks with as many parameters as possible within the limits, `(N, D)`; so many there are at least."""

    def lacking(genotypes: jax.Array) -> jax.Array:
        costs = space.cost(genotypes)
        violation = violation_of(networks(space, space.violation), genotypes)
        return jnp.where(violation > 0, 1.0 + violation, params / (params + costs.params.rounded()))

    return np.asarray(_splitting(networks(space, lacking))(jax.random.key(0)).genotypes)


def _splitting(space: Space) -> Callable[[jax.Array], Split]:
    return jax.jit(lambda key: split(key, space, NUM_ROWS))


def _structures(space: "SearchSpace") -> np.ndarray:
    """The smallest network of each structure, `(N, D)`."""
    counts = [
        1 if dimension.kind in (SIZE, HYPERPARAMETER) else len(dimension.values) for dimension in space.dimensions
    ]
    return all_indices(counts)


def _has_too_many_params(space: "SearchSpace", genotypes: np.ndarray) -> np.ndarray:
    costs = space.compiled_cost(genotypes)
    uppers = [limit for limit in space.limits if limit.upper and limit.measure(costs) is costs.params]
    return ~np.all(kept(uppers, costs), axis=0)
