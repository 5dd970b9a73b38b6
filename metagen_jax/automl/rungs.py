"""How long a population is trained, and after which steps part of it is stopped."""

import dataclasses
import math

from metagen_jax.spec import Search

LONGEST_SEGMENT = 50  # steps between two returns to Python: progress, scores, time limit


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Segments of equal length and the rungs among their ends.

    Attributes:
      steps: of the whole training.
      segment: steps between two validations; only the last segment may be shorter.
      rungs: after so many steps only the best of those that got there go on; the last rung is `steps`.
      reduction_factor: one in so many goes on.
    """

    steps: int
    segment: int
    rungs: tuple[int, ...]
    reduction_factor: int = 1

    def survivors(self, num_candidates: int, rung: int) -> int:
        """How many of a round go on after a rung: at least one."""
        return max(1, num_candidates // self.reduction_factor ** (rung + 1))


def schedule(steps: int, num_rungs: int = 1, reduction_factor: int = 3) -> Schedule:
    """Successive halving in `num_rungs` rungs (Jamieson and Talwalkar, 2016): each is `reduction_factor` times as long.

    Rungs end with a segment, because that is where candidates are validated; rungs that fall together are one.

    Examples:
      >>> schedule(90, num_rungs=3, reduction_factor=3).rungs
      (10, 30, 90)
      >>> schedule(120)
      Schedule(steps=120, segment=40, rungs=(120,), reduction_factor=3)
    """
    first = math.ceil(steps / reduction_factor ** (num_rungs - 1))
    segment = math.ceil(first / math.ceil(first / LONGEST_SEGMENT))
    ends = [math.ceil(first * reduction_factor**rung / segment) * segment for rung in range(num_rungs - 1)]
    return Schedule(steps, segment, (*sorted({end for end in ends if end < steps}), steps), reduction_factor)


def schedule_of(search: Search) -> Schedule:
    """That of the prototypes of a search."""
    return schedule(search.prototype_steps, search.rungs, search.reduction_factor)
