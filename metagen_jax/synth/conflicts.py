"""Which limits stand in the way where no network of a space is within all of them, and what would work instead."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.errors import InfeasibleError
from metagen_jax.search.splitting import split
from metagen_jax.synth.survey import NUM_ROWS, Survey, kept, networks

if TYPE_CHECKING:
    from metagen_jax.synth.space import SearchSpace

MOST_NAMED = 3  # groups of limits in one message

Group = frozenset[int]  # positions of limits


def nothing_within(space: "SearchSpace", known: Survey) -> InfeasibleError:
    """The error that says which limits exclude each other, where they stand, and the nearest values that would work."""
    evidence, count = _Evidence(space, known), len(space.limits)

    def meets(group: Group) -> bool:
        return len(group) < count and evidence.meets(group)  # that nothing keeps all of them is known

    groups = list(itertools.islice(smallest_conflicts(count, meets), MOST_NAMED))
    lines = []
    for group in groups:
        lines.append(f"  {_title(len(group))}:")
        lines += [f"    {_line(space, evidence, number, group)}" for number in sorted(group)]
    return InfeasibleError("\n".join([evidence.summary(), *lines, f"  {_advice(groups)}"]))


def smallest_conflicts(count: int, meets: Callable[[Group], bool]) -> Iterator[Group]:
    """Finds the groups of limits that nothing keeps together, while it keeps all but any one of them.

    Args:
      count: how many limits there are.
      meets: whether there is something that keeps all limits of a group.

    Examples:
      >>> numbers = range(10)
      >>> limits = (lambda n: n > 4, lambda n: n < 5, lambda n: n > 2, lambda n: n < 0)
      >>> meets = lambda group: any(all(limits[i](n) for i in group) for n in numbers)
      >>> [sorted(group) for group in smallest_conflicts(4, meets)]
      [[3], [0, 1]]
    """
    found: list[Group] = []
    for size in range(1, count + 1):
        for group in map(frozenset, itertools.combinations(range(count), size)):
            if not any(smaller <= group for smaller in found) and not meets(group):
                found.append(group)
                yield group


class _Evidence:
    """Networks that were looked at; those of a large space grow by a search for what a question asks for.

    Attributes:
      space: whose limits are asked about.
    """

    def __init__(self, space: "SearchSpace", known: Survey):
        self.space = space
        self._counted = known.counted
        self._searches: set[tuple[Group, Group]] = set()
        self._kept = kept(space.limits, known.costs)  # (L, N)
        self._measured = np.stack([limit.measured(known.costs) for limit in space.limits])  # (L, N)

    def meets(self, group: Group) -> bool:
        """Whether a network keeps all limits of a group."""
        if not self._keeping(group).any() and not self._counted:
            self._search(group, frozenset())
        return bool(self._keeping(group).any())

    def nearest(self, number: int, others: Group) -> str | None:
        """The value closest to a limit among networks that keep some others; None if no network keeps these."""
        if not self.meets(others):
            return None
        if not self._counted:
            self._search(others, frozenset({number}))
        return self.space.limits[number].nearest(self._measured[number, self._keeping(others)])

    def summary(self) -> str:
        """What was looked at."""
        size = networks(self.space).size
        if self._counted:
            return f"no network of this search space is within the limits: all {size:,} were tried"
        return (
            f"no network within the limits was found: this search space has {size:,}, too many to try each, so they were "
            "searched step by step towards the limits; single ones may have been missed"
        )

    def _keeping(self, group: Group) -> np.ndarray:
        return np.all(self._kept[sorted(group)], axis=0)

    def _search(self, required: Group, approached: Group) -> None:
        """Looks for networks that keep some limits and come close to others; for the same ones but once."""
        if (required, approached) in self._searches:
            return
        self._searches.add((required, approached))
        genotypes = np.unique(np.asarray(self._searched(self._mask(required), self._mask(approached))), axis=0)
        costs = self.space.compiled_cost(genotypes)
        measured = np.stack([limit.measured(costs) for limit in self.space.limits])
        self._kept = np.concatenate([self._kept, kept(self.space.limits, costs)], axis=1)
        self._measured = np.concatenate([self._measured, measured], axis=1)

    def _mask(self, group: Group) -> np.ndarray:
        return np.isin(np.arange(len(self.space.limits)), sorted(group))

    @functools.cached_property
    def _searched(self) -> Callable[[np.ndarray, np.ndarray], jax.Array]:
        """Compiled once for all questions: `(L,)` bool, required and approached, to `(N, D)` genotypes."""

        def search(required: jax.Array, approached: jax.Array) -> jax.Array:
            def violation(genotypes: jax.Array) -> jax.Array:
                costs = self.space.cost(genotypes)
                excess = jnp.stack([limit.excess(costs) for limit in self.space.limits])  # (L, N)
                broken = jnp.where(required[:, None], excess, 0.0).max(axis=0)
                distance = jnp.where(approached[:, None], excess, 0.0).max(axis=0)
                return jnp.where(broken > 0, 1.0 + broken, distance / (1.0 + distance))

            return split(jax.random.key(0), networks(self.space, violation), NUM_ROWS).genotypes

        return jax.jit(search)


def _title(size: int) -> str:
    return "This limit cannot be kept" if size == 1 else f"These {size} limits cannot be kept together"


def _line(space: "SearchSpace", evidence: _Evidence, number: int, group: Group) -> str:
    """One limit of a group: its place, what it says, and the nearest value that would do."""
    limit = space.limits[number]
    rest = frozenset(range(len(space.limits))) - {number}
    beside, nearest = "with all other limits as they are", evidence.nearest(number, rest)
    if nearest is None:
        others = len(group) - 1
        beside = {0: "of the whole space", 1: "with the other one as it is"}.get(others, "with the others of these")
        nearest = evidence.nearest(number, group - {number})
    where = f"{space.spec.locations.describe(limit.path)}, {limit.path}"
    return f"{where}: {limit.written}; {beside}, the closest is {nearest}"


def _advice(groups: Sequence[Group]) -> str:
    if len(groups) > 1:
        return "Each of these groups needs a change: move one limit of each, or widen architecture.choices."
    which = "Move it" if len(groups[0]) == 1 else "Move one of them"
    return f"{which} to the value named, or widen architecture.choices."
