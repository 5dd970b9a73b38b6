"""The search: a strategy proposes, prototypes are trained, the strategy is told."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import PROPOSED, Candidate
from metagen_jax.automl.progress import Progress
from metagen_jax.automl.prototype_trainer import PrototypeTrainer
from metagen_jax.automl.rungs import schedule
from metagen_jax.search import STRATEGIES, ProxyState, SearchStrategy, is_trusted, proxy_start, start_from, was_repaired
from metagen_jax.spec import Search
from metagen_jax.synth.space import SearchSpace


@dataclasses.dataclass
class SearchResult:
    """What a search leaves.

    Attributes:
      candidates: all that were proposed and within the limits, in order.
      num_infeasible: proposals outside the limits, which were not built.
      num_repaired: proposals that were outside the limits as they were drawn or bred, and were moved inside.
      stopped: why the search ended before its budget, or an empty text.
      proxy: how well the spec's proxy ranked the candidates by the first objective; None without a proxy.
    """

    candidates: list[Candidate]
    num_infeasible: int = 0
    num_repaired: int = 0
    stopped: str = ""
    proxy: dict[str, Any] | None = None


class ArchitectureSearchEngine:
    """Searches a space for a number of rounds.

    Args:
      space: what is searched.
      search: budget, rounds, strategy, objectives.
      trainer: measures candidates; None ranks by costs alone (every measured objective is then missing).
      key: consumed; the search draws from it, not the training.
      progress: told what goes on.
      prototypes: the space of what is trained, by the same genotypes; None: the space itself.
      starts: genotypes to try first, each of D indices.
    """

    def __init__(
        self,
        space: SearchSpace,
        search: Search,
        trainer: PrototypeTrainer,
        key: jax.Array,
        progress: Progress,
        prototypes: SearchSpace | None = None,
        starts: Sequence[Sequence[int]] = (),
    ):
        self._space, self._prototypes = space, prototypes or space
        self._search = search
        self._trainer = trainer
        self._key = key
        self._progress = progress
        self._starts = starts
        self._strategy = self._build_strategy()
        self._was_repaired = jax.jit(functools.partial(was_repaired, space.discrete))

    def _build_strategy(self) -> SearchStrategy:
        search = self._search
        round_size, num_objectives = math.ceil(search.budget / search.rounds), len(search.objectives)
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

    def run(
        self,
        record: Callable[[list[Candidate]], None],
        result: SearchResult,
        recall: Callable[[Candidate], bool] = lambda candidate: False,
    ) -> None:
        """Runs all rounds.

        The strategy is a pure function of its key and of what it is told. A run that was interrupted is therefore gone
        through again from its beginning, and only the candidates that are not remembered are trained.

        Args:
          record: stores candidates that have just been measured.
          recall: fills in a candidate that an earlier run has measured; False where there was none.
          result: filled in while the search goes on, so that an interrupted one leaves what it has.
        """
        ask, tell = jax.jit(self._strategy.ask), jax.jit(self._strategy.tell)
        state = self._strategy.init(jax.random.fold_in(self._key, 0))
        seen: set[tuple[int, ...]] = set()
        for number in range(1, self._search.rounds + 1):
            genotypes, state = ask(jax.random.fold_in(self._key, number), state)
            left = self._search.budget - len(result.candidates)
            proposed = list(self._unseen(np.asarray(genotypes), seen))[:left]
            candidates, infeasible = self._decode(proposed, number, first=len(result.candidates))
            result.num_infeasible += infeasible
            result.num_repaired += self._count_repaired(proposed, number, state)
            if not candidates:
                result.stopped = "every candidate within the limits has been trained" if left > 0 else ""
                return
            try:
                self._measure(candidates, record, recall)
            finally:  # what an interrupted round has measured counts
                result.candidates += [candidate for candidate in candidates if candidate.status != PROPOSED]
            told = self._told(candidates)
            state = tell(state, *told)
            if self._search.proxy != "none":
                result.proxy = self._judge_proxy(state.inner if self._starts else state)

    def _measure(
        self,
        candidates: list[Candidate],
        record: Callable[[list[Candidate]], None],
        recall: Callable[[Candidate], bool],
    ) -> None:
        new = [candidate for candidate in candidates if not recall(candidate)]
        num_recalled, steps = len(candidates) - len(new), self._search.prototype_steps
        if num_recalled:
            self._progress.note(f"round {candidates[0].round}: {num_recalled} of {len(candidates)} already trained")
            self._progress.advance(num_recalled * steps)
        if new:
            length = schedule(steps, self._search.rungs, self._search.reduction_factor)
            self._trainer.train_prototypes(candidates, length, record, self._promoted)

    def _promoted(self, candidates: Sequence[Candidate], step: int, count: int) -> set[int]:
        return objectives.promoted(candidates, self._search.objectives, step, count)

    def _count_repaired(self, proposed: list[np.ndarray], number: int, state: Any) -> int:
        if not proposed:
            return 0
        count = int(self._was_repaired(state, np.stack(proposed)).sum())
        if count:
            self._progress.note(f"round {number}: {count} of {len(proposed)} proposals were moved into the limits")
        return count

    def _judge_proxy(self, state: ProxyState) -> dict[str, Any]:
        correlation, trusted = float(state.agreement), bool(is_trusted(state))
        verdict = "trusted" if trusted else "not trusted"
        self._progress.note(f"rank correlation of {self._search.proxy} with quality: {correlation:.2f}, {verdict}")
        return {"name": self._search.proxy, "rank_correlation": correlation, "trusted": trusted}

    def _unseen(self, genotypes: np.ndarray, seen: set[tuple[int, ...]]) -> Iterator[np.ndarray]:
        for genotype, values in zip(genotypes, map(tuple, genotypes.tolist()), strict=True):
            if values not in seen:
                seen.add(values)
                yield genotype

    def _decode(self, proposed: list[np.ndarray], number: int, first: int) -> tuple[list[Candidate], int]:
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
            Candidate(first + position, number, genotype, blueprint, own_costs, shrunk=shrunk)
            for position, (genotype, blueprint, own_costs, shrunk) in enumerate(shown)
        ]
        return candidates, len(rows) - len(kept)

    def _told(self, candidates: list[Candidate]) -> tuple[jax.Array, jax.Array, jax.Array]:
        genotypes = np.stack([candidate.genotype for candidate in candidates]).astype(np.int32)
        losses = objectives.losses(candidates, self._search.objectives)
        return jnp.asarray(genotypes), jnp.asarray(losses), jnp.zeros(len(candidates), jnp.float32)
