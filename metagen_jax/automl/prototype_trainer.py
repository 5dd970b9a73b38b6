"""Trains candidates as populations, in the programs of a plan."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from metagen_jax.automl.candidate import FAILED, PROPOSED, STOPPED, TRAINED, Candidate, Score
from metagen_jax.automl.programs import Programs, ran_out_of_memory
from metagen_jax.automl.progress import Progress
from metagen_jax.automl.rungs import Schedule, schedule
from metagen_jax.data import Dataset
from metagen_jax.errors import RunError
from metagen_jax.population.plan import Plan, ProgramPlan
from metagen_jax.population.program import Hyperparameters, Job, Population, Program
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth import codegen
from metagen_jax.synth.space import SearchSpace


class OutOfTime(RunError):
    """The time limit has passed; a search that has something to show for it goes on to the finalists."""


class CannotCompile(Exception):
    """XLA or a fragment refused a program; those that it was to train fail, the others go on."""


class PrototypeTrainer:
    """Trains any candidates of a search space on its data.

    Args:
      space: where the candidates come from.
      dataset: what they learn from.
      run_key: candidate `i` draws its initial weights from `fold_in(run_key, i)`.
      mesh: the devices.
      plan: which candidates share a program.
      progress: told after every segment.
      check_time: called between segments; raises `OutOfTime`.
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
    ):
        self._space = space
        self._run_key = run_key
        self.mesh = mesh
        self._progress = progress
        self._check_time = check_time
        self._plan = plan
        self._structures: dict[tuple[Any, ...], Structure] = {}
        self._programs = Programs(mesh, progress)
        modality, fixed = space.modality, {field.name: field.value for field in space.fixed}
        self._train_arrays = modality.train_arrays(dataset)
        self._validation = modality.evaluation_arrays(dataset, "validation", fixed)

    def structure(self, candidate: Candidate) -> Structure:
        """The rendered program of a candidate's structure, loaded once."""
        key = self._space.structure_key(candidate.blueprint)
        if key not in self._structures:
            module = codegen.load_module(self._space.sources[key])
            self._structures[key] = Structure(module, self._space.family.model_class, self._space.largest)
        return self._structures[key]

    def initial_weights(self, candidate: Candidate) -> Weights:
        """The weights that a candidate starts from; the same however often it is trained."""
        key = jax.random.fold_in(self._run_key, candidate.number)
        return self.structure(candidate).initial_weights(key, candidate.blueprint.sizes)

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
        states: dict[int, Population] = {}
        first = 0
        for rung, last in enumerate(length.rungs):
            part = Part(first, last, length, self._space.modality.search_examples)
            for chunk, program, population in self._train_all(running, self._planned, part, states):
                if population is not None and last < length.steps:
                    states |= dict(zip(_numbers(chunk), program.states(population, len(chunk)), strict=True))
                self._told([c for c in chunk if c.status == FAILED or last == length.steps], record)
            running = [candidate for candidate in running if candidate.status == PROPOSED]
            if last < length.steps:
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

    def train_finalists(self, finalists: Sequence[Candidate], steps: int) -> list[Weights]:
        """Trains each from its initial weights again, with the full schedule; returns the trained weights.

        Allocated for these candidates alone, one on each device: long training is worth a program with less padding.
        """
        trained: dict[int, Weights] = {}
        allocated = {axis: max(c.blueprint.sizes[axis] for c in finalists) for axis in self._space.largest}
        mode = self._plan.programs[0].mode
        for candidate in finalists:
            candidate.status, candidate.reason, candidate.losses, candidate.scores = PROPOSED, "", [], []
        part = Part(0, steps, schedule(steps), None, keep_when_out_of_time=True)

        def planned(candidate: Candidate) -> ProgramPlan:
            return ProgramPlan(self._space.structure_key(candidate.blueprint), allocated, mode, width=1)

        for chunk, program, population in self._train_all(finalists, planned, part, {}):
            if population is None:
                continue
            cut = program.weights(population, [candidate.blueprint.sizes for candidate in chunk])
            trained |= dict(zip(_numbers(chunk), cut, strict=True))
        return [trained.get(candidate.number, {}) for candidate in finalists]

    def _planned(self, candidate: Candidate) -> ProgramPlan:
        return self._plan.choose(self._space.structure_key(candidate.blueprint), candidate.blueprint.sizes)

    # -- chunks -------------------------------------------------------------------------------------------------------

    def _train_all(
        self,
        candidates: Sequence[Candidate],
        planned: Callable[[Candidate], ProgramPlan],
        part: "Part",
        states: Mapping[int, Population],
    ) -> Iterator[tuple[list[Candidate], Program, Population | None]]:
        """Trains all, the dearest of each program first, and yields chunk after chunk.

        A program that cannot be compiled, or has no memory for one candidate on one device, fails those that it was to
        train: they are yielded with None, and the others go on.
        """
        groups: dict[ProgramPlan, list[Candidate]] = {}
        for candidate in sorted(candidates, key=lambda candidate: -candidate.costs["flops"]):
            groups.setdefault(planned(candidate), []).append(candidate)
        for plan, waiting in groups.items():
            self._begin(plan, waiting[0], part)
        for plan, waiting in groups.items():
            while waiting:
                program = self._begin(plan, waiting[0], part)
                chunk, population = waiting[: program.capacity], None
                try:
                    packed = self._packed(program, chunk, states)  # while its program is compiled
                    self._wait(plan)
                    population = self._train(program, packed, chunk, part)
                except CannotCompile as error:
                    chunk = waiting
                    _fail(chunk, f"its program could not be compiled: {error}")
                except Exception as error:
                    if not ran_out_of_memory(error):
                        raise
                    if self._programs.shrink(plan):
                        continue
                    chunk = waiting
                    _fail(chunk, "out of memory, even alone on one device")
                waiting = waiting[len(chunk) :]
                yield chunk, program, population

    def _begin(self, plan: ProgramPlan, candidate: Candidate, part: "Part") -> Program:
        """Has the program compiled in the background, unless that has been done."""
        structure = functools.partial(self.structure, candidate)

        def compile_(program: Program) -> None:
            batches = [structure().module.train_batch(*self._train_arrays, part.first)]
            program.compile(batches, part.length.segment)
            examples = tuple(array[: part.num_examples] for array in self._validation)
            program.compile_score(examples, self._space.modality.evaluation_batch_size)

        self._programs.begin(plan, structure, compile_)
        return self._programs.get(plan, structure)

    def _wait(self, plan: ProgramPlan) -> None:
        try:
            self._programs.wait(plan)
        except Exception as error:  # whatever a fragment does wrong, and whatever XLA says to it
            if ran_out_of_memory(error):
                raise
            raise CannotCompile(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error

    def _train(self, program: Program, population: Population, chunk: list[Candidate], part: "Part") -> Population:
        train_batch = self.structure(chunk[0]).module.train_batch
        examples = tuple(array[: part.num_examples] for array in self._validation)
        curves: list[np.ndarray] = []
        scores: list[list[Score]] = [[] for _ in chunk]
        steps, segment = part.length.steps, part.length.segment
        for first in range(part.first, part.last, segment):
            if not self._has_time(part, first):
                break
            last = min(first + segment, part.last)
            batches = [train_batch(*self._train_arrays, step) for step in range(first, last)]
            population, losses = program.train(population, batches, steps, segment)
            curves.append(losses)
            loss, accuracy = program.score(population, examples, self._space.modality.evaluation_batch_size)
            for position, own in enumerate(scores):
                own.append(Score(last, self._space.modality.metrics(float(loss[position]), float(accuracy[position]))))
            self._progress.advance((last - first) * len(chunk))
        alive = program.alive(population)
        for position, candidate in enumerate(chunk):
            candidate.losses = candidate.losses + [float(loss) for loss in np.concatenate(curves)[:, position]]
            candidate.scores = candidate.scores + scores[position]
            _conclude(candidate, bool(alive[position]), ends=part.last == steps)
        return population

    def _packed(self, program: Program, chunk: list[Candidate], states: Mapping[int, Population]) -> Population:
        if chunk[0].number in states:
            return program.resume([states[candidate.number] for candidate in chunk])
        return program.start(
            [
                Job(c.blueprint.sizes, Hyperparameters(**c.blueprint.hyperparameters), self.initial_weights(c))
                for c in chunk
            ]
        )

    def _has_time(self, part: "Part", first: int) -> bool:
        """Whether one more segment may be trained.

        Raises:
          OutOfTime: no more time, and what has been trained is not to be kept.
        """
        if part.keep_when_out_of_time and first == part.first:
            return True  # at least one segment is trained, however late it is
        try:
            self._check_time()
        except OutOfTime:
            if not part.keep_when_out_of_time:
                raise
            self._progress.note(f"time limit: finalists stopped after {first} of {part.length.steps} steps")
            return False
        return True


@dataclasses.dataclass(frozen=True)
class Part:
    """What is trained before anybody looks: from step `first` to step `last` of a schedule.

    Attributes:
      num_examples: validation examples; None: all.
      keep_when_out_of_time: a time limit ends the training instead of throwing it away.
    """

    first: int
    last: int
    length: Schedule
    num_examples: int | None
    keep_when_out_of_time: bool = False


def _numbers(candidates: Sequence[Candidate]) -> list[int]:
    return [candidate.number for candidate in candidates]


def _fail(candidates: Sequence[Candidate], reason: str) -> None:
    for candidate in candidates:
        candidate.status, candidate.reason = FAILED, reason


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
