"""Training states on disk, written while the training goes on.

A state is one array of bytes to orbax: its leaves one after the other, behind what they are and the sha256 of it all.
An array of its own for each of the hundreds of small leaves would cost two files and four `fsync` each (120 leaves,
6 MB: 243 files against 5).
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp

from metagen_jax.population.checkpoints import full_disk_named, of_this_process, quiet
from metagen_jax.spec.units import format_bytes

HALF_WRITTEN = "*.orbax-checkpoint-tmp*"  # orbax renames a checkpoint when it is whole
CONTENT = "content"
DIGEST_BYTES = hashlib.sha256().digest_size
LENGTH_BYTES = 8  # of the length of the header
METADATA_BYTES = 8192  # more than orbax writes beside the content
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError)  # what orbax raises of broken files


@dataclasses.dataclass(frozen=True)
class Saved:
    """What was saved: the steps done, the state after them, and plain JSON (losses, scores)."""

    step: int
    state: Any
    facts: dict[str, Any]


class TrainingCheckpoints:
    """The checkpoints of trainings that are under way, each training with a name of its own.

    A training keeps its newest whole checkpoint and, while there is room, the one before, should the newest be broken
    when it is read. A full disk during a write in the background is raised by the next call.

    Args:
      folder: for these checkpoints alone; `folder/<name>/<step>` is one. What a killed process left half-written in it
        is removed.
      limit_bytes: what the files may take together at any time; None for no limit.
      note: is told what the user should know.
    """

    def __init__(self, folder: Path, limit_bytes: int | None, note: Callable[[str], None]):
        self._folder = folder.absolute()
        self._limit_bytes = limit_bytes
        self._note = note
        self._has_told_limit = False
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(quiet())
        alone = of_this_process()
        self._checkpointer = ocp.AsyncCheckpointer(
            ocp.PyTreeCheckpointHandler(use_ocdbt=False, multiprocessing_options=alone),
            multiprocessing_options=alone,
            # Else the thread that writes waits five minutes for a folder that a full disk has refused.
            async_options=ocp.AsyncOptions(create_directories_asynchronously=False),
        )
        for path in self._remove_half_written():
            note(f"{path}: is half-written and was removed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except OSError:
            if kind is None:  # what ended the run says more than that its last checkpoint did not fit
                raise

    def save(self, name: str, step: int, state: Any, facts: dict[str, Any]) -> None:
        """Copies a state and writes it in the background; waits only if the save before is still being written.

        The checkpoint before goes only once this one is whole. Without room for both, nothing is saved.

        Args:
          name: of the training; a folder is called like it.
          step: steps done. Checkpoints of later steps are of a training that was started over: they go.
          state: a pytree of arrays.
          facts: plain JSON that belongs to it.
        Raises:
          OSError: the disk is full, now or during the save before.
        """
        if Path(name).name != name:
            raise ValueError(f"{name!r} cannot be the name of a folder.")
        content = _pack(step, state, facts)
        self._wait()
        earlier = [known for known in self._steps(name) if known < step]
        for known in self._steps(name):
            if known not in earlier[-1:]:
                self._remove(name, known)
        if not self._make_room(content.nbytes + content.nbytes // 128 + METADATA_BYTES):  # incompressible: 1/256 more
            self._tell_limit()
            return
        with full_disk_named(self._folder):
            self._checkpointer.save(self._folder / name / str(step), {CONTENT: content})

    def latest(self, name: str, like: Any = None) -> Saved | None:
        """Reads the newest checkpoint that is whole; broken ones are noted, removed and passed over.

        Args:
          name: of the training.
          like: a pytree of arrays or `jax.ShapeDtypeStruct` with the structure, shapes and types of the state; None where
            the state is a tuple of arrays, whatever they are.
        Returns:
          What was saved, with numpy arrays for leaves; None if there is nothing, and the training starts over.
        """
        self._wait()
        for step in reversed(self._steps(name)):
            path = self._folder / name / str(step)
            try:
                return _unpack(np.asarray(self._checkpointer.restore(path)[CONTENT]).tobytes(), step, like)
            except BROKEN:
                self._note(f"{path}: is broken or of another program and was removed")
                self._remove(name, step)
        return None

    def discard(self, name: str) -> None:
        """Removes the checkpoints of a training that has come to its end."""
        self._wait()
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def close(self) -> None:
        """Waits for what is being written; a folder without checkpoints goes.

        Raises:
          OSError: the disk is full.
        """
        try:
            self._wait()
        finally:
            try:
                with full_disk_named(self._folder):  # of which orbax may tell again
                    self._checkpointer.close()
            finally:
                self._quiet.close()
                with contextlib.suppress(OSError):  # not empty, or never made
                    self._folder.rmdir()

    def _wait(self) -> None:
        try:
            with full_disk_named(self._folder):
                self._checkpointer.wait_until_finished()
        except BaseException:
            self._remove_half_written()
            raise

    def _remove_half_written(self) -> list[Path]:
        paths = sorted(self._folder.glob(f"*/{HALF_WRITTEN}"))
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)
        return paths

    def _steps(self, name: str) -> list[int]:
        return sorted(int(path.name) for path in (self._folder / name).glob("*") if path.name.isdecimal())

    def _remove(self, name: str, step: int) -> None:
        shutil.rmtree(self._folder / name / str(step), ignore_errors=True)

    def _make_room(self, needed_bytes: int) -> bool:
        """Whether so many bytes fit; checkpoints that have a newer one go where it takes that."""
        if self._limit_bytes is None:
            return True
        superseded = [(path.name, step) for path in self._folder.glob("*") for step in self._steps(path.name)[:-1]]
        for name, step in sorted(superseded):
            if self._used_bytes() + needed_bytes <= self._limit_bytes:
                break
            self._remove(name, step)
        return self._used_bytes() + needed_bytes <= self._limit_bytes

    def _used_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())

    def _tell_limit(self) -> None:
        if not self._has_told_limit and self._limit_bytes is not None:
            limit = format_bytes(self._limit_bytes)
            self._note(f"checkpoints are limited to {limit}: interrupted finalists will start over")
        self._has_told_limit = True


def _pack(step: int, state: Any, facts: dict[str, Any]) -> np.ndarray:
    """Puts a state into one `(bytes,)` uint8 array: sha256, length of the header, header as JSON, leaves."""
    header = json.dumps({"step": step, "facts": facts, "leaves": _description(state)}).encode()
    leaves = (np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state))
    body = b"".join([len(header).to_bytes(LENGTH_BYTES, "big"), header, *leaves])
    return np.frombuffer(hashlib.sha256(body).digest() + body, np.uint8)


def _unpack(content: bytes, step: int, like: Any) -> Saved:
    """The inverse of `_pack`.

    Raises:
      ValueError: these are not the bytes that were packed, or not of this step, or not of a state like `like`.
    """
    body = content[DIGEST_BYTES:]
    if content[:DIGEST_BYTES] != hashlib.sha256(body).digest():
        raise ValueError("the content is not what was written")
    end = LENGTH_BYTES + int.from_bytes(body[:LENGTH_BYTES], "big")
    header = json.loads(body[LENGTH_BYTES:end])
    if header["step"] != step or (like is not None and header["leaves"] != _description(like)):
        raise ValueError("the content is of another step or structure")
    leaves = []
    for _, shape, dtype in header["leaves"]:
        begin, end = end, end + np.dtype(dtype).itemsize * math.prod(shape)
        leaves.append(np.frombuffer(body[begin:end], dtype).reshape(shape).copy())
    state = tuple(leaves) if like is None else jax.tree.unflatten(jax.tree.structure(like), leaves)
    return Saved(step, state, header["facts"])


def _description(state: Any) -> list[list[Any]]:
    """Path, shape and type of every leaf, as JSON gives them back."""
    leaves = jax.tree.leaves_with_path(state)
    return [[jax.tree_util.keystr(path), list(leaf.shape), np.dtype(leaf.dtype).name] for path, leaf in leaves]
