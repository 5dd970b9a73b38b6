"""Processes killed at random instants: the same command goes on, and ends with the bytes of an undisturbed run."""

import argparse
import collections
import dataclasses
import itertools
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from experiments.faults.common import (
    CampaignError,
    Command,
    Reference,
    differences,
    end_of_run,
    is_finished,
    last_words,
    new_folder,
    repeat_command,
    say,
    undisturbed,
)

PART = "kills"
SIGNALS = {"KILL": signal.SIGKILL, "INT": signal.SIGINT, "TERM": signal.SIGTERM}
MOST_KILLS = 3  # of one run
COLD_EVERY = 8  # every eighth case starts with nothing compiled, so that compilation is cut short too
INTERRUPTED = 130
# How far a run had come, told from the files that it had left; the last that fits.
LANDMARKS = (
    ("spec.resolved.yaml", "folder prepared"),
    ("search.sqlite-wal", "search or finalists"),
    ("search.sqlite.part", "database closed"),
    ("winner.part", "project begun"),
    ("winner", "project written"),
    ("result.json", "result written"),
    ("figures", "figures begun"),
    ("manifest.json", "manifest written"),
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """One case: a run that is killed one to three times, at these shares of the undisturbed duration."""

    number: int
    kind: str
    cold: bool
    shares: tuple[float, ...]


@dataclasses.dataclass
class Outcome:
    """What came of a case.

    Attributes:
      instants: seconds after the start of each process at which it was killed.
      stages: how far each had come.
      exits: how each ended: an exit code, or a negative signal.
      traces: those that showed a traceback, with the instant.
      problems: what should not be.
    """

    instants: list[float] = dataclasses.field(default_factory=list)
    stages: list[str] = dataclasses.field(default_factory=list)
    exits: list[int] = dataclasses.field(default_factory=list)
    traces: list[float] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=100, help="of each signal (default: %(default)s)")
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=["KILL"])
    parser.add_argument("--cases", nargs="+", type=int, help="these cases alone, to repeat a failure")
    parser.add_argument("--kinds", nargs="+", choices=("image", "text"), default=["image", "text"], help="of spec")


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Runs the campaign for each signal."""
    references = {}
    for kind in options.kinds:
        references[kind] = undisturbed(Command(kind, work / "cache"), new_folder(work / kind))
        say(f"{kind}: {references[kind].seconds:.1f} s undisturbed, {references[kind].cold_seconds:.1f} s compiling")
    failures = [line for kind in options.kinds for line in cache_failures(references[kind], options.seed, work / kind)]
    by_signal = {}
    for name in options.signals:
        by_signal[name], failed = campaign(name, references, options, work)
        failures += failed
    return {
        "seed": options.seed,
        "undisturbed_seconds": {kind: round(reference.seconds, 2) for kind, reference in references.items()},
        "undisturbed_seconds_compiling": {kind: round(r.cold_seconds, 2) for kind, r in references.items()},
        "signals": by_signal,
        "failures": failures,
    }


def cache_failures(reference: Reference, seed: int, work: Path) -> list[dict[str, Any]]:
    """Whether the compilation cache that makes the campaign affordable, whole or torn, leaves the bytes alone."""
    torn = torn_copy(reference.command.cache, work / "torn", np.random.default_rng(seed))
    failures = []
    for name, cache in (("no compilation cache", None), ("a compilation cache of torn entries", torn)):
        command = dataclasses.replace(reference.command, cache=cache)
        say(f"{command.kind}: a run with {name}")
        out, errors = work / name.replace(" ", "-"), work / "cache.stderr"
        code = command.run(out, errors, reference.timeout_s)
        problems = differences(reference.folder, out) if code == 0 else [f"exit code {code}: {last_words(errors)}"]
        failures += [{"case": f"{command.kind}, {name}", "problem": problem} for problem in problems]
    return failures


def torn_copy(cache: Path | None, torn: Path, rng: np.random.Generator) -> Path:
    """A cache in which every entry is cut off somewhere, as by a kill while it was written; every third is empty."""
    if cache is None:
        raise CampaignError("the undisturbed run has to fill a cache")
    new_folder(torn)
    for number, entry in enumerate(sorted(cache.iterdir())):
        content = entry.read_bytes()
        (torn / entry.name).write_bytes(content[: rng.integers(len(content)) if number % 3 else 0])
    return torn


def campaign(
    name: str, references: dict[str, Reference], options: argparse.Namespace, work: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Kills by one signal until there have been enough; the counts, and the failures with how to repeat each."""
    outcomes, failures, killed = [], [], 0
    for number in options.cases or itertools.count():
        plan = plan_of(number, options.seed, tuple(references))
        left = len(plan.shares) if options.cases else options.kills - killed
        if left <= 0:
            break
        plan = dataclasses.replace(plan, shares=plan.shares[:left])
        folder = new_folder(work / f"{name}-{number}")
        outcome = carry_out(plan, references[plan.kind], SIGNALS[name], folder)
        outcomes.append(outcome)
        killed += len(outcome.instants)
        if outcome.problems:
            failures.append(_failure(name, plan, outcome, options))
        else:
            shutil.rmtree(folder)
        state = f"FAILED: {outcome.problems[0]}" if outcome.problems else "same bytes"
        say(f"{name} case {number} ({plan.kind}{', cold' if plan.cold else ''}) at {outcome.instants} s: {state}")
    return _summary(outcomes), failures


