"""What each round of a search brought: proposed, trained, promoted, gained, and how well costs alone would have ranked."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import FAILED, STOPPED, TRAINED, Candidate
from metagen_jax.search import hypervolume, rank_agreement
from metagen_jax.spec import Objective
from metagen_jax.spec.tasks import COST_PROXIES

RANKED = 256  # candidates that proxies are judged by, the last ones
SMALLEST_GAIN = 1e-3  # of the volume; less of it is none


@dataclasses.dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
      number: from 1 on.
      proposed: candidates within the limits, those that the search was given to start from included.
      starts: how many of them it was given to start from, by the memory or the portfolio.
      trained: to the last rung.
      stopped: at an earlier rung.
      failed: by a loss that was no number, or a program that could not be compiled.
      steps: of training, of all of them together.
      best: the best value of the first objective so far, as the user counts it; None as long as there is none.
      volume: what the front dominates below the worst values of the first round; of one objective, how far the best is
        below that.
      gain: by how much of it this round has raised the volume, 0 to 1; 1 for the first round that trained anything.
      proxies: of each its rank correlation with the first objective over the last candidates, and the lower end of its
        interval: in 95 % of runs the true value lies above.
      considered: proposals within the limits that the round was chosen from.
      weights: of each proxy in that choice; empty where nothing was chosen.
    """

    number: int
    proposed: int
    starts: int
    trained: int
    stopped: int
    failed: int
    steps: int
    best: float | None
    volume: float
    gain: float
    proxies: Mapping[str, tuple[float, float]]
    considered: int
    weights: Mapping[str, float]


