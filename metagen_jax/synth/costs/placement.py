"""How much room values take that cannot be moved while they are needed."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True)
class Life:
    """From when to when so many bytes are needed, both inclusive."""

    size: float
    first: int
    last: int


def most_alive(lives: Sequence[Life]) -> float:
    """The most bytes that are needed at once."""
    change: dict[int, float] = {}
    for life in lives:
        change[life.first] = change.get(life.first, 0) + life.size
        change[life.last + 1] = change.get(life.last + 1, 0) - life.size
    return max(itertools.accumulate(change[time] for time in sorted(change)), default=0)


def room(lives: Sequence[Life]) -> float:
    """The bytes that XLA reserves: from the largest to the smallest, each gets the tightest gap that it fits into."""
    placed: list[tuple[float, float, Life]] = []
    for life in sorted(lives, key=lambda each: (-each.size, each.first - each.last)):
        low = _lowest(life.size, sorted((low, high) for low, high, other in placed if _meet(life, other)))
        placed.append((low, low + life.size, life))
    return max((high for _, high, _ in placed), default=0)


def _meet(one: Life, other: Life) -> bool:
    return one.first <= other.last and other.first <= one.last


def _lowest(size: float, taken: Iterable[tuple[float, float]]) -> float:
    """Where the tightest gap between what is taken begins; the top if there is none."""
    gaps, top = [], 0.0
    for low, high in taken:
        if low - top >= size:
            gaps.append((low - top, top))
        top = max(top, high)
    return min(gaps)[1] if gaps else top
