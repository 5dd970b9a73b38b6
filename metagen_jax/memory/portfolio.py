"""The portfolio: what worked in runs that were recorded elsewhere; it ships with the package."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from metagen_jax.memory.records import RunRecord
from metagen_jax.memory.store import Task

SHIPPED = Path(__file__).with_name("portfolio.json")
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Entry:
    """A few candidates for one spec, family and budget.

    Attributes:
      family: of all of them.
      run: the spec, its features and the candidates, numbered and placed in the order in which they were chosen.
      sources: of each candidate the id of the run that it was chosen for, and its number there.
    """

    family: str
    run: RunRecord
    sources: tuple[tuple[str, int], ...]


class Portfolio:
    """Entries, to be looked into like a memory.

    Args:
      entries: what it has.

    Examples:
      >>> portfolio = Portfolio([entry for entry in read_portfolio() if entry.family == "vit"])
      >>> [task.task for task in portfolio.tasks()]
      ['image -> label']
      >>> portfolio.load(portfolio.tasks()[0].run, best=2).candidates[1].place
      1
    """

    def __init__(self, entries: Sequence[Entry]):
        self._runs = {entry.run.id: entry.run for entry in entries}

    def tasks(self) -> list[Task]:
        """What each entry is about, in the order of their ids."""
        return [Task(id, run.task, run.features) for id, run in sorted(self._runs.items())]

    def load(self, run: str, best: int | None = None) -> RunRecord:
        """One entry's run, with all its candidates or with the `best` first ones.

        Raises:
          KeyError: there is none with this id.
        """
        found = self._runs[run]
        return dataclasses.replace(found, candidates=found.candidates[:best])


def read_portfolio(file: Path = SHIPPED) -> list[Entry]:
    """The entries of a file that `portfolio_text` wrote.

    Raises:
      ValueError: it has another format.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"{file} has format {content['format']}, and this program reads {FORMAT}.")
    return [
        Entry(
            each["family"],
            RunRecord.from_json(json.dumps(each["run"])),
            tuple((run, number) for run, number in each["sources"]),
        )
        for each in content["entries"]
    ]


def portfolio_text(entries: Sequence[Entry], about: Mapping[str, object]) -> str:
    """The text of a file of entries, sorted by name, family and id.

    Args:
      about: what the file says of itself: how it was made, by which versions.
    """
    ordered = sorted(entries, key=lambda entry: (entry.run.name, entry.family, entry.run.id))
    content = {"format": FORMAT, **about, "entries": [dataclasses.asdict(entry) for entry in ordered]}
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
