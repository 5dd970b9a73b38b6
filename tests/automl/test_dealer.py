"""Chunks are dealt to lanes so that each candidate is trained once, whatever lanes come, shrink and go."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.chunks import CannotCompile, Member, OutOfMemory, Part, Segment, Task
from metagen_jax.automl.dealer import Dealer
from metagen_jax.automl.lanes import LaneLost, LocalLane
from metagen_jax.automl.programs import MOST_PROGRAMS
from metagen_jax.automl.rungs import schedule
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.plan import ProgramPlan
from metagen_jax.synth.architecture import Blueprint

BLUEPRINT = Blueprint("vit", {}, {}, {})
PART = Part(0, 20, schedule(20), None)


def program(name: str, width: int = 2, step_s: float = 1.0, compile_s: float = 1.0) -> ProgramPlan:
    return ProgramPlan((name,), {}, "loop", width, step_s=step_s, compile_s=compile_s)


def candidates(*numbers: int) -> list[Candidate]:
    return [Candidate(number, 1, np.zeros(1), BLUEPRINT, {}) for number in numbers]


def task_of(plan: ProgramPlan, chunk: list[Candidate]) -> Task:
    return Task(plan, tuple(Member(candidate.number, candidate.blueprint) for candidate in chunk), PART)


def numbers(task: Task) -> list[int]:
    return [member.number for member in task.members]


@dataclasses.dataclass
class StandIn:
    """A lane that trains nothing; its faults are those that it is given."""

    devices: int = 1
    fits: int = 100
    lost_at: int = 10**9  # the task with which it goes away
    refuses: str = ""
    begun: list[str] = dataclasses.field(default_factory=list)
    tasks: list[Task] = dataclasses.field(default_factory=list)
    closed: bool = False

    def connect(self) -> int:
        if self.lost_at == 0:
            raise LaneLost("never came")
        return self.devices

    def begin(self, plan: ProgramPlan, part: Part) -> None:
        self.begun.append(plan.structure[0])

    def train(self, task: Task) -> Iterator[Segment]:
        self.tasks.append(task)
        if len(self.tasks) == self.lost_at:
            raise LaneLost("gone")
        if task.program.structure[0] == self.refuses:
            raise CannotCompile("no such instruction")
        if len(task.members) > self.fits:
            raise OutOfMemory(min(self.fits, len(task.members) // 2))
        count = len(task.members)
        for last in (10, 20):
            yield Segment(last, np.zeros((10, count)), np.zeros(count), np.zeros(count), np.ones(count, bool))

    def close(self) -> None:
        self.closed = True


def train(lanes: list[StandIn], waiting: dict[ProgramPlan, list[Candidate]], look=lambda chunk, segment: None):
    dealer, notes = None, []
    dealer = Dealer(lanes, notes.append)
    done = list(dealer.train(waiting, PART, task_of, look))
    dealer.close()
    assert all(lane.closed for lane in lanes if lane.lost_at > 100)
    return done, notes


@pytest.mark.parametrize("num_lanes", [1, 2, 5])
def test_every_candidate_is_trained_once_in_its_own_program(num_lanes: int):
    lanes = [StandIn(devices=1 + i % 2) for i in range(num_lanes)]
    waiting = {program("a"): candidates(*range(7)), program("b", width=1): candidates(*range(7, 10))}
    done, _ = train(lanes, waiting)
    assert sorted(c.number for one in done for c in one.candidates) == list(range(10))
    assert all([segment.last for segment in one.segments] == [10, 20] and not one.reason for one in done)
    for lane in lanes:
        for task in lane.tasks:
            assert all((number >= 7) == (task.program.structure == ("b",)) for number in numbers(task))
            assert len(task.members) <= task.program.width * lane.devices


def test_one_lane_has_all_programs_compiled_ahead_and_several_compile_what_they_train():
    waiting = {program("a"): candidates(0), program("b"): candidates(1)}
    alone = StandIn()
    train([alone], dict(waiting))
    assert alone.begun == ["a", "b"]
    several = [StandIn(), StandIn()]
    train(several, dict(waiting))
    assert not several[0].begun and not several[1].begun


def test_a_lane_takes_a_program_that_nobody_has_compiled_before_it_compiles_one_again():
    lanes = [StandIn(), StandIn()]
    dealer = Dealer(lanes, lambda note: None)
    waiting = {program("long", 1, step_s=100.0): candidates(*range(4)), program("short", 1): candidates(*range(4, 8))}
    for hand in dealer._hands:
        hand.num_devices = 1  # both have joined
    list(dealer.train(waiting, PART, task_of, lambda chunk, segment: None))
    assert {lane.tasks[0].program.structure for lane in lanes} == {("long",), ("short",)}


def test_what_a_lane_has_begun_beforehand_is_trained_by_it():
    lanes = [StandIn(), StandIn(), StandIn()]
    dealer = Dealer(lanes, lambda note: None)
    short, long = program("short", 1), program("long", 1, step_s=100.0)
    dealer.begin([short, long], PART)
    for hand in dealer._hands[:2]:
        hand.num_devices = 1  # both have joined
    waiting = {long: candidates(0, 1), short: candidates(2, 3)}
    list(dealer.train(waiting, PART, task_of, lambda chunk, segment: None))
    assert [lane.begun for lane in lanes] == [["short"], ["long"], []]
    assert [lane.tasks[0].program for lane in lanes[:2]] == [short, long]


def test_what_cannot_be_begun_is_an_error_of_its_training():
    class Broken:
        mesh = population_mesh(1)

        def begin(self, plan: ProgramPlan, part: Part) -> None:
            raise ValueError("no such fragment")

        def train(self, task: Task) -> Iterator[Segment]:
            self.begin(task.program, task.part)
            yield from ()

    lane = LocalLane(Broken())
    lane.begin(program("a"), PART)  # an error here would end the thread of the lane, and nobody would hear of it
    dealer = Dealer([lane, LocalLane(Broken())], lambda note: None)
    dealer.begin([program("a")], PART)
    with pytest.raises(ValueError, match="no such fragment"):
        list(dealer.train({program("a"): candidates(0)}, PART, task_of, lambda chunk, segment: None))


@pytest.mark.parametrize(("step_s", "shared"), [(100.0, True), (0.001, False)])
def test_a_program_is_compiled_twice_only_where_that_is_worth_it(step_s: float, shared: bool):
    lanes = [StandIn(), StandIn()]
    dealer = Dealer(lanes, lambda note: None)
    for hand in dealer._hands:
        hand.num_devices = 1  # both have joined
    waiting = {program("a", 1, step_s, compile_s=5.0): candidates(*range(20))}
    list(dealer.train(waiting, PART, task_of, lambda chunk, segment: None))
    assert all(any(task.program.structure == ("a",) for task in lane.tasks) for lane in lanes) == shared


def test_what_a_lost_lane_had_begun_is_done_by_the_others():
    lanes = [StandIn(), StandIn(lost_at=1), StandIn(lost_at=0), StandIn(lost_at=3)]
    done, notes = train(lanes, {program(name, width=1): candidates(i, i + 10, i + 20) for i, name in enumerate("abcd")})
    assert sorted(c.number for one in done for c in one.candidates) == sorted(
        i + j for i in range(4) for j in (0, 10, 20)
    )
    assert all(one.segments for one in done)
    assert all("was lost" in note for note in notes)


def test_a_chunk_that_does_not_fit_is_cut_down_and_one_that_never_fits_fails_with_its_reason():
    done, _ = train([StandIn(fits=1)], {program("a", width=4): candidates(*range(5))})
    assert [len(one.candidates) for one in done] == [1] * 5
    done, _ = train([StandIn(fits=0)], {program("a", width=4): candidates(*range(5))})
    assert [len(one.candidates) for one in done] == [5]
    assert done[0].reason == "out of memory, even alone on one device"
    assert not done[0].segments


def test_a_program_that_cannot_be_compiled_fails_all_that_wait_for_it_and_no_others():
    done, _ = train([StandIn(refuses="a")], {program("a"): candidates(*range(5)), program("b"): candidates(5)})
    assert {tuple(c.number for c in one.candidates): bool(one.reason) for one in done} == {
        (0, 1, 2, 3, 4): True,
        (5,): False,
    }


def test_whoever_looks_may_end_all_training_and_begin_again():
    lanes = [StandIn(), StandIn()]
    dealer = Dealer(lanes, lambda note: None)

    def refuse(chunk: list[Candidate], segment: Segment) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(dealer.train({program("a"): candidates(*range(6))}, PART, task_of, refuse))
    done = list(dealer.train({program("a"): candidates(0)}, PART, task_of, lambda chunk, segment: None))
    assert [c.number for one in done for c in one.candidates] == [0]


def test_a_bug_in_a_lane_is_raised_as_it_is():
    class Broken(StandIn):
        def train(self, task: Task) -> Iterator[Segment]:
            raise ZeroDivisionError
            yield

    with pytest.raises(ZeroDivisionError):
        train([Broken()], {program("a"): candidates(0)})


def test_not_more_is_compiled_ahead_than_a_process_holds():
    lane = StandIn()
    waiting = {program(f"p{number}"): candidates(number) for number in range(MOST_PROGRAMS + 3)}
    list(Dealer([lane], lambda note: None).train(waiting, PART, task_of, lambda chunk, segment: None))
    assert lane.begun == [f"p{number}" for number in range(MOST_PROGRAMS)]
    assert len(lane.tasks) == MOST_PROGRAMS + 3
