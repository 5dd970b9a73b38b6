"""Resident memory over the candidates of one long run: flat once the programs have been compiled."""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.faults.common import CampaignError, Command, Skipped, last_words, repeat_command, say

PART = "memory"
SETTLED = 50  # candidates after which nothing new should have to be kept
MOST_GROWTH = 1.05
INTERVAL_S = 0.01


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--candidates", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--memory-kind", choices=("image", "text"), default="image", help="of spec")


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Watches one run from outside.

    Raises:
      Skipped: the system does not tell the memory of a process.
    """
    if not sys.platform.startswith("linux"):
        raise Skipped("the memory of a process is read from /proc: that needs Linux")
    words = (f"search.budget={options.candidates}", f"search.rounds={options.rounds}", "outputs.project=false")
    more = tuple(word for setting in words for word in ("--set", setting))
    out, errors = work / "memory", work / "memory.stderr"
    process = Command(options.memory_kind, work / "cache", more).start(out, errors)
    series = list(watch(process, out / "log.jsonl"))
    if process.returncode:
        raise CampaignError(f"the run failed:\n{last_words(errors)}")
    summary = summarise(series)
    say(f"{options.memory_kind}: {summary}")
    grows = summary["growth"] > MOST_GROWTH
    words = ("--candidates", str(options.candidates), "--rounds", str(options.rounds))
    failure = {"problem": f"memory grows by {summary['growth']:.3f}", "repeat": repeat_command(PART, options, *words)}
    return {
        "kind": options.memory_kind,
        "rounds": options.rounds,
        **summary,
        "largest_growth_allowed": MOST_GROWTH,
        "series": [{"candidates": count, "rss_mib": mib} for count, mib in series],
        "failures": [failure] if grows else [],
    }


def watch(process: subprocess.Popen[bytes], log: Path) -> Iterator[tuple[int, float]]:
    """Number of candidates and MiB of memory each time that a chunk of candidates has been recorded."""
    known = 0
    while process.poll() is None:
        time.sleep(INTERVAL_S)
        count = _num_trained(log)
        if count > known and (mib := _resident_mib(process.pid)) is not None:
            known = count
            yield count, mib


def summarise(series: list[tuple[int, float]]) -> dict[str, Any]:
    """The most memory among the first candidates, later, and at the end."""
    early = [mib for count, mib in series if count <= SETTLED]
    late = [mib for count, mib in series if count > SETTLED]
    if not early or not late:
        raise CampaignError(f"more than {SETTLED} candidates are needed, and a chunk among the first {SETTLED}")
    return {
        "candidates": series[-1][0],
        "most_mib_in_the_first_50": max(early),
        "most_mib_later": max(late),
        "mib_at_the_end": late[-1],
        "growth": round(max(late) / max(early), 4),
    }


def _num_trained(log: Path) -> int:
    if not log.exists():
        return 0
    lines = log.read_text().split("\n")[:-1]  # the last line may be half written
    return sum(json.loads(line)["event"] == "trained" for line in lines)


def _resident_mib(pid: int) -> float | None:
    """None where the process has just ended."""
    lines = itertools.chain(_status(pid))
    return next((round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith("VmRSS:")), None)


def _status(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
