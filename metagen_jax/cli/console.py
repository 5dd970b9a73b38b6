"""What a run shows: plain lines, or a live bar on a terminal. Progress goes to stderr, results to stdout."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from metagen_jax.automl.candidate import FAILED, Candidate
from metagen_jax.automl.latency import Timing
from metagen_jax.automl.objectives import value
from metagen_jax.spec import Objective
from metagen_jax.synth.architecture import by_name
from metagen_jax.synth.limits import show_rate

UNITS = {"latency_ms": "ms predicted", "bits_per_character": "bits", "params": "", "flops": ""}


class RunConsole:
    """Shows the events of a run.

    Args:
      objectives: what "best" means.
      quiet: show nothing but the results.
      started: `time.monotonic()` when the command began; plain lines are stamped with the seconds since.
    """

    def __init__(self, objectives: Sequence[Objective], quiet: bool, started: float):
        self._objectives = objectives
        self._quiet = quiet
        self._started = started
        self._console = Console(stderr=True, highlight=False)
        self._live = self._console.is_terminal and not quiet
        self._bar: Progress | None = None
        self._task: Any = None
        self._best = ""
        self._best_value = math.inf
        self._title = ""
        self._done = self._total = 0
        self._told = 0.0

    def note(self, message: str) -> None:
        if not self._quiet:
            self._print(message)

    def stage(self, title: str, total: int) -> None:
        self.close()
        self._title, self._done, self._total, self._told = title, 0, total, 0.0
        if self._live:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("steps"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[best]}"),
            )
            self._bar = Progress(*columns, console=self._console)
            self._bar.start()
            self._task = self._bar.add_task(title, total=total, best=self._best)

    def advance(self, units: int) -> None:
        self._done += units
        if self._bar is not None:
            self._bar.update(self._task, advance=units, best=self._best)
            return
        share = self._done / max(self._total, 1)
        if not self._quiet and (share >= self._told + 0.1 or share >= 1):
            self._told = share
            self._print(f"{self._title}: {share:4.0%} of {self._total:,} steps{self._best and ', ' + self._best}")

    def trained(self, candidates: list[Candidate]) -> None:
        metric = self._objectives[0].metric
        sign = -1 if self._objectives[0].direction == "maximize" else 1
        for candidate in candidates:
            if candidate.status == FAILED:
                self.note(f"candidate {candidate.number} failed: {candidate.reason}")
                continue
            number = value(candidate, metric)
            if math.isfinite(number) and (not self._best or sign * number < sign * self._best_value):
                self._best_value = number
                self._best = f"best {metric} {number:.4g} (candidate {candidate.number})"

    def close(self) -> None:
        """Ends the live bar; nothing happens where there is none."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, message: str) -> None:
        stamp = "" if self._live else f"[{time.monotonic() - self._started:6.1f} s] "
        self._console.print(f"{stamp}{message}", markup=False, soft_wrap=True)


def front_table(front: Sequence[Candidate], winner: Candidate, objectives: Sequence[Objective]) -> Table:
    """The members of the front, one a row; the winner is marked."""
    table = Table(title="Pareto front of the prototypes", title_justify="left")
    table.add_column("")
    table.add_column("candidate", justify="right")
    for objective in objectives:
        arrow = "↓" if objective.direction == "minimize" else "↑"
        unit = UNITS.get(objective.metric, "")
        table.add_column(f"{objective.metric} {arrow}" + (f" [{unit}]" if unit else ""), justify="right")
    sizes = list(by_name(front[0].blueprint.sizes))
    for name in (*sizes, "learning rate"):
        table.add_column(name, justify="right")
    for candidate in front:
        numbers = [value(candidate, objective.metric) for objective in objectives]
        table.add_row(
            "*" if candidate.number == winner.number else "",
            str(candidate.number),
            *(f"{number:,.0f}" if number >= 1000 else f"{number:.4g}" for number in numbers),
            *by_name(candidate.blueprint.sizes).values(),
            f"{candidate.blueprint.hyperparameters['learning_rate']:g}",
        )
    return table


def latency_lines(measured: Mapping[str, Any]) -> list[str]:
    """What `latency.json` says of the winner, each measurement beside its prediction."""
    winner = measured["winner"]
    elsewhere = "" if measured["predicted_for"] == measured["backend"] else f" for {measured['predicted_for']}"
    rates = ", ".join(f"{show_rate(rate)} at batch {size}" for size, rate in winner["throughput_per_s"].items())
    return [
        f"latency measured {Timing(**winner['timing']).written} at batch {winner['timing']['batch_size']} on "
        f"{measured['device']}, predicted {winner['predicted_ms']:.3g} ms{elsewhere}",
        f"throughput measured: {rates}",
    ]
