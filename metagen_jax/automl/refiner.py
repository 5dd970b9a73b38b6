"""The refiner: rounds of proposing, training and promoting, until there is nothing left to gain or to spend."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import PROPOSED, Candidate
from metagen_jax.automl.progress import Progress
from metagen_jax.automl.refinement_history import RefinementHistory
from metagen_jax.automl.rungs import Schedule, schedule_of
from metagen_jax.automl.search_engine import ArchitectureSearchEngine
from metagen_jax.spec import Search

Record = Callable[[list[Candidate]], None]
Promote = Callable[[Sequence[Candidate], int, int], set[int]]


class Trainer(Protocol):
    """What measures candidates: `PrototypeTrainer`, or whatever stands in its place."""

    def train_prototypes(self, candidates: list[Candidate], length: Schedule, record: Record, promote: Promote) -> None:
        """Fills in status and scores; after each rung of the schedule `promote` says which go on."""


@dataclasses.dataclass
class SearchResult:
    """What a search leaves.

    Attributes:
      candidates: all that were proposed and within the limits, in order.
      num_infeasible: proposals outside the limits, which were not built.
      num_repaired: proposals that were outside the limits as they were drawn or bred, and were moved inside.
      stopped: why the search ended before its budget, or an empty text.
      proxy: how well the spec's proxy ranked the candidates by the first objective; None without a proxy.
      history: of its rounds; None where there was no search.
    """

    candidates: list[Candidate]
    num_infeasible: int = 0
    num_repaired: int = 0
    stopped: str = ""
    proxy: dict[str, Any] | None = None
    history: RefinementHistory | None = None


class ArchitectureRefiner:
    """Moves a search towards what training showed, a round at a time.

    In each round the engine proposes, all candidates are trained to the first rung, the best go on from rung to rung,
    and the engine is told what each has reached. It ends with the budget, with the last round, with the last candidate
    within the limits, or with `search.patience` rounds in a row that brought nothing.

    Args:
      engine: proposes.
      search: budget, rounds, rungs, objectives, patience.
      trainer: measures.
      progress: told what goes on.
      num_starts: candidates of the first round that the search was given to start from.

    Examples:
      >>> import jax
      >>> from metagen_jax.automl.pipeline import UNTRAINED, prepare
      >>> from metagen_jax.automl.progress import Silent
      >>> from metagen_jax.spec import Objective, load_spec
      >>> settings = ["search.strategy=random", "search.budget=6"]
      >>> space = prepare(load_spec("specs/image_digits_demo.yaml", settings)).space
      >>> search = dataclasses.replace(space.spec.search, objectives=(Objective("params", "minimize"),))
      >>> engine = ArchitectureSearchEngine(space, search, jax.random.key(0), Silent())
      >>> result = ArchitectureRefiner(engine, search, UNTRAINED, Silent()).run()
      >>> [each.proposed for each in result.history.rounds], result.stopped
      ([3, 3], '')
      >>> result.history.rounds[-1].best == min(candidate.costs["params"] for candidate in result.candidates)
      True
    """

    def __init__(
        self,
        engine: ArchitectureSearchEngine,
        search: Search,
        trainer: Trainer,
        progress: Progress,
        num_starts: int = 0,
    ):
        self._engine, self._search, self._trainer, self._progress = engine, search, trainer, progress
        self._num_starts = num_starts

    def run(
        self,
        record: Record = lambda candidates: None,
        result: SearchResult | None = None,
        recall: Callable[[Candidate], bool] = lambda candidate: False,
    ) -> SearchResult:
        """Goes through all rounds.

        A run that was interrupted is gone through again from its beginning, and only the candidates that are not
        remembered are trained.

        Args:
          record: stores candidates that have just been measured.
          result: filled in while the search goes on, so that an interrupted one leaves what it has; None: a new one.
          recall: fills in a candidate that an earlier run has measured; False where there was none.
        """
        result = SearchResult([]) if result is None else result
        history = result.history = self._new_history()
        for number in range(self._search.rounds):
            left = self._search.budget - len(result.candidates)
            proposal = self._engine.propose(left, history.weights())
            candidates = proposal.candidates
            result.num_infeasible += proposal.num_infeasible
            result.num_repaired += proposal.num_repaired
            if not candidates:
                result.stopped = "every candidate within the limits has been trained" if left > 0 else ""
                break
            try:
                self._measure(candidates, record, recall)
            finally:  # what an interrupted round has measured counts
                result.candidates += [candidate for candidate in candidates if candidate.status != PROPOSED]
            self._engine.tell(candidates)
            result.proxy = self._engine.proxy
            history.add(candidates, self._num_starts if number == 0 else 0, proposal.num_considered)
            if self._has_converged(history):
                result.stopped = f"nothing gained in the last {history.rounds_without_gain} of the rounds"
                break
        return result

    def _new_history(self) -> RefinementHistory:
        return RefinementHistory(self._search.objectives, self._search.proxies, self._search.oversampling > 1)

    def _has_converged(self, history: RefinementHistory) -> bool:
        patience, last = self._search.patience, len(history.rounds) == self._search.rounds
        return patience is not None and history.rounds_without_gain >= patience and not last

    def _measure(self, candidates: list[Candidate], record: Record, recall: Callable[[Candidate], bool]) -> None:
        new = [candidate for candidate in candidates if not recall(candidate)]
        num_recalled, steps = len(candidates) - len(new), self._search.prototype_steps
        if num_recalled:
            self._progress.note(f"round {candidates[0].round}: {num_recalled} of {len(candidates)} already trained")
            self._progress.advance(num_recalled * steps)
        if new:
            self._trainer.train_prototypes(candidates, schedule_of(self._search), record, self._promoted)

    def _promoted(self, candidates: Sequence[Candidate], step: int, count: int) -> set[int]:
        return objectives.promoted(candidates, self._search.objectives, step, count)
