"""The search engine: a strategy proposes candidates of a space and is told what was measured."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.progress import Progress
from metagen_jax.search import STRATEGIES, ProxyState, SearchStrategy, is_trusted, proxy_start, start_from, was_repaired
from metagen_jax.spec import Search
from metagen_jax.synth.space import SearchSpace


class Proposal(NamedTuple):
    """What a round is to train, and what was left out or moved."""

    candidates: list[Candidate]
    num_infeasible: int  # outside the limits, and not built
    num_repaired: int  # that were outside as they were drawn or bred, and were moved inside


class ArchitectureSearchEngine:
    """Proposes candidates of a space, round after round, and is told what they turned out to be.

    The strategy is a pure function of its key and of what it is told: the same calls give the same proposals.

    Args:
      space: what is searched. D: its dimensions.
      search: budget, rounds, strategy, objectives.
      key: consumed; the search draws from it, not the training.
      progress: told of repairs.
      prototypes: the space of what is trained, by the same genotypes; None: the space itself.
      starts: genotypes to propose first, each of D indices.

    Attributes:
      proxy: how well the spec's proxy ranked the candidates by the first objective; None without one.

    Examples:
      >>> from metagen_jax.automl.pipeline import prepare
      >>> from metagen_jax.automl.progress import Silent
      >>> from metagen_jax.spec import load_spec
      >>> space = prepare(load_spec("specs/image_digits_demo.yaml", ["search.strategy=random"])).space
      >>> engine = ArchitectureSearchEngine(space, space.spec.search, jax.random.key(0), Silent())
      >>> proposal = engine.propose(left=3)
      >>> [candidate.number for candidate in proposal.candidates], proposal.num_infeasible
      ([0, 1, 2], 0)
      >>> engine.tell(proposal.candidates)  # none of which was trained
      >>> [candidate.round for candidate in engine.propose(left=2).candidates]
      [2, 2]
    """

    def __init__(
        self,
        space: SearchSpace,
        search: Search,
        key: jax.Array,
        progress: Progress,
        prototypes: SearchSpace | None = None,
        starts: Sequence[Sequence[int]] = (),
    ):
        self._space, self._prototypes = space, prototypes or space
        self._search = search
        self._key = key
        self._progress = progress
        self._starts = starts
        self._strategy = self._build_strategy()
        self._was_repaired = jax.jit(functools.partial(was_repaired, space.discrete))
        self._ask, self._tell = jax.jit(self._strategy.ask), jax.jit(self._strategy.tell)
        self._state = self._strategy.init(jax.random.fold_in(key, 0))
        self._seen: set[tuple[int, ...]] = set()
        self._rounds, self._num_proposed = 0, 0
        self.proxy: dict[str, Any] | None = None

    def _build_strategy(self) -> SearchStrategy:
        search = self._search
        round_size, num_objectives = search.round_size, len(search.objectives)
        capacity = search.budget + round_size
        strategy = STRATEGIES[search.strategy](
            self._space.discrete, population_size=round_size, num_objectives=num_objectives, capacity=capacity
        )
        if search.proxy != "none":
            strategy = proxy_start(
                strategy,
                self._space.discrete,
                self._guess,
                num_initial=round_size,
                num_objectives=num_objectives,
                capacity=capacity,
            )
        if not self._starts:
            return strategy
        return start_from(strategy, self._space.discrete, jnp.array(self._starts, jnp.int32))

    def _guess(self, genotypes: jax.Array) -> jax.Array:
        """`(N,)` float32: less of it is guessed to be better."""
        costs = self._space.cost(genotypes)
        return -(costs.params.rounded() if self._search.proxy == "params" else costs.flops)

    def propose(self, left: int) -> Proposal:
        """The next round: at most `left` candidates that were not proposed before, all of them within the limits."""
        self._rounds += 1
        genotypes, self._state = self._ask(jax.random.fold_in(self._key, self._rounds), self._state)
        proposed = list(self._unseen(np.asarray(genotypes)))[:left]
        candidates, num_infeasible = self._decode(proposed)
        self._num_proposed += len(candidates)
        return Proposal(candidates, num_infeasible, self._count_repaired(proposed))

    def tell(self, candidates: list[Candidate]) -> None:
        """Takes in what a round has measured; what failed counts as the worst."""
        genotypes = np.stack([candidate.genotype for candidate in candidates]).astype(np.int32)
        losses = objectives.losses(candidates, self._search.objectives)
        told = (jnp.asarray(genotypes), jnp.asarray(losses), jnp.zeros(len(candidates), jnp.float32))
        self._state = self._tell(self._state, *told)
        if self._search.proxy != "none":
            self.proxy = self._judge_proxy(self._state.inner if self._starts else self._state)

    def _count_repaired(self, proposed: list[np.ndarray]) -> int:
        if not proposed:
            return 0
        count = int(self._was_repaired(self._state, np.stack(proposed)).sum())
        if count:
            self._progress.note(
                f"round {self._rounds}: {count} of {len(proposed)} proposals were moved into the limits"
            )
        return count

    def _judge_proxy(self, state: ProxyState) -> dict[str, Any]:
        correlation, trusted = float(state.agreement), bool(is_trusted(state))
        verdict = "trusted" if trusted else "not trusted"
        self._progress.note(f"rank correlation of {self._search.proxy} with quality: {correlation:.2f}, {verdict}")
        return {"name": self._search.proxy, "rank_correlation": correlation, "trusted": trusted}

    def _unseen(self, genotypes: np.ndarray) -> Iterator[np.ndarray]:
        for genotype, values in zip(genotypes, map(tuple, genotypes.tolist()), strict=True):
            if values not in self._seen:
                self._seen.add(values)
                yield genotype

    def _decode(self, proposed: list[np.ndarray]) -> tuple[list[Candidate], int]:
        if not proposed:
            return [], 0
        rows = np.stack(proposed)
        costs, feasible = self._space.judge(rows)
        kept = rows[feasible]
        shown = zip(
            kept,
            self._space.blueprints(kept),
            itertools.compress(costs, feasible),
            self._prototypes.shrunk(kept),
            strict=True,
        )
        candidates = [
            Candidate(self._num_proposed + position, self._rounds, genotype, blueprint, own_costs, shrunk=shrunk)
            for position, (genotype, blueprint, own_costs, shrunk) in enumerate(shown)
        ]
        return candidates, len(rows) - len(kept)
