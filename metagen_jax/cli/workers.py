"""Processes of this machine that train beside this one: on a CPU one for each core."""

import contextlib
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from metagen_jax.cli.environment import free_memory_bytes, keep_compilations, num_cores
from metagen_jax.extensions import load_extensions

if TYPE_CHECKING:
    from metagen_jax.automl.lanes import RemoteLane
    from metagen_jax.automl.pipeline import Prepared

WORKER_BYTES = 1.5e9  # that a process may come to need


def default_workers() -> int:
    """One process for each core, as far as memory goes."""
    free = free_memory_bytes()
    return num_cores() if free is None else max(1, min(num_cores(), int(free / WORKER_BYTES)))


@contextlib.contextmanager
def worker_processes(count: int, prepared: "Prepared", note: Callable[[str], None]) -> Iterator[list["RemoteLane"]]:
    """Starts `count` processes and yields their lanes; they end with the context, and whenever this process does.

    Args:
      prepared: what is trained; sent to each of them. Their devices are like those of this process, since they inherit
        the environment that `start_jax` has changed.
      note: told what they say.
    """
    from metagen_jax.automl.lanes import RemoteLane

    context = multiprocessing.get_context("spawn")
    lanes, processes = [], []
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for this process alone to handle
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            lanes.append(RemoteLane(partial(_told, ours, prepared), note))
    finally:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield lanes
    finally:
        for process in processes:
            process.terminate()  # nothing is theirs to finish
            process.join()


def _told(connection: Connection, prepared: "Prepared") -> Connection:
    """The connection to a process, once it has been sent what is trained; the thread of its lane waits until it is read."""
    try:
        connection.send(prepared)
    except (pickle.PicklingError, AttributeError, TypeError) as error:  # of an extension
        raise OSError(f"it cannot be sent what is trained: {error}") from error
    return connection


def work(connection: Connection) -> None:
    """What a worker does: it trains whatever it is asked to until the other end is gone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    load_extensions()
    keep_compilations()

    from metagen_jax.automl.lanes import serve
    from metagen_jax.automl.pipeline import chunk_trainer

    def note(message: str) -> None:
        connection.send(("note", message))

    with contextlib.suppress(EOFError, OSError):  # however the other process has ended
        serve(connection, chunk_trainer(connection.recv(), None, note))
