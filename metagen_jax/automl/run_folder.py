"""A run's folder: where its files are, how they are written, what they hash to."""

import contextlib
import dataclasses
import hashlib
import json
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import jax

from metagen_jax import __version__
from metagen_jax.errors import OutputError
from metagen_jax.extensions import loaded_extensions
from metagen_jax.spec import ModelSpec

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
MARKER, LOCK, ORIGIN, SPEC, LOG = "manifest.json", ".lock", "origin.json", "spec.resolved.yaml", "log.jsonl"
LATENCY = "latency.json"  # what was measured, and what a limit on it made of the candidates
# The manifest holds the hashes and repeats the origin, the others the clock.
NOT_HASHED = {MARKER, LOCK, ORIGIN, LOG, "timing.json", LATENCY}
DATABASE = "search.sqlite"
CHECKPOINTS = "checkpoints"  # of trainings under way
DATABASE_FILES = {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
AUTOENCODER, CODES = "autoencoder", "codes.npz"  # the first stage of a run that learns from codes, a run of its own
FIRST_STAGE = {AUTOENCODER, CODES}
CONTINUED = {LOCK, ORIGIN, SPEC, LOG, LATENCY, CHECKPOINTS} | DATABASE_FILES  # what an interrupted run leaves
ADVICE = "Add --fresh to start over, or give another --out."
FIRST = {LOCK, f"{ORIGIN}.part", ORIGIN, f"{SPEC}.part"}  # all that may be there before the spec is


def versions() -> dict[str, str]:
    """The versions that the bits of a result depend on."""
    installed = {package: metadata.version(package) for package in PACKAGES}
    return {"metagen_jax": __version__, "python": platform.python_version(), **installed}


def write_json(path: Path, content: Any) -> None:
    """Writes JSON with sorted keys; NaN is refused, the file is there whole or not at all."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file by renaming, so that a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


SURROUNDINGS = ("backend", "host_devices", "versions", "extensions")  # what `surroundings` names


def surroundings() -> dict[str, Any]:
    """What the bits of a run depend on besides its spec; extensions only where some have been loaded."""
    extensions = dict(loaded_extensions())
    return {
        "backend": jax.default_backend(),
        "host_devices": len(jax.local_devices()),
        "versions": versions(),
        **({"extensions": extensions} if extensions else {}),
    }


def changes_of_origin(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between two origins, in words."""
    changes = []
    for name in before | now:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict | None) and isinstance(new, dict | None):
            changes += changes_of_origin(old or {}, new or {})
        elif isinstance(new, list):
            changes += [f"another list of {name}"] if old != new else []
        elif old != new:
            changes.append(f"{name} {'none' if old is None else old} (now {'none' if new is None else new})")
    return changes


def _is_hashed(name: str) -> bool:
    """Whether a file is an artefact, by its path in the folder."""
    own = name.removeprefix(f"{AUTOENCODER}/")
    return own not in NOT_HASHED and not own.startswith(f"{CHECKPOINTS}/")


def _yaml(spec: ModelSpec) -> str:
    """The spec as a folder keeps it: an autoencoder's own spec is found in its folder inside."""
    if spec.data.autoencoder is None:
        return spec.to_yaml()
    data = dataclasses.replace(spec.data, written_autoencoder=f"{AUTOENCODER}/{SPEC}")
    return dataclasses.replace(spec, data=data).to_yaml()


