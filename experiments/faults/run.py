"""Faults injected into runs, and whether the same command still ends in the same bytes.

    python experiments/faults/run.py all             # every part; hours, see README.md
    python experiments/faults/run.py kills --kills 5

Every part writes results/PART.json beside this file; the exit code is 1 where one has found a failure.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # `tests.runs` and the parts, wherever the script is started

from experiments.faults import disk_full, kills, memory, nan, out_of_memory, packing
from experiments.faults.common import Skipped, new_folder, say, sources, workspace, write_result

# A part is a module with PART, its name; add_options(parser), with names that no other part uses; and
# measure(options, work), which returns what goes into the JSON, with the list `failures`, or raises Skipped.
PARTS = {part.PART: part for part in (kills, disk_full, nan, out_of_memory, packing, memory)}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--seed", type=int, default=0, help="of instants, samples, orders (default: %(default)s)")
    shared.add_argument("--work", type=Path, help="an empty folder for the runs, to be kept (default: a temporary one)")
    shared.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON")
    parser = argparse.ArgumentParser(description="Injects faults into runs and compares what comes out.")
    commands = parser.add_subparsers(dest="part", required=True)
    for name, part in PARTS.items():
        part.add_options(commands.add_parser(name, parents=[shared], help=(part.__doc__ or "").strip()))
    everything = commands.add_parser("all", parents=[shared], help="every part, one after the other")
    for part in PARTS.values():
        part.add_options(everything)
    return parser.parse_args(arguments)


def run_part(name: str, options: argparse.Namespace, work: Path) -> bool:
    """Runs one part and writes its result; False where it has found a failure."""
    started, before = time.monotonic(), sources()
    try:
        measured = PARTS[name].measure(options, new_folder(work / name))
    except Skipped as reason:
        say(f"{name} skipped: {reason}")
        return True
    file = write_result(options.results, name, measured, started, before)
    say(f"{name}: {len(measured['failures'])} failures; {file}")
    return not measured["failures"]


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    names = list(PARTS) if options.part == "all" else [options.part]
    with workspace(options.work) as work:
        good = [run_part(name, options, work) for name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
