"""The disk full from the k-th write on: a message, a folder that is whole, and the same command goes on later."""

import argparse
import collections
import dataclasses
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from experiments.faults.common import (
    CampaignError,
    Command,
    Reference,
    Skipped,
    differences,
    end_of_run,
    is_finished,
    new_folder,
    repeat_command,
    say,
    undisturbed,
)
from metagen_jax.automl.run_folder import DATABASE, RunFolder

PART = "disk-full"
SOURCE = Path(__file__).with_name("interpose.c")
FULL = re.compile("no space left on device|disk", re.IGNORECASE)
GOING_ON = "going on with the run"


@dataclasses.dataclass(frozen=True)
class Write:
    """One call that needs space: its number, counted from 1, the function and the file in the run's folder."""

    number: int
    call: str
    file: str

    @property
    def sort(self) -> str:
        """What it has in common with others; arrays of a checkpoint and pages of a database are many of a sort."""
        return f"{self.call} {'/'.join(self.file.split('/')[:2])}"

    def __str__(self) -> str:
        return f"write {self.number} ({self.call} {self.file})"


@dataclasses.dataclass
class Outcome:
    """What came of a run whose disk was full from one write on."""

    write: Write
    exit_code: int | None = None
    message: str = ""
    went_on: bool = False
    problems: list[str] = dataclasses.field(default_factory=list)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--writes", type=int, help="a sample of so many; always the first and the last (default: all)")
    parser.add_argument("--points", nargs="+", type=int, help="these writes alone, to repeat a failure")
    parser.add_argument("--disk-kind", choices=("image", "text"), default="image", help="of spec")


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Runs the campaign.

    Raises:
      Skipped: no compiler, or not Linux.
    """
    library = build_interposer(work)
    reference = undisturbed(Command(options.disk_kind, work / "cache"), new_folder(work / "undisturbed"))
    writes = count_writes(reference, library, work)
    chosen = [writes[point - 1] for point in options.points] if options.points else sample(writes, options)
    say(f"{len(writes)} calls that need space, {len(chosen)} tried; {reference.seconds:.1f} s undisturbed")
    outcomes = []
    for write in chosen:
        folder = new_folder(work / f"write-{write.number}")
        outcomes.append(carry_out(write, reference, library, folder))
        if not outcomes[-1].problems:
            shutil.rmtree(folder)
        say(f"{write}: {outcomes[-1].problems or outcomes[-1].message}")
    return {
        "seed": options.seed,
        "kind": options.disk_kind,
        "undisturbed_seconds": round(reference.seconds, 2),
        "writes_of_an_undisturbed_run": len(writes),
        "calls": dict(collections.Counter(write.call for write in writes).most_common()),
        **_summary(outcomes),
        "failures": [_failure(outcome, options) for outcome in outcomes if outcome.problems],
    }


def build_interposer(work: Path) -> Path:
    """Compiles the library that refuses the writes.

    Raises:
      Skipped: no compiler, or not Linux.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if sys.platform != "linux" or not shutil.which(compiler[0]):
        raise Skipped("a disk that is full is played by a preloaded C library: that needs Linux and a C compiler")
    library = work / "interpose.so"
    done = subprocess.run(
        [*compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Skipped(f"{SOURCE.name} cannot be compiled here: {done.stderr.strip()}")
    return library


def fault(library: Path, folder: Path, log: Path, after: int = 0) -> dict[str, str]:
    """The environment of a process whose writes below a folder are counted and, from one on, refused."""
    return {
        "LD_PRELOAD": str(library),
        "FAULT_DIR": str(folder),
        "FAULT_LOG": str(log),
        "FAULT_AFTER": str(after),
    }


def read_log(log: Path, folder: Path) -> list[Write]:
    """The calls that were counted, in order; threads may have written their lines in another."""
    writes = []
    for line in log.read_text().splitlines() if log.exists() else []:
        number, call, path = line.split(" ", 2)
        writes.append(Write(int(number), call, os.path.relpath(path, folder)))
    return sorted(writes, key=lambda write: write.number)


def count_writes(reference: Reference, library: Path, work: Path) -> list[Write]:
    """The calls of a run whose disk never fills up.

    Raises:
      CampaignError: counting alone changes the run.
    """
    out, log = work / "counted", work / "writes.log"
    code = reference.command.run(out, work / "counted.stderr", reference.timeout_s, **fault(library, out, log))
    changed = differences(reference.folder, out) if code == 0 else [f"exit code {code}"]
    if changed:
        raise CampaignError(f"counting the writes disturbs the run: {changed[0]}")
    return read_log(log, out)


def sample(writes: list[Write], options: argparse.Namespace) -> list[Write]:
    """The first and the last, and between them as many different sorts of writes as the number allows."""
    if options.writes is None or options.writes >= len(writes):
        return writes
    inner = [writes[i + 1] for i in np.random.default_rng(options.seed).permutation(len(writes) - 2)]
    seen: collections.Counter[str] = collections.Counter()
    rounds = []  # how many of its sort come before each
    for write in inner:
        rounds.append(seen[write.sort])
        seen[write.sort] += 1
    order = sorted(range(len(inner)), key=lambda i: rounds[i])  # stable: chance decides within a round
    chosen = [inner[i] for i in order[: max(options.writes - 2, 0)]]
    return sorted({writes[0], writes[-1], *chosen}, key=lambda write: write.number)


def carry_out(write: Write, reference: Reference, library: Path, folder: Path) -> Outcome:
    """Fills the disk, looks at the message and at the folder, frees the disk, lets the command go on, compares."""
    outcome = Outcome(write)
    out, errors, log = folder / "run", folder / "stderr", folder / "writes.log"
    try:
        refused = fault(library, out, log, write.number)
        outcome.exit_code = reference.command.run(out, errors, reference.timeout_s, **refused)
    except subprocess.TimeoutExpired:
        outcome.problems.append("hangs when the disk is full")
        return outcome
    if len(read_log(log, out)) < write.number:  # threads write in any order: a run may need a few calls less
        outcome.problems.append(f"made {len(read_log(log, out))} writes only and was not disturbed")
        return outcome
    outcome.message = without_paths(errors.read_text(errors="replace"), folder)
    outcome.problems += wrong_with_message(outcome.exit_code, outcome.message) + wrong_with_folder(out)
    outcome.problems += end_of_run(reference, out, folder / "continued.stderr")
    outcome.went_on = GOING_ON in (out / "log.jsonl").read_text() if (out / "log.jsonl").exists() else False
    return outcome


def without_paths(text: str, folder: Path) -> str:
    """What a command said, without the folder that this campaign chose and without the warnings of libraries."""
    lines = text.replace(str(folder), "...").strip().splitlines()
    lines = [line for line in lines if not line.lstrip().startswith('File "')]  # where this machine keeps its libraries
    start = next((i for i, line in enumerate(lines) if line.startswith(("error: ", "Traceback"))), 0)
    return "\n".join(lines[start:])


def wrong_with_message(code: int, message: str) -> list[str]:
    """What a user could complain about."""
    checks = {
        f"ended with {code}": code <= 0,
        "a traceback": "Traceback" in message,
        "the message does not say that the disk is full": not FULL.search(message),
        "the message names no file": "no file named" in message,
    }
    return [f"{problem}:\n{message}" for problem, is_so in checks.items() if is_so]


def wrong_with_folder(folder: Path) -> list[str]:
    """What is broken in a folder whose run failed: a database that cannot be read, a manifest that is not true."""
    problems = []
    if (folder / DATABASE).exists() and (state := integrity(folder)) != "ok":
        problems.append(f"{DATABASE}: {state}")
    if is_finished(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        if manifest["sha256"] != RunFolder(folder).sha256():
            problems.append("the manifest is there, but not what it lists")
    return problems


def integrity(folder: Path) -> str:
    """What sqlite says of the database; of a copy, since looking at a database may write its log into it."""
    copies = new_folder(folder.with_name("copy-of-database"))
    for path in folder.glob(f"{DATABASE}*"):
        shutil.copy(path, copies)
    connection = sqlite3.connect(copies / DATABASE)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
        shutil.rmtree(copies)


def _failure(outcome: Outcome, options: argparse.Namespace) -> dict[str, Any]:
    words = ("--disk-kind", options.disk_kind, "--points", str(outcome.write.number))
    return {
        "write": dataclasses.asdict(outcome.write),
        "exit_code": outcome.exit_code,
        "problems": outcome.problems,
        "repeat": repeat_command(PART, options, *words),
    }


def _summary(outcomes: list[Outcome]) -> dict[str, Any]:
    messages = collections.Counter(outcome.message.split("\n")[0] for outcome in outcomes)
    return {
        "tried": len(outcomes),
        "without_a_problem": sum(not outcome.problems for outcome in outcomes),
        "went_on_from_what_was_there": sum(outcome.went_on for outcome in outcomes),
        "exit_codes": dict(collections.Counter(str(outcome.exit_code) for outcome in outcomes)),
        "first_lines_of_messages": dict(messages.most_common()),
    }
