"""What a run says while it goes on; the command line shows it, a library user may ignore it."""

import json
import time
from pathlib import Path
from typing import Any, Protocol

from metagen_jax.automl.candidate import Candidate


class Progress(Protocol):
    """Receives the events of a run. Nothing that it does changes the results."""

    def note(self, message: str) -> None:
        """One line of information."""

    def stage(self, title: str, total: int) -> None:
        """A stage of `total` units of work begins."""

    def advance(self, units: int) -> None:
        """Some units of the stage are done."""

    def trained(self, candidates: list[Candidate]) -> None:
        """These candidates have been measured."""


class Silent:
    """Says nothing."""

    def note(self, message: str) -> None: ...

    def stage(self, title: str, total: int) -> None: ...

    def advance(self, units: int) -> None: ...

    def trained(self, candidates: list[Candidate]) -> None: ...


class Logged:
    """Passes every event on and appends it, with the time, to a file of JSON lines."""

    def __init__(self, inner: Progress, path: Path):
        self._inner = inner
        self._path = path

    def _log(self, event: str, **details: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), "event": event, **details}) + "\n")

    def note(self, message: str) -> None:
        self._log("note", message=message)
        self._inner.note(message)

    def stage(self, title: str, total: int) -> None:
        self._log("stage", title=title, total=total)
        self._inner.stage(title, total)

    def advance(self, units: int) -> None:
        self._inner.advance(units)

    def trained(self, candidates: list[Candidate]) -> None:
        for candidate in candidates:
            self._log("trained", number=candidate.number, status=candidate.status, **candidate.metrics)
        self._inner.trained(candidates)
