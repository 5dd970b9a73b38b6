"""Several hosts: process 0 leads a run, the others train what it gives them."""

import contextlib
import dataclasses
import hashlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING

from metagen_jax.errors import RunError, SpecError

if TYPE_CHECKING:
    from metagen_jax.automl.lanes import RemoteLane
    from metagen_jax.automl.pipeline import Prepared

SHUTDOWN_S = 20  # that processes which have nothing left to do wait for each other
MESSAGE_BYTES = 256  # what process 0 tells all others before there is a connection


@dataclasses.dataclass(frozen=True)
class Cluster:
    """How the processes of a run find each other; the fields are those of `jax.distributed.initialize`.

    Attributes:
      coordinator: `host:port` of process 0; None where JAX finds it out by itself (SLURM, TPU pods).
      num_processes: how many there are.
      process_id: which of them this is.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


def cluster_of(coordinator: str | None, num_processes: int | None, process_id: int | None) -> Cluster | None:
    """What the options and the environment say; None for a run of one host.

    Raises:
      SpecError: the options do not belong together.
    """
    if coordinator is not None and num_processes is not None and process_id is not None:
        if not 0 <= process_id < num_processes:
            raise SpecError(f"--process-id {process_id}: with --num-processes {num_processes} it is less than that")
        if ":" not in coordinator:
            raise SpecError(f"--coordinator {coordinator}: no port\n  For example {coordinator}:1234.")
        return Cluster(coordinator, num_processes, process_id)
    if any(value is not None for value in (coordinator, num_processes, process_id)):
        raise SpecError(
            "--coordinator, --num-processes and --process-id belong together\n"
            "  For example --coordinator 10.0.0.1:1234 --num-processes 2 --process-id 0, and 1 on the other host."
        )
    in_slurm = int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ
    in_pod = "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")
    return Cluster() if in_slurm or in_pod else None


def join(cluster: Cluster) -> None:
    """Meets the other processes; before anything else is asked of JAX.

    Raises:
      RunError: they do not come.
    """
    import jax

    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    jax.config.update("jax_enable_recoverability", True)  # else a process that dies takes all others with it
    try:
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.num_processes,
            cluster.process_id,
            shutdown_timeout_seconds=SHUTDOWN_S,
        )
    except (RuntimeError, ValueError) as error:
        where = cluster.coordinator or "the coordinator that JAX has found"
        raise RunError(f"the processes of the run did not meet at {where}: {str(error).splitlines()[0]}") from None


def leads() -> bool:
    """Whether this is process 0."""
    import jax

    return jax.process_index() == 0


@contextlib.contextmanager
def others(cluster: Cluster, prepared: "Prepared", note: Callable[[str], None]) -> Iterator[list["RemoteLane"]]:
    """In process 0: the lanes of the other processes."""
    import jax

    from metagen_jax.automl.lanes import RemoteLane

    key = secrets.token_bytes(16)
    with Listener(("", 0), backlog=jax.process_count(), authkey=key) as listener:
        host = cluster.coordinator.rpartition(":")[0] if cluster.coordinator else socket.gethostname()
        _told_by_process_0(f"{key.hex()} {host} {listener.address[1]}")
        lanes = [RemoteLane(listener.accept, note, identity(prepared)) for _ in range(jax.process_count() - 1)]
        yield lanes
    _part()


def follow(prepared: "Prepared", num_devices: int | None, say: Callable[[str], None]) -> None:
    """In all other processes: trains what process 0 asks for, until it has ended."""
    import jax

    from metagen_jax.automl.lanes import serve
    from metagen_jax.automl.pipeline import chunk_trainer

    say(f"process {jax.process_index()} of {jax.process_count()} trains what process 0 gives it")
    key, host, port = _told_by_process_0("").split(" ")
    connection = Client((host, int(port)), authkey=bytes.fromhex(key))

    def note(message: str) -> None:
        connection.send(("note", message))

    with contextlib.suppress(EOFError, OSError):  # however the other process has ended
        serve(connection, chunk_trainer(prepared, num_devices, note), identity(prepared))
    _part()


def identity(prepared: "Prepared") -> str:
    """What all processes of a run have in common: spec, data, versions."""
    from metagen_jax.automl.run_folder import surroundings
    from metagen_jax.data import sha256

    common = [prepared.spec.to_yaml(), sha256(prepared.dataset), repr(surroundings())]
    return hashlib.sha256("\n".join(common).encode()).hexdigest()


def _told_by_process_0(message: str) -> str:
    import numpy as np
    from jax.experimental import multihost_utils

    padded = np.frombuffer(message.encode().ljust(MESSAGE_BYTES), np.uint8)
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded))).decode().strip()


def _part() -> None:
    """Leaves the others in peace, whatever has become of them."""
    import jax

    with contextlib.suppress(RuntimeError):
        jax.distributed.shutdown()
