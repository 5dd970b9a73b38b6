"""A run's folder: where its files are, how they are written, what they hash to."""

import hashlib
import json
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from metagen_jax import __version__
from metagen_jax.errors import OutputError
from metagen_jax.spec import ModelSpec

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
NOT_HASHED = {"manifest.json", "timing.json", "log.jsonl"}  # the first holds the hashes, the others the clock
MARKER = "manifest.json"


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
        """Whether a run ended here."""
        return (self.path / MARKER).is_file()

    def prepare(self, fresh: bool) -> None:
        """Makes an empty folder; what an unfinished run left here is thrown away.

        Raises:
          OutputError: the folder holds something that no run wrote, or a finished run and `fresh` is False.
        """
        if self.path.is_file():
            raise OutputError(f"{self.path} is a file\n  Give a folder with --out.")
        if self.path.is_dir() and any(self.path.iterdir()):
            if not (self.path / "spec.resolved.yaml").is_file():
                raise OutputError(
                    f"{self.path} is not empty and was not written by a run\n  Give another folder with --out."
                )
            if self.is_finished and not fresh:
                raise OutputError(
                    f"{self.path} already holds a finished run\n  Add --fresh to replace it, or give another --out."
                )
            shutil.rmtree(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be made: {error.strerror}\n  Give another folder with --out."
            ) from None

    def sha256(self) -> dict[str, str]:
        """The fingerprint of every artefact, by its path in the folder."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        names = {path.relative_to(self.path).as_posix(): path for path in files}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in names.items()
            if name not in NOT_HASHED
        }

    def write_manifest(self, spec: ModelSpec, command: list[str]) -> None:
        """Writes what it takes to run this again, and what then has to come out; the last file of a run."""
        content = {
            "schema_version": 1,
            "spec": {"name": spec.name, "hash": spec.hash},
            "seed": spec.seed,
            "command": command,
            "versions": versions(),
            "backend": jax.default_backend(),
            "host_devices": len(jax.devices()),
            "sha256": self.sha256(),
        }
        write_json(self.path / MARKER, content)
