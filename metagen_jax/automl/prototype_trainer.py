"""Trains candidates as populations, in the programs of a plan."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from metagen_jax.automl.candidate import FAILED, PROPOSED, STOPPED, TRAINED, Candidate, Score
from metagen_jax.automl.chunks import ChunkTrainer, Member, Part, Segment, Task
from metagen_jax.automl.dealer import Dealer, Done
from metagen_jax.automl.lanes import Lane, LocalLane
from metagen_jax.automl.progress import Progress
from metagen_jax.automl.rungs import Schedule, schedule
from metagen_jax.data import Dataset
from metagen_jax.errors import RunError
from metagen_jax.population.modes import LOOP, VMAP
from metagen_jax.population.plan import Plan, ProgramPlan
from metagen_jax.population.program import State
from metagen_jax.population.training_checkpoints import TrainingCheckpoints
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.space import SearchSpace

LIKELY = 2  # candidates that are expected in a program which is compiled before anything is known of them
NUM_LEGS = 20  # of the finalists' training: as often is the time limit looked at


class OutOfTime(RunError):
    """The time limit has passed; a search that has something to show for it goes on to the finalists."""


class PrototypeTrainer:
    """Trains any candidates of a search space on its data.

    Args:
      space: where the candidates come from.
      dataset: what they learn from.
      run_key: candidate `i` draws its initial weights from `fold_in(run_key, i)`, unless it has a key of its own.
      mesh: the devices of this process.
      plan: which candidates share a program.
      progress: told after every segment.
      check_time: called between segments; raises `OutOfTime`.
      helpers: other processes that train too.

    Examples:
      >>> from metagen_jax.automl.pipeline import Options, prepare
      >>> from metagen_jax.automl.planning import new_plan
      >>> from metagen_jax.automl.progress import Silent
      >>> from metagen_jax.population.devices import population_mesh
      >>> from metagen_jax.spec import load_spec
      >>> few = "architecture.choices={num_layers: 1, d_model: [8, 12], num_heads: 1, head_dim: 8, d_ff: 16}"
      >>> prepared = prepare(load_spec("specs/image_digits_demo.yaml", [few]))
      >>> genotypes = prepared.space.feasible_networks()  # (2, D)
      >>> shown = list(zip(genotypes, prepared.space.blueprints(genotypes), prepared.space.costs_of(genotypes)))
      >>> plan, mesh = new_plan(prepared, Options()), population_mesh(1)
      >>> trainer = PrototypeTrainer(
      ...     prepared.prototypes, prepared.dataset, jax.random.key(0), mesh, plan, Silent()
      ... )
      >>> both = [Candidate(number, 1, *each) for number, each in enumerate(shown)]
      >>> trainer.train_prototypes(both, schedule(20), record=lambda candidates: None)
      >>> [(each.status, len(each.losses), each.losses[-1] < each.losses[0]) for each in both]
      [('trained', 20, True), ('trained', 20, True)]

      With rungs, `promote` says who goes on. What a candidate learns does not depend on the others:

      >>> again = [Candidate(number, 1, *each) for number, each in enumerate(shown)]
      >>> trainer.train_prototypes(again, schedule(20, 2, 2), lambda candidates: None, lambda *rung: {1})
      >>> [(each.status, each.scores[-1].step) for each in again], again[1].losses[:10] == both[1].losses[:10]
      ([('stopped', 10), ('trained', 20)], True)
    """

    def __init__(
        self,
        space: SearchSpace,
        dataset: Dataset,
        run_key: jax.Array,
        mesh: jax.sharding.Mesh,
        plan: Plan,
        progress: Progress,
        check_time: Callable[[], None] = lambda: None,
        helpers: Sequence[Lane] = (),
    ):
        self._space, self._plan = space, plan
        self.mesh = mesh
        self._progress, self._check_time = progress, check_time
        self._here = ChunkTrainer(space, dataset, run_key, mesh, progress.note)
        self._dealer = Dealer([LocalLane(self._here), *helpers], progress.note)

    def structure(self, candidate: Candidate) -> Structure:
        """The rendered program of a candidate's structure, loaded once."""
        return self._here.structure(self._space.structure_key(candidate.prototype))

    def initial_weights(self, candidate: Candidate) -> Weights:
        """The weights that a candidate starts from; the same however often it is trained."""
        return self._here.initial_weights([_member(candidate)])[0]

    def close(self) -> None:
        """Nothing more will be trained; the other processes may go."""
        self._dealer.close()

    def begin_prototypes(self, length: Schedule) -> None:
        """Has the programs in which most candidates are expected compiled in the background, one on each lane."""
        first, *others = sorted(self._plan.programs, key=lambda program: -program.candidates)
        likely = [first, *(program for program in others if program.candidates >= LIKELY)]
        self._dealer.begin(likely, self._part(0, length.rungs[0], length))

    def _part(self, first: int, last: int, length: Schedule) -> Part:
        """Of the training of prototypes."""
        return Part(first, last, length, self._space.modality.search_examples, keeps_states=last < length.steps)

    def train_prototypes(
        self,
        candidates: Sequence[Candidate],
        length: Schedule,
        record: Callable[[list[Candidate]], None],
        promote: Callable[[Sequence[Candidate], int, int], set[int]] = lambda candidates, step, count: set(),
    ) -> None:
        """Trains the candidates that are `PROPOSED` and writes losses, scores and status into them.

        Args:
          candidates: a whole round; those that an earlier run has measured are compared with at the rungs.
          length: steps and rungs.
          record: called with candidates as soon as nothing more will be measured on them.
          promote: the numbers of the `count` candidates that go on, of those with a score at `step`.
        """
        running = [candidate for candidate in candidates if candidate.status == PROPOSED]
        states: dict[int, State] = {}
        first = 0
        for rung, last in enumerate(length.rungs):
            ends = last == length.steps
            part = self._part(first, last, length)
            for done in self._train(running, self._planned, part, states, self._check_time):
                if done.segments and not ends:
                    states |= dict(zip(_numbers(done.candidates), done.segments[-1].states, strict=True))
                self._told([c for c in done.candidates if c.status == FAILED or ends], record)
            running = [candidate for candidate in running if candidate.status == PROPOSED]
            if not ends:
                going_on = promote(candidates, last, length.survivors(len(candidates), rung))
                stopped = [candidate for candidate in running if candidate.number not in going_on]
                for candidate in stopped:
                    candidate.status = STOPPED
                self._told(stopped, record)
                self._progress.advance((length.steps - last) * len(stopped))
                running = [candidate for candidate in running if candidate.number in going_on]
                first = last

    def _told(self, candidates: list[Candidate], record: Callable[[list[Candidate]], None]) -> None:
        if candidates:
            record(candidates)
            self._progress.trained(candidates)

    def train_finalists(
        self, finalists: Sequence[Candidate], steps: int, checkpoints: TrainingCheckpoints | None = None
    ) -> list[Weights]:
        """Trains each from its initial weights again, with the full schedule; returns the trained weights.

        They go side by side, leg by leg, so that a time limit cuts all of them after as many steps; at least one leg is
        trained, however late it is. With `checkpoints` an interrupted training goes on after its last leg.
        """
        for candidate in finalists:
            candidate.status, candidate.reason, candidate.losses, candidate.scores = PROPOSED, "", [], []
        length, programs = schedule(steps), self.programs_of(finalists, steps)
        program_of = dict(zip(_numbers(finalists), programs, strict=True))
        leg = math.ceil(steps / NUM_LEGS / length.segment) * length.segment
        states = self._recalled(finalists, program_of, checkpoints)
        weights: dict[int, Weights] = {}
        while running := [candidate for candidate in finalists if candidate.status == PROPOSED]:
            first = min(len(candidate.losses) for candidate in running)
            if all(c.number in weights for c in running) and not self._has_time(first, steps):
                for candidate in running:
                    candidate.status = TRAINED
                break
            last = min(first + leg, steps)
            part = Part(first, last, length, None, keeps_states=last < steps, keeps_weights=True)
            behind = [candidate for candidate in running if len(candidate.losses) == first]
            for done in self._train(behind, lambda c: program_of[c.number], part, states, check_time=lambda: None):
                if not done.segments:
                    continue
                weights |= dict(zip(_numbers(done.candidates), done.segments[-1].weights, strict=True))
                for candidate, state in zip(done.candidates, done.segments[-1].states, strict=last < steps):
                    states[candidate.number] = state
                    if checkpoints is not None:
                        facts = _facts(candidate, program_of[candidate.number])
                        checkpoints.save(str(candidate.number), last, state, facts)
        return [weights.get(candidate.number, {}) for candidate in finalists]

    def _recalled(
        self,
        finalists: Sequence[Candidate],
        program_of: Mapping[int, ProgramPlan],
        checkpoints: TrainingCheckpoints | None,
    ) -> dict[int, State]:
        """The states from which an interrupted training goes on; what came before them is written into the candidates."""
        states: dict[int, State] = {}
        for candidate in finalists if checkpoints is not None else ():
            saved = checkpoints.latest(str(candidate.number))  # type: ignore[union-attr]
            if saved is None or saved.facts["of"] != _of(candidate, program_of[candidate.number]):
                continue
            candidate.losses = saved.facts["losses"]
            candidate.scores = [Score(step, metrics) for step, metrics in saved.facts["scores"]]
            states[candidate.number] = saved.state
            self._progress.note(f"candidate {candidate.number} goes on after {saved.step} steps")
            self._progress.advance(saved.step)
        return states

    def _planned(self, candidate: Candidate) -> ProgramPlan:
        return self._plan.choose(self._space.structure_key(candidate.prototype), candidate.prototype.sizes)

    def programs_of(self, finalists: Sequence[Candidate], steps: int) -> list[ProgramPlan]:
        """The program that each finalist is trained in, for so many steps.

        Side by side in one program that is allocated for all of them. One after the other each in a program of its own,
        without padding, where that is expected to save more time than its compilation takes; depends on the plan and
        the candidate alone.
        """
        if self._plan.programs[0].mode == LOOP:
            return [self._alone_or_shared(candidate.prototype, steps) for candidate in finalists]
        allocated = {axis: max(c.prototype.sizes[axis] for c in finalists) for axis in self._space.largest}
        width = math.ceil(len(finalists) / self.mesh.size)
        return [
            dataclasses.replace(self._planned(candidate), allocated=allocated, width=width) for candidate in finalists
        ]

    def _alone_or_shared(self, blueprint: Blueprint, steps: int) -> ProgramPlan:
        key, sizes = self._space.structure_key(blueprint), blueprint.sizes
        shared = self._plan.choose(key, sizes)
        model = self._space.cost_models[key]
        executed = {axis: sizes[axis] if axis in model.layer_axes else n for axis, n in shared.allocated.items()}
        true_flops, executed_flops = (
            float(model.compiled({axis: np.array([n]) for axis, n in own.items()}).training_flops[0])
            for own in (sizes, executed)
        )
        step_s = shared.step_s * true_flops / executed_flops
        if shared.compile_s + steps * step_s > steps * shared.step_s:
            return shared
        return dataclasses.replace(shared, allocated=sizes, step_s=step_s)

    def _has_time(self, taken: int, steps: int) -> bool:
        try:
            self._check_time()
        except OutOfTime:
            self._progress.note(f"time limit: finalists stopped after {taken} of {steps} steps")
            return False
        return True

    def _train(
        self,
        candidates: Sequence[Candidate],
        planned: Callable[[Candidate], ProgramPlan],
        part: Part,
        states: Mapping[int, State],
        check_time: Callable[[], None],
    ) -> Iterator[Done]:
        """Trains a part, the dearest candidates of each program first, and yields chunk after chunk.

        Raises:
          OutOfTime: by `check_time`, before a chunk or between two segments; what is not through is lost.
        """

        def task_of(plan: ProgramPlan, chunk: list[Candidate]) -> Task:
            check_time()
            own = tuple(states[number] for number in _numbers(chunk) if number in states)
            return Task(plan, tuple(map(_member, chunk)), part, own)

        def look(chunk: list[Candidate], segment: Segment) -> None:
            self._progress.advance(len(segment.losses) * len(chunk))
            if segment.last < part.last:
                check_time()

        waiting: dict[ProgramPlan, list[Candidate]] = {}
        for candidate in sorted(candidates, key=lambda candidate: -candidate.costs["flops"]):
            waiting.setdefault(planned(candidate), []).append(candidate)
        for plan in waiting:
            if plan.mode == VMAP:  # a chunk takes as long as its deepest member
                waiting[plan].sort(key=self._depths, reverse=True)
        for done in self._dealer.train(waiting, part, task_of, look):
            self._write(done, part)
            yield done

    def _depths(self, candidate: Candidate) -> tuple[int, ...]:
        model = self._space.cost_models[self._space.structure_key(candidate.prototype)]
        return tuple(candidate.prototype.sizes[axis] for axis in model.layer_axes)

    def _write(self, done: Done, part: Part) -> None:
        """Writes what became of candidates into them."""
        if not done.segments:
            for candidate in done.candidates:
                candidate.status, candidate.reason = FAILED, done.reason
            return
        metrics = self._space.modality.metrics
        losses = np.concatenate([segment.losses for segment in done.segments])
        for position, candidate in enumerate(done.candidates):
            candidate.losses = candidate.losses + [float(loss) for loss in losses[:, position]]
            candidate.scores = candidate.scores + [
                Score(segment.last, metrics({name: float(score[position]) for name, score in segment.scores.items()}))
                for segment in done.segments
            ]
            _conclude(candidate, bool(done.segments[-1].alive[position]), ends=part.last == part.length.steps)


