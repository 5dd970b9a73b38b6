"""Deals chunks of candidates to lanes, so that none is idle and few programs are compiled twice."""

import contextlib
import dataclasses
import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.chunks import CannotCompile, OutOfMemory, Part, Segment, Task
from metagen_jax.automl.lanes import Lane, LaneLost
from metagen_jax.automl.programs import MOST_PROGRAMS
from metagen_jax.population.plan import ProgramPlan

Waiting = dict[ProgramPlan, list[Candidate]]


@dataclasses.dataclass(frozen=True)
class Done:
    """What became of some candidates.

    Attributes:
      candidates: a chunk, or all that were to share a program.
      segments: what their training has brought; empty where they could not be trained.
      reason: why they could not, or an empty text.
    """

    candidates: list[Candidate]
    segments: list[Segment]
    reason: str = ""


class _Hand:
    """A thread that does what one lane is given; everything it has to say goes into `events` as (hand, what)."""

    def __init__(self, lane: Lane, events: "queue.SimpleQueue[tuple[_Hand, Any]]"):
        self.lane = lane
        self.num_devices = 0  # not known before it is ready
        self.task: Task | None = None
        self.chunk: list[Candidate] = []
        self.segments: list[Segment] = []
        self.compiled: set[ProgramPlan] = set()
        self.shrunk: dict[ProgramPlan, int] = {}
        self._events = events
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def capacity(self, plan: ProgramPlan) -> int:
        """Candidates of a chunk; 0 where it cannot train a single one."""
        return self.shrunk.get(plan, plan.width * self.num_devices)

    def may_train(self, plan: ProgramPlan) -> bool:
        """Whether it has, or will have, the memory for one candidate."""
        return self.shrunk.get(plan, 1) > 0

    def give(self, task: Task, chunk: list[Candidate]) -> None:
        self.task, self.chunk, self.segments = task, chunk, []
        self.compiled.add(task.program)
        self._orders.put(task)

    def begin(self, plan: ProgramPlan, part: Part) -> None:
        """Has a program compiled in the background."""
        self.compiled.add(plan)
        self._orders.put((plan, part))

    def reply(self, goes_on: bool) -> None:
        """To a segment."""
        self._orders.put(goes_on)

    def close(self) -> None:
        self._orders.put(None)

    def _work(self) -> None:
        try:
            self._events.put((self, self.lane.connect()))
            while (order := self._orders.get()) is not None:
                if isinstance(order, Task):
                    self._events.put((self, self._train(order)))
                else:
                    self.lane.begin(*order)
        except LaneLost as error:
            self._events.put((self, error))

    def _train(self, task: Task) -> Exception | None:
        try:
            with contextlib.closing(self.lane.train(task)) as segments:  # type: ignore[type-var]
                for segment in segments:
                    self._events.put((self, segment))
                    if not self._orders.get():
                        break  # which tells the lane
        except LaneLost:
            raise
        except Exception as error:
            return error
        return None


