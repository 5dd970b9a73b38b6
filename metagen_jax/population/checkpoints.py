"""Weights as an orbax checkpoint whose bytes depend on the weights alone."""

import contextlib
import errno
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from metagen_jax.population.weights import Weights

METADATA = "_CHECKPOINT_METADATA"
COMMIT_MARK = "commit_success.txt"  # holds the absolute path; local folders are committed by renaming and need no mark
CLOCK_READINGS = ("init_timestamp_nsecs", "commit_timestamp_nsecs")
NO_SPACE = os.strerror(errno.ENOSPC)
MISSING_SHARDS = "Skipping merge of OCDBT checkpoints"


def save_weights(folder: Path, weights: Weights) -> None:
    """Writes weights into a folder that must not exist yet; the same weights give the same bytes.

    Plain files, one folder an array, and not OCDBT, whose files have random names.

    Raises:
      OSError: the disk is full, or the folder cannot be written for another reason.
    """
    handlers = ((np.ndarray, _OneArrayAtATime()), (jax.Array, ocp.type_handlers.ArrayHandler()))  # warns without jax's
    registry = ocp.type_handlers.create_type_handler_registry(*handlers)
    alone = of_this_process()
    handler = ocp.PyTreeCheckpointHandler(
        use_ocdbt=False, type_handler_registry=registry, multiprocessing_options=alone
    )
    with quiet(), full_disk_named(folder):
        with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
            checkpointer.save(folder.absolute(), _nested(weights))
        metadata = json.loads((folder / METADATA).read_text())
        stopped = metadata | dict.fromkeys(CLOCK_READINGS, 0)
        (folder / METADATA).write_text(json.dumps(stopped, sort_keys=True) + "\n")
        (folder / COMMIT_MARK).unlink(missing_ok=True)


def load_weights(folder: Path) -> Weights:
    """Reads what `save_weights` wrote.

    Raises:
      FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of weights")
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)) as checkpointer:
        return dict(_flat(checkpointer.restore(folder.absolute()), ()))


def of_this_process() -> ocp.options.MultiprocessingOptions:
    """Keeps orbax from waiting for the processes of other hosts: one leads a run and writes, the others write nothing."""
    if jax.process_count() == 1:
        return ocp.options.MultiprocessingOptions()
    here = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=here, active_processes={here}, barrier_sync_key_prefix=f"process_{here}"
    )


class _OneArrayAtATime(ocp.type_handlers.NumpyHandler):
    """Begins an array when the one before is written.

    Orbax begins all at once and closes its event loop at the first that fails. The others then end in threads of
    tensorstore that find the loop closed, and each prints a traceback that nobody can catch.
    """

    async def serialize(self, values: Any, infos: Any, args: Any = None) -> list[Any]:
        for value, info, arg in zip(values, infos, args or [ocp.SaveArgs()] * len(values), strict=True):
            for written in await super().serialize([value], [info], [arg]):
                written.result()
        return []


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Names the folder where orbax raises a full disk as a `ValueError` of its threads, or as an error without a file.

    Raises:
      OSError: the disk is full.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if NO_SPACE not in str(error) or getattr(error, "filename", None):
            raise
        raise OSError(errno.ENOSPC, NO_SPACE, str(folder)) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops what orbax logs and nobody can act on.

    That is the tracebacks of its threads, which it raises again where somebody waits for them, and that it found no
    OCDBT files of other processes, where it was told to write none.
    """

    def keep(record: logging.LogRecord) -> bool:
        of_thread = record.exc_info is not None and "orbax" in record.pathname
        return not of_thread and not str(record.msg).startswith("[process=%s][thread=%s] " + MISSING_SHARDS)

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _nested(weights: Weights) -> dict[str, Any]:
    """Turns `{("blocks", 0, "up"): array}` into `{"blocks": {"0": {"up": array}}}`."""
    tree: dict[str, Any] = {}
    for path, value in weights.items():
        node = tree
        for part in path[:-1]:
            node = node.setdefault(str(part), {})
        node[str(path[-1])] = np.asarray(value)
    return tree


def _flat(tree: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], np.ndarray]]:
    for name, value in tree.items():
        part = (*path, int(name) if name.isdecimal() else name)  # attributes are never called like a number
        if isinstance(value, dict):
            yield from _flat(value, part)
        else:
            yield part, np.asarray(value)
