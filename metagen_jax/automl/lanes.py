"""Where chunks are trained: in this process, or in another one that is told over a connection."""

import contextlib
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from typing import Any, Protocol

from metagen_jax.automl.chunks import CannotCompile, ChunkTrainer, OutOfMemory, Part, Segment, Task
from metagen_jax.population.plan import ProgramPlan


class LaneLost(Exception):
    """The process behind a lane is gone; what it was doing is to be done elsewhere."""


class Lane(Protocol):
    """Trains one chunk at a time."""

    def connect(self) -> int:
        """Waits until it can be given work; the number of its devices.

        Raises:
          LaneLost: it never will.
        """

    def begin(self, program: ProgramPlan, part: Part) -> None:
        """Has a program compiled in the background; raises `LaneLost` alone: what else goes wrong, its training says."""

    def train(self, task: Task) -> Iterator[Segment]:
        """See `ChunkTrainer.train`; raises `LaneLost` too."""

    def close(self) -> None:
        """No more work."""


class LocalLane:
    """This process."""

    def __init__(self, trainer: ChunkTrainer):
        self._trainer = trainer

    def connect(self) -> int:
        return self._trainer.mesh.size

    def begin(self, program: ProgramPlan, part: Part) -> None:
        with contextlib.suppress(Exception):
            self._trainer.begin(program, part)

    def train(self, task: Task) -> Iterator[Segment]:
        return self._trainer.train(task)

    def close(self) -> None: ...


# What goes over a connection, each a pair: from a worker ("ready", (devices, identity)), ("note", text),
# ("segment", Segment), ("done", None), ("failed", exception); to it ("begin", (ProgramPlan, Part)), ("train", Task),
# ("go on", bool), ("end", None).


class RemoteLane:
    """Another process, which runs `serve`.

    Args:
      accept: waits for the process and returns the connection to it; raises `OSError` or `EOFError` where there is none.
      note: told what the process says.
      identity: of the run; a process that was started for another one is not given work.
    """

    def __init__(self, accept: Callable[[], Connection], note: Callable[[str], None], identity: str = ""):
        self._accept, self._note, self._identity = accept, note, identity
        self._connection: Connection | None = None

    def connect(self) -> int:
        try:
            self._connection = self._accept()
        except (OSError, EOFError, AuthenticationError) as error:
            raise LaneLost(f"{type(error).__name__}: {error}") from error
        devices, identity = self._answer("ready")
        if identity != self._identity:
            self.close()
            raise LaneLost("it was started with another spec, other data or other versions")
        return devices

    def begin(self, program: ProgramPlan, part: Part) -> None:
        self._send("begin", (program, part))

    def train(self, task: Task) -> Iterator[Segment]:
        self._send("train", task)
        while True:
            segment = self._answer("segment")
            if segment is None:
                return
            goes_on = False
            try:
                yield segment
                goes_on = True
            finally:
                self._send("go on", goes_on)
                if not goes_on:
                    self._answer("done")

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # it has gone already
                self._connection.send(("end", None))
                self._connection.close()

    def _send(self, kind: str, content: Any) -> None:
        try:
            self._connection.send((kind, content))  # type: ignore[union-attr]
        except OSError as error:
            raise LaneLost(str(error)) from error

    def _answer(self, expected: str) -> Any:
        """The next answer of the process; None for "done"."""
        while True:
            try:
                kind, content = self._connection.recv()  # type: ignore[union-attr]
            except (OSError, EOFError) as error:
                raise LaneLost("it has ended") from error
            if kind == "note":
                self._note(content)
            elif kind == "failed":
                raise content
            elif kind in (expected, "done"):
                return content


def serve(connection: Connection, trainer: ChunkTrainer, identity: str = "") -> None:
    """Trains what the other end of the connection asks for, until it ends or says so."""
    connection.send(("ready", (trainer.mesh.size, identity)))
    while True:
        kind, content = connection.recv()
        if kind == "end":
            return
        if kind == "begin":
            LocalLane(trainer).begin(*content)
            continue
        try:
            for segment in trainer.train(content):
                connection.send(("segment", segment))
                if not connection.recv()[1]:
                    break
            connection.send(("done", None))
        except (CannotCompile, OutOfMemory) as error:
            connection.send(("failed", error))