class Dealer:
    """Has candidates trained on several lanes at once.

    What comes out does not depend on who trains what, because a candidate's numbers do not.

    Args:
      lanes: the first one must not be lost; others may join late and leave early.
      note: told of a lane that was lost.
    """

    def __init__(self, lanes: Sequence[Lane], note: Callable[[str], None]):
        self._note = note
        self._events: queue.SimpleQueue[tuple[_Hand, Any]] = queue.SimpleQueue()
        self._hands = [_Hand(lane, self._events) for lane in lanes]

    def begin(self, plans: Sequence[ProgramPlan], part: Part) -> None:
        """Has each lane compile one of these programs in the background, as far as they go; its work is kept for that lane."""
        for hand, plan in zip(self._hands, plans, strict=False):
            hand.begin(plan, part)

    def train(
        self,
        waiting: Waiting,
        part: Part,
        task_of: Callable[[ProgramPlan, list[Candidate]], Task],
        look: Callable[[list[Candidate], Segment], None],
    ) -> Iterator[Done]:
        """Trains all that wait and yields chunk after chunk.

        Args:
          waiting: the candidates of each program, the dearest first; emptied.
          part: what is asked of them, for what can be prepared.
          task_of: a chunk and what it goes on from.
          look: told every segment; what it raises ends all training.
        """
        if len(self._hands) == 1:  # otherwise everybody would compile everything
            for plan in itertools.islice(waiting, MOST_PROGRAMS):
                self._hands[0].lane.begin(plan, part)
        try:
            yield from self._give_up(waiting)
            steps = part.length.steps - part.first
            while self._give_out(waiting, steps, task_of):
                hand, what = self._events.get()
                if isinstance(what, Segment):
                    hand.segments.append(what)
                    goes_on = False
                    try:
                        look(hand.chunk, what)
                        goes_on = True
                    finally:
                        hand.reply(goes_on)
                else:
                    yield from self._conclude(hand, what, waiting)
                    yield from self._give_up(waiting)
        finally:
            self._call_back()

    def close(self) -> None:
        """No more work for anybody."""
        for hand in self._hands:
            hand.close()
            hand.lane.close()

    def _give_out(self, waiting: Waiting, steps: int, task_of: Callable[[ProgramPlan, list[Candidate]], Task]) -> bool:
        """Gives work to all who have none; whether anything is still to be waited for."""
        for hand in self._hands:
            plan = self._choose(hand, waiting, steps) if hand.num_devices and hand.task is None else None
            if plan is not None:
                count = hand.capacity(plan)
                chunk, waiting[plan] = waiting[plan][:count], waiting[plan][count:]
                hand.give(task_of(plan, chunk), chunk)
        return any(waiting.values()) or any(hand.task for hand in self._hands)

    def _choose(self, hand: _Hand, waiting: Waiting, steps: int) -> ProgramPlan | None:
        """The program with most left to do: of those that the lane has compiled, else of those that nobody has, else of
        those that are worth compiling again."""

        def left_s(plan: ProgramPlan) -> float:  # of one device, as the plan has estimated it
            return plan.step_s * steps * len(waiting[plan])

        def others(plan: ProgramPlan) -> int:
            return sum(plan in other.compiled for other in self._hands if other is not hand)

        open_ = [plan for plan, candidates in waiting.items() if candidates and hand.capacity(plan)]
        own = [plan for plan in open_ if plan in hand.compiled]
        untouched = [plan for plan in open_ if not others(plan)]
        worth_it = [plan for plan in open_ if left_s(plan) > plan.compile_s * others(plan)]
        return max(own or untouched or worth_it, key=left_s, default=None)

    def _conclude(self, hand: _Hand, what: Any, waiting: Waiting) -> Iterator[Done]:
        if isinstance(what, int):  # it has joined
            hand.num_devices = what
            return
        task, chunk, hand.task = hand.task, hand.chunk, None
        if isinstance(what, LaneLost):
            self._hands.remove(hand)
            self._note(f"a process that trains was lost ({what}); the others go on")
            if task is not None:
                waiting[task.program] = chunk + waiting[task.program]
            return
        assert task is not None  # nothing else is said without one
        if what is None:
            yield Done(chunk, hand.segments)
        elif isinstance(what, OutOfMemory):
            hand.shrunk[task.program] = what.capacity
            waiting[task.program] = chunk + waiting[task.program]
        elif isinstance(what, CannotCompile):
            left, waiting[task.program] = waiting[task.program], []
            yield Done(chunk + left, [], f"its program could not be compiled: {what}")
        else:
            raise what

    def _give_up(self, waiting: Waiting) -> Iterator[Done]:
        """Those for whom nobody has the memory."""
        for plan, candidates in waiting.items():
            if candidates and not any(hand.may_train(plan) for hand in self._hands):
                waiting[plan] = []
                yield Done(candidates, [], "out of memory, even alone on one device")

    def _call_back(self) -> None:
        """Ends whatever is still being trained, where somebody has stopped looking."""
        while any(hand.task for hand in self._hands):
            hand, what = self._events.get()
            if isinstance(what, Segment):
                hand.reply(False)
            elif isinstance(what, int):
                hand.num_devices = what
            else:
                hand.task = None
                if isinstance(what, LaneLost):
                    self._hands.remove(hand)