def plan_of(number: int, seed: int, kinds: tuple[str, ...]) -> Plan:
    """The plan of a case; depends on the seed and its number alone, so that any case can be repeated by itself."""
    rng = np.random.default_rng([seed, number])
    count = rng.integers(1, MOST_KILLS + 1)
    shares = tuple(float(share) for share in rng.random(count))
    return Plan(number, kinds[number % len(kinds)], number % COLD_EVERY == COLD_EVERY - 1, shares)


def carry_out(plan: Plan, reference: Reference, by: signal.Signals, folder: Path) -> Outcome:
    """Kills a run as planned, lets it finish and compares. A process that ends before its instant is not counted."""
    command, seconds = reference.command, reference.seconds
    if plan.cold:
        command, seconds = dataclasses.replace(command, cache=folder / "cache"), reference.cold_seconds
    reference = dataclasses.replace(reference, command=command)
    outcome, out, errors = Outcome(), folder / "run", folder / "stderr"
    for share in plan.shares:
        if is_finished(out) or not _kill(command, out, errors, share * seconds, by, outcome, reference.timeout_s):
            break
    outcome.problems += outcome.problems or end_of_run(reference, out, errors)
    return outcome


def _kill(
    command: Command, out: Path, errors: Path, instant: float, by: signal.Signals, outcome: Outcome, timeout_s: float
) -> bool:
    """Starts the command and sends it the signal; False where it had ended by then."""
    errors.unlink(missing_ok=True)
    process = command.start(out, errors)
    try:
        code = process.wait(instant)
    except subprocess.TimeoutExpired:
        process.send_signal(by)
    else:
        outcome.problems += [f"ended with {code} by itself: {last_words(errors)}"] if code else []
        return False
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        outcome.problems.append(f"does not end after {by.name} at {instant:.3f} s")
        return False
    outcome.instants.append(round(instant, 3))
    outcome.stages.append(stage_of(out))
    outcome.exits.append(code)
    if "Traceback" in errors.read_text(errors="replace"):
        outcome.traces.append(round(instant, 3))
    if code not in {-by, INTERRUPTED} and not is_finished(out):
        outcome.problems.append(f"ended with {code} after {by.name} at {instant:.3f} s: {last_words(errors)}")
    return True


def stage_of(folder: Path) -> str:
    """How far the run had come that left this folder."""
    reached = [stage for name, stage in LANDMARKS if (folder / name).exists()]
    return reached[-1] if reached else "before the folder"


def _failure(name: str, plan: Plan, outcome: Outcome, options: argparse.Namespace) -> dict[str, Any]:
    words = ("--signals", name, "--kinds", *options.kinds, "--cases", str(plan.number))
    return {
        "case": plan.number,
        "kind": plan.kind,
        "cold": plan.cold,
        "signal": name,
        "instants_s": outcome.instants,
        "stages": outcome.stages,
        "problems": outcome.problems,
        "repeat": repeat_command(PART, options, *words),
    }


def _summary(outcomes: list[Outcome]) -> dict[str, Any]:
    stages = collections.Counter(stage for outcome in outcomes for stage in outcome.stages)
    exits = collections.Counter(code for outcome in outcomes for code in outcome.exits)
    return {
        "kills": sum(len(outcome.instants) for outcome in outcomes),
        "runs": len(outcomes),
        "runs_with_the_same_bytes": sum(not outcome.problems for outcome in outcomes),
        "kills_by_stage": {
            stage: stages[stage] for _, stage in (("", "before the folder"), *LANDMARKS) if stages[stage]
        },
        "exit_codes": {str(code): count for code, count in sorted(exits.items())},
        "tracebacks_at_s": sorted(instant for outcome in outcomes for instant in outcome.traces),
    }