class RunFolder:
    """The folder of one run.

    Attributes:
      path: the folder.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def for_spec(cls, spec: ModelSpec, out: Path | None) -> "RunFolder":
        """The folder that the user asked for, or `runs/<name>-<hash>`."""
        return cls(out if out is not None else Path("runs") / f"{spec.name}-{spec.hash}")

    @property
    def is_finished(self) -> bool:
        """Whether a run ended here and spent its whole budget; one that a time limit ended can go on."""
        marker = self.path / MARKER
        return marker.is_file() and json.loads(marker.read_text())["complete"]

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Makes the folder and keeps every other run out of it; the claim dies with the process.

        Raises:
          OutputError: the folder cannot be made, holds something that no run wrote, or another run is at work in it.
        """
        if self.path.is_file():
            raise OutputError(f"{self.path} is a file\n  Give a folder with --out.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be made: {error.strerror}\n  Give another folder with --out."
            ) from None
        names = {path.name for path in self.path.iterdir()}
        if SPEC not in names and not names <= FIRST:
            raise OutputError(
                f"{self.path} is not empty and was not written by a run\n  Give another folder with --out."
            )
        lock = filelock.FileLock(self.path / LOCK, is_singleton=True)  # claimed twice by one process is one claim
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise OutputError(
                f"another run is at work in {self.path}\n  Wait until it has ended, or give another --out."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def unfinished_origin(self) -> dict[str, Any]:
        """What an interrupted run was started with; nothing where there is none."""
        file = self.path / ORIGIN
        return {} if self.is_finished or not file.is_file() else json.loads(file.read_text(encoding="utf-8"))

    @property
    def autoencoder(self) -> "RunFolder":
        """The folder of the first stage."""
        return RunFolder(self.path / AUTOENCODER)

    def begin(self, spec: ModelSpec, fresh: bool) -> bool:
        """Gets the claimed folder ready for a run of two stages and says whether the first one is finished.

        While it is not, nothing that may be there of the second is worth anything.

        Args:
          spec: of the second stage.
          fresh: throw away what is there.
        Raises:
          OutputError: there is a finished run, or one of another spec.
        """
        self._check_free(spec, fresh)
        first, autoencoder = self.autoencoder, spec.data.autoencoder
        finished = first.is_finished and not fresh
        if not finished:
            self._remove_all_but({LOCK} if fresh else {LOCK, AUTOENCODER})
            write_text(self.path / SPEC, _yaml(spec))
        elif autoencoder is not None and (first.path / SPEC).read_text(encoding="utf-8") != autoencoder.to_yaml():
            raise OutputError(f"{first.path} holds a run of another spec\n  {ADVICE}")
        return finished

    def prepare(self, spec: ModelSpec, given: dict[str, Any], fresh: bool) -> bool:
        """Gets the claimed folder ready for a run and says whether it continues an interrupted one.

        Args:
          spec: what is to be built.
          given: what the numbers depend on beside the spec: options of the command line, the plan of the programs, what
            predicts latencies.
          fresh: throw away what is there.
        Raises:
          OutputError: there is a finished run, or an interrupted one of another spec or another program.
        """
        self._check_free(spec, fresh)
        origin = surroundings() | given
        in_stages = spec.data.autoencoder is not None
        begun = (self.path / ORIGIN).is_file() or not in_stages  # the first stage leaves the spec and no origin
        continues = not fresh and (self.path / SPEC).is_file() and begun
        if continues:
            self._check_same_origin(origin)
        kept = CONTINUED if continues else {LOCK}
        self._remove_all_but(kept | FIRST_STAGE if in_stages else kept)
        write_json(self.path / ORIGIN, origin)
        write_text(self.path / SPEC, _yaml(spec))
        return continues

    def _check_free(self, spec: ModelSpec, fresh: bool) -> None:
        if fresh:
            return
        if self.is_finished:
            raise OutputError(
                f"{self.path} already holds a finished run\n  Add --fresh to replace it, or give another --out."
            )
        file = self.path / SPEC
        if file.is_file() and file.read_text(encoding="utf-8") != _yaml(spec):
            raise OutputError(f"{self.path} holds an unfinished run of another spec\n  {ADVICE}")

    def _check_same_origin(self, origin: dict[str, Any]) -> None:
        file = self.path / ORIGIN
        if not file.is_file():
            raise OutputError(f"{self.path} holds an unfinished run that does not say what wrote it\n  {ADVICE}")
        changes = ", ".join(changes_of_origin(json.loads(file.read_text(encoding="utf-8")), origin))
        if changes:
            raise OutputError(
                f"{self.path} holds an unfinished run with {changes}; its numbers would not fit together\n  {ADVICE}"
            )

    def _remove_all_but(self, kept: set[str]) -> None:
        # The marker goes first and the spec last: whatever happens in between, the folder is that of an unfinished run.
        for path in sorted(self.path.iterdir(), key=lambda path: (path.name == SPEC, path.name != MARKER)):
            if path.name in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def sha256(self) -> dict[str, str]:
        """The fingerprint of every artefact, by its path in the folder."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        names = {path.relative_to(self.path).as_posix(): path for path in files}
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in names.items() if _is_hashed(name)}

    def manifest(self) -> dict[str, Any]:
        """What the run wrote last.

        Raises:
          OutputError: no run has ended here.
        """
        file = self.path / MARKER
        if not file.is_file():
            raise OutputError(f"{self.path} holds no finished run\n  It has no {MARKER}.")
        return json.loads(file.read_text(encoding="utf-8"))

    def write_manifest(self, spec: ModelSpec, command: list[str], complete: bool) -> None:
        """Writes what it takes to run this again, and what then has to come out; the last file of a run.

        `complete` is False where a time limit cut the run short.
        """
        content = {
            "schema_version": 1,
            "spec": {"name": spec.name, "hash": spec.hash},
            "seed": spec.seed,
            "command": command,
            "complete": complete,
            "data_path": spec.data.path,  # the spec may have it relative to its own folder
            "sha256": self.sha256(),
        } | json.loads((self.path / ORIGIN).read_text(encoding="utf-8"))
        write_json(self.path / MARKER, content)
