"""What the parts share: the command as a child process, folders compared byte for byte, results as JSON."""

import argparse
import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metagen_jax.automl.run_folder import LATENCY, LOCK, LOG, MARKER, versions
from tests.runs import tiny_command

ROOT = Path(__file__).parents[2]
SCRIPT = "experiments/faults/run.py"
# The environment that the user gave; what a part inside this process sets for JAX is not handed on to commands.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("FAULT_")}
# The clock is in these, and nothing in the lock; all else, the manifest and the origin too, has to be the same.
DIFFERS_BY_DESIGN = {LOCK, LOG, LATENCY, "timing.json"}
PATIENCE = 30  # times the undisturbed duration; a process that takes longer hangs
CACHE_VARIABLES = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")


class CampaignError(Exception):
    """The campaign cannot be carried out: an undisturbed run fails, or is not repeatable."""


class Skipped(Exception):
    """This machine lacks what a part needs."""


@dataclasses.dataclass(frozen=True)
class Command:
    """`metagen automl` on one of the tiny specs of the tests, as a child process.

    Attributes:
      kind: which spec.
      cache: folder of compiled programs that commands share, or None to compile each time.
      more: further words of the command.
    """

    kind: str
    cache: Path | None
    more: tuple[str, ...] = ()

    def start(self, out: Path, errors: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Starts the command; what it says on stderr is appended to `errors`."""
        words = [
            sys.executable,
            "-m",
            "metagen_jax",
            *tiny_command(self.kind, out, "--quiet", "--no-memory", "--cold", *self.more),
        ]
        with errors.open("ab") as file:
            return subprocess.Popen(
                words, stdout=subprocess.DEVNULL, stderr=file, cwd=ROOT, env=self._environment() | environment
            )

    def run(self, out: Path, errors: Path, timeout_s: float | None = None, **environment: str) -> int:
        """Runs the command to its end and returns its exit code.

        Raises:
          subprocess.TimeoutExpired: it took too long; it has been killed then.
        """
        process = self.start(out, errors, **environment)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in ENVIRONMENT.items() if name not in CACHE_VARIABLES}
        # All programs, however quickly they compile: a campaign runs the same few hundreds of times.
        cached = dict(zip(CACHE_VARIABLES, (str(self.cache), "0"), strict=True)) if self.cache else {}
        return kept | cached


@dataclasses.dataclass(frozen=True)
class Reference:
    """What an undisturbed run leaves and how long it takes.

    Attributes:
      command: what was run.
      folder: what it left.
      seconds: with all programs in the cache.
      cold_seconds: with an empty one.
    """

    command: Command
    folder: Path
    seconds: float
    cold_seconds: float

    @property
    def timeout_s(self) -> float:
        return PATIENCE * self.cold_seconds


def undisturbed(command: Command, work: Path) -> Reference:
    """Runs the command with an empty and with a full cache.

    Raises:
      CampaignError: it fails, or the two differ.
    """
    cold_seconds = _timed_run(command, work / "reference")
    seconds = _timed_run(command, work / "repeated")
    changed = differences(work / "reference", work / "repeated")
    if changed:
        raise CampaignError(f"two undisturbed runs differ: {changed[0]}")
    return Reference(command, work / "reference", seconds, cold_seconds)


def _timed_run(command: Command, out: Path) -> float:
    start, errors = time.monotonic(), out.with_suffix(".stderr")
    if command.run(out, errors):
        raise CampaignError(f"an undisturbed run failed:\n{last_words(errors)}")
    return time.monotonic() - start


def differences(reference: Path, folder: Path) -> list[str]:
    """The files that are not byte for byte the same, each with how; their names have to agree even where bytes may not."""
    first, second = _fingerprints(reference), _fingerprints(folder)
    lines = [f"{name}: missing" for name in sorted(first.keys() - second.keys())]
    lines += [f"{name}: not in an undisturbed run" for name in sorted(second.keys() - first.keys())]
    return lines + [
        f"{name}: other bytes" for name in sorted(first.keys() & second.keys()) if first[name] != second[name]
    ]


def _fingerprints(folder: Path) -> dict[str, str]:
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name: "" if name in DIFFERS_BY_DESIGN else hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
    }


def is_finished(folder: Path) -> bool:
    """Whether a manifest says that a run has ended here."""
    return (folder / MARKER).is_file()


def last_words(errors: Path, count: int = 12) -> str:
    """The end of what a command said on stderr."""
    return "\n".join(errors.read_text(errors="replace").splitlines()[-count:]) if errors.exists() else ""


def end_of_run(reference: Reference, folder: Path, errors: Path) -> list[str]:
    """Lets the same command finish the folder, if it has not, and says what is wrong with what it leaves."""
    if not is_finished(folder):
        try:
            code = reference.command.run(folder, errors, reference.timeout_s)
        except subprocess.TimeoutExpired:
            return ["the continued run hangs"]
        if code:
            return [f"the continued run ended with {code}: {last_words(errors)}"]
    return differences(reference.folder, folder)


@contextlib.contextmanager
def workspace(kept: Path | None) -> Iterator[Path]:
    """A resolved folder for runs; a temporary one unless the user has named one to be kept."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="metagen-faults-") as temporary:
        yield Path(temporary).resolve()


def new_folder(path: Path) -> Path:
    """An empty folder."""
    path.mkdir(parents=True)
    return path


def repeat_command(part: str, options: argparse.Namespace, *words: str) -> str:
    """The command that repeats one case of a part."""
    return shlex.join(["python", SCRIPT, part, "--seed", str(options.seed), *words])


def sources() -> str:
    """A fingerprint of the program; a campaign during which it changes shows nothing."""
    digest = hashlib.sha256()
    for folder in ("metagen_jax", "templates", "specs"):
        for path in sorted(path for path in (ROOT / folder).rglob("*") if path.suffix not in {"", ".pyc"}):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def write_result(folder: Path, part: str, measured: dict[str, Any], started: float, before: str) -> Path:
    """Writes what a part has measured, with what it takes to judge and to repeat it."""
    folder.mkdir(parents=True, exist_ok=True)
    result = {
        "part": part,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": shlex.join(["python", SCRIPT, *sys.argv[1:]]),
        "versions": versions(),
        "sources_sha256": before,
        "sources_changed_meanwhile": sources() != before,
        "seconds": round(time.monotonic() - started, 1),
        **measured,
    }
    file = folder / f"{part}.json"
    file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return file


def say(message: str) -> None:
    """One line of progress."""
    print(message, file=sys.stderr, flush=True)
