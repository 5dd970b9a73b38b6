"""What a search begins with, and where that comes from."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from metagen_jax.automl.keys import InitialKey

MEMORY, PORTFOLIO = "memory", "portfolio"  # of this machine; what ships


@dataclasses.dataclass(frozen=True)
class Start:
    """A candidate to begin with, and where it comes from.

    Attributes:
      genotype: indices into the dimensions of the new space.
      run: id of the run that it worked for.
      name: that of its spec.
      candidate: its number there.
      place: among the candidates of that run, 0 for the best.
      similarity: of the two tasks, from 0 to 1.
      source: `MEMORY` or `PORTFOLIO`.
      initial_key: of the weights that it started from there; None where that is not known.
    """

    genotype: tuple[int, ...]
    run: str
    name: str
    candidate: int
    place: int
    similarity: float
    source: str = MEMORY
    initial_key: InitialKey | None = None

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Start":
        key = content.get("initial_key")
        own = {"genotype": tuple(content["genotype"]), "initial_key": key and InitialKey(*key)}
        return cls(**{**content, **own})


def read_starts(origin: Mapping[str, Any]) -> tuple[Start, ...]:
    """What the search of a run tried first, from the origin of the run or from its manifest."""
    return tuple(Start.from_json(content) for content in origin.get("starts", ()))


def describe(starts: Sequence[Start]) -> list[str]:
    """One line for each run that candidates come from, in the order in which they are tried.

    Examples:
      >>> first, second = (Start((0, place), "1f3a", "digits", 7 + place, place, 0.93) for place in (0, 1))
      >>> describe([first, second])
      ['memory   starts from digits (1f3a), similarity 0.93: candidates 7, 8']
      >>> describe([dataclasses.replace(first, source=PORTFOLIO)])
      ['shipped  starts from digits (1f3a) of the portfolio, similarity 0.93: candidate 7']
    """
    by_run: dict[tuple[str, str], list[Start]] = {}
    for start in starts:
        by_run.setdefault((start.source, start.run), []).append(start)
    return [
        f"{'memory ' if source == MEMORY else 'shipped'}  starts from {own[0].name} ({run})"
        f"{'' if source == MEMORY else ' of the portfolio'}, similarity {own[0].similarity:.2f}: "
        f"candidate{'s' if len(own) > 1 else ''} {', '.join(str(start.candidate) for start in own)}"
        for (source, run), own in by_run.items()
    ]