def _member(candidate: Candidate) -> Member:
    return Member(candidate.number, candidate.prototype, candidate.initial_key)


def _of(candidate: Candidate, program: ProgramPlan) -> str:
    """What a state belongs to: it fits into no other program."""
    return f"{candidate.prototype.id} {program.mode} {sorted(program.allocated.items())}"


def _facts(candidate: Candidate, program: ProgramPlan) -> dict[str, Any]:
    return {
        "of": _of(candidate, program),
        "losses": candidate.losses,
        "scores": [[score.step, score.metrics] for score in candidate.scores],
    }


def _numbers(candidates: Sequence[Candidate]) -> list[int]:
    return [candidate.number for candidate in candidates]


def _conclude(candidate: Candidate, alive: bool, ends: bool) -> None:
    """Sets scores and status; a candidate that diverged keeps the scores of the time before."""
    step = next((i + 1 for i, loss in enumerate(candidate.losses) if not math.isfinite(loss)), None)
    finite = alive and all(math.isfinite(value) for value in candidate.metrics.values())
    candidate.scores = [score for score in candidate.scores if step is None or score.step < step]
    if not finite:
        candidate.status = FAILED
        candidate.reason = (
            "the validation loss is not finite" if step is None else f"loss or gradient not finite at step {step}"
        )
    elif ends:
        candidate.status = TRAINED
