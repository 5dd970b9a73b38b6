"""Weights as an orbax checkpoint whose bytes depend on the weights alone."""

import contextlib
import errno
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    """
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=False)
    with _without_warning_of_missing_shards(), _full_disk_named(folder), ocp.Checkpointer(handler) as checkpointer:
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


@contextlib.contextmanager
def _full_disk_named(folder: Path) -> Iterator[None]:
    """Orbax writes in threads, logs what they raise, and raises it again as a `ValueError` without any code.

    Raises:
      OSError: the disk is full.
    """

    def is_no_traceback(record: logging.LogRecord) -> bool:
        return "raised an exception" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(is_no_traceback)
    try:
        yield
    except ValueError as error:
        if NO_SPACE not in str(error):
            raise
        raise OSError(errno.ENOSPC, NO_SPACE, str(folder)) from None
    finally:
        logger.removeFilter(is_no_traceback)


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


@contextlib.contextmanager
def _without_warning_of_missing_shards() -> Iterator[None]:
    """Orbax looks for OCDBT files of other processes even where it was told to write none, and warns that it found none."""

    def keep(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("[process=%s][thread=%s] " + MISSING_SHARDS)

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
