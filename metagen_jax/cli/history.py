"""`metagen history`: what is remembered of earlier runs."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from metagen_jax.cli.notes import note
from metagen_jax.errors import MemoryFileError, OutputError
from metagen_jax.memory import Memory, RunRecord, read_runs, user_file

BEST_SHOWN = 10

history = typer.Typer(
    no_args_is_help=True, help="List, show, export, import and forget what earlier runs have measured."
)

MemoryOption = Annotated[
    Path | None, typer.Option("--memory", help="The file. Default: one in your data folder.", show_default=False)
]


@history.command("list")
def list_runs(memory: MemoryOption = None) -> None:
    """Print a line for each run: id, date, candidates, name, task."""
    with _opened(memory) as opened:
        runs = opened.overview()
    for run in runs:
        print(f"{run.id}  {run.date}  {run.num_candidates:5,} candidates  {run.name}: {run.task}")
    if not runs:
        print(f"nothing is remembered in {opened.path}")


@history.command()
def show(run: Annotated[str, typer.Argument(help="Its id, or how it begins.")], memory: MemoryOption = None) -> None:
    """Print the spec of a run and its best candidates."""
    with _opened(memory) as opened:
        (found,) = _ids(opened, [run])
        record = opened.load(found)
    print(f"{record.name}, {record.date}: {record.task}, {len(record.candidates):,} candidates\n")
    print(record.spec)
    for line in _best(record):
        print(line)


@history.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file, one run a line as JSON.")], memory: MemoryOption = None
) -> None:
    """Write all runs into a file that `metagen history import` takes, on any machine."""
    if file.exists():
        raise OutputError(f"{file} is there already\n  Name another file, or remove this one.")
    with _opened(memory) as opened:
        ids = [run.id for run in opened.overview()]
        file.write_text("".join(f"{opened.load(run).to_json()}\n" for run in ids), encoding="utf-8")
    print(f"{len(ids)} runs in {file}")


@history.command("import")
def import_runs(
    files: Annotated[list[Path], typer.Argument(help="What export has written, or other memories.")],
    memory: MemoryOption = None,
) -> None:
    """Add the runs of other files; those that are remembered already are passed over."""
    runs = [run for file in files for run in read_runs(file, note)]
    with _opened(memory) as opened:
        new = opened.merge(runs)
    print(f"{new} of {len(runs)} runs are new")


@history.command()
def forget(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids, or how they begin.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every run.")] = False,
    memory: MemoryOption = None,
) -> None:
    """Remove runs with all their candidates."""
    if everything == bool(runs):
        raise MemoryFileError("forget: which runs\n  Name some as `metagen history list` does, or add --all.")
    with _opened(memory) as opened:
        ids = [run.id for run in opened.overview()] if everything else _ids(opened, runs or [])
        print(f"{opened.forget(ids)} runs forgotten")


def _opened(memory: Path | None) -> Memory:
    return Memory(memory or user_file(), note)


def _ids(memory: Memory, begins: Sequence[str]) -> list[str]:
    """The runs whose ids begin so, one each."""
    known, found = [run.id for run in memory.overview()], []
    for begin in begins:
        fitting = [run for run in known if run.startswith(begin)]
        if len(fitting) != 1:
            problem = f"{len(fitting)} runs begin with '{begin}'" if fitting else f"there is no run '{begin}'"
            raise MemoryFileError(f"{memory.path}: {problem}\n  `metagen history list` names them.")
        found += fitting
    return found


def _best(run: RunRecord) -> Iterable[str]:
    ranked = sorted((each for each in run.candidates if each.place is not None), key=lambda each: each.place or 0)
    for candidate in ranked[:BEST_SHOWN]:
        sizes = json.loads(candidate.blueprint)["sizes"]
        metrics = candidate.measurements[-1]["metrics"] if candidate.measurements else {}
        measured = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        axes = ", ".join(f"{name} {length}" for name, length in sizes.items())
        yield f"{candidate.number:5}  {candidate.costs['params']:12,.0f} parameters  {measured}  ({axes})"