class RefinementHistory:
    """The rounds of a search, in order.

    Args:
      wanted: the objectives of the spec.
      proxies: what is judged by how it ranks.
      chooses: whether proxies choose what is trained; the table and the JSON say with which weights.

    Attributes:
      rounds: those that ended.

    Examples:
      >>> from metagen_jax.automl.candidate import Score
      >>> from metagen_jax.synth.architecture import Blueprint
      >>> def trained(number, loss):
      ...     blueprint = Blueprint("vit", {}, {}, {})
      ...     costs = {"params": 10 * number, "flops": 1.0}
      ...     return Candidate(number, 1, np.zeros(1), blueprint, costs, TRAINED, scores=[Score(20, {"loss": loss})])
      >>> history = RefinementHistory([Objective("validation_loss", "minimize")])
      >>> history.add([trained(0, 2.0), trained(1, 1.0)])
      >>> history.add([trained(2, 1.5)])
      >>> [(each.best, each.volume, each.gain) for each in history.rounds], history.rounds_without_gain
      ([(1.0, 1.0, 1.0), (1.0, 1.0, 0.0)], 1)
      >>> print(history.table())
      round  proposed  starts  trained  stopped  failed  steps  validation_loss  volume    gain  params  flops
          1         2       0        2        0       0     40                1       1  100.0%    1.00   0.00
          2         1       0        1        0       0     20                1       1    0.0%    0.50   0.00
      >>> history.weights()  # three candidates show nothing
      {'params': 0.0, 'flops': 0.0}
      >>> history.add([trained(number, 1.0 / number) for number in (3, 4, 5, 6, 7)])
      >>> history.weights()
      {'params': 0.9762, 'flops': 0.0}
    """

    def __init__(self, wanted: Sequence[Objective], proxies: Sequence[str] = COST_PROXIES, chooses: bool = False):
        self.rounds: list[Round] = []
        self._objectives, self._proxies, self._chooses = tuple(wanted), tuple(proxies), chooses
        self._front: list[Candidate] = []  # of all that was trained: nothing else adds to the volume
        self._recent: list[Candidate] = []
        self._reference: np.ndarray | None = None

    def add(self, candidates: Sequence[Candidate], starts: int = 0, considered: int | None = None) -> None:
        """Adds a round with everything that it proposed, measured or not.

        Args:
          candidates: of the round.
          starts: how many of them an earlier run has brought.
          considered: how many they were chosen from by `weights`; None: they were not.
        """
        weights = self.weights() if considered is not None and considered > len(candidates) else {}
        had_any = bool(self._front)
        self._front = objectives.front([*self._front, *candidates], self._objectives)
        self._recent = [*self._recent, *candidates][-RANKED:]
        statuses = [candidate.status for candidate in candidates]
        volume = self._volume(candidates)
        before = self.rounds[-1].volume if self.rounds else 0.0
        self.rounds.append(
            Round(
                number=len(self.rounds) + 1,
                proposed=len(candidates),
                starts=starts,
                trained=statuses.count(TRAINED),
                stopped=statuses.count(STOPPED),
                failed=statuses.count(FAILED),
                steps=sum(candidate.scores[-1].step for candidate in candidates if candidate.scores),
                best=self._best(),
                volume=volume,
                gain=_gain(before, volume) if had_any else float(bool(self._front)),
                proxies=self._agreements(),
                considered=len(candidates) if considered is None else considered,
                weights=weights,
            )
        )

    def weights(self) -> dict[str, float]:
        """Of each proxy in the choice of the next round: its rank correlation, 0 where the interval reaches down to 0."""
        if not self.rounds:
            return dict.fromkeys(self._proxies, 0.0)
        return {name: rho if low > 0 else 0.0 for name, (rho, low) in self.rounds[-1].proxies.items()}

    @property
    def rounds_without_gain(self) -> int:
        """How many rounds in a row, up to the last one, have brought next to nothing."""
        gains = [each.gain >= SMALLEST_GAIN for each in self.rounds]
        return len(gains) - max((number + 1 for number, gained in enumerate(gains) if gained), default=0)

    def table(self) -> str:
        """The rounds as text, one a line; of proxies the rank correlation.

        Where proxies choose, also of how many each round was chosen, the lower end of each interval, and each weight.
        """
        names = ["round", "proposed", "starts", "trained", "stopped", "failed", "steps", self._objectives[0].metric]
        rows = [
            [
                *map(str, (r.number, r.proposed, r.starts, r.trained, r.stopped, r.failed, r.steps)),
                "-" if r.best is None else f"{r.best:.4g}",
                f"{r.volume:.4g}",
                f"{r.gain:.1%}",
                *([str(r.considered)] if self._chooses else []),
                *itertools.chain.from_iterable(self._cells(r, name) for name in self._proxies),
            ]
            for r in self.rounds
        ]
        more = [["considered"]] if self._chooses else []
        more += [[name, "above", "weight"] if self._chooses else [name] for name in self._proxies]
        lines = [[*names, "volume", "gain", *itertools.chain.from_iterable(more)], *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)

    def _cells(self, each: Round, name: str) -> list[str]:
        rho, low = each.proxies[name]
        return [f"{rho:.2f}", f"{low:.2f}", f"{each.weights.get(name, 0.0):.2f}"] if self._chooses else [f"{rho:.2f}"]

    def to_json(self) -> list[dict[str, Any]]:
        """The rounds as they stand in `result.json`; what they were chosen from only where proxies choose."""
        rounds = []
        for each in self.rounds:
            written = dataclasses.asdict(each)
            if not self._chooses:
                del written["considered"], written["weights"]
            found = {name: {"rank_correlation": rho, "at_least": low} for name, (rho, low) in each.proxies.items()}
            rounds.append(written | {"proxies": found})
        return rounds

    def _best(self) -> float | None:
        return objectives.value(self._front[0], self._objectives[0].metric) if self._front else None

    def _volume(self, candidates: Sequence[Candidate]) -> float:
        """Below the worst values of the first round that had any."""
        if not self._front:
            return 0.0
        if self._reference is None:
            trained = [candidate for candidate in candidates if candidate.status == TRAINED]
            self._reference = np.nanmax(objectives.losses(trained, self._objectives), axis=0)
        losses = objectives.losses(self._front, self._objectives)
        if len(self._objectives) == 1:
            return float(self._reference[0] - losses.min())
        rows, valid = objectives.padded(losses)
        return float(hypervolume(rows, valid, jnp.asarray(self._reference)))

    def _agreements(self) -> dict[str, tuple[float, float]]:
        """Of those trained to the end alone: at an earlier rung another order may hold."""
        trained = [candidate for candidate in self._recent if candidate.status == TRAINED]
        losses, valid = objectives.padded(objectives.losses(trained, self._objectives[:1]))
        guesses = [[-candidate.proxy(name) for name in self._proxies] for candidate in trained]
        scores, _ = objectives.padded(np.array(guesses, np.float32).reshape(-1, len(self._proxies)))
        found = zip(*map(np.asarray, _rank_agreements(scores, losses, valid)), strict=True)
        return {
            name: (round(float(rho), 4), round(float(low), 4))
            for name, (rho, low) in zip(self._proxies, found, strict=True)
        }


# For each column of scores; compiled once for each size.
_rank_agreements = jax.jit(jax.vmap(rank_agreement, in_axes=(1, None, None)))


def _gain(before: float, volume: float) -> float:
    return (volume - before) / volume if volume > 0 else 0.0
