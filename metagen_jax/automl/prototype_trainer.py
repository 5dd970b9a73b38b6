"""Trains candidates as populations, in the programs of a plan."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from metagen_jax.automl.candidate import FAILED, TRAINED, Candidate, Score
from metagen_jax.automl.progress import Progress
from metagen_jax.data import Dataset
from metagen_jax.errors import RunError
from metagen_jax.population.plan import Plan, ProgramPlan
from metagen_jax.population.program import Hyperparameters, Job, Population, Program
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth import codegen
from metagen_jax.synth.space import SearchSpace

LONGEST_SEGMENT = 50  # steps between two returns to Python: progress, scores, time limit


class OutOfTime(RunError):
    """The time limit has passed; a search that has something to show for it goes on to the finalists."""


@dataclasses.dataclass(frozen=True)
class Length:
    """How long to train: `steps` in `segments` equal parts; the last one may end early."""

    steps: int

    @property
    def segments(self) -> int:
        return math.ceil(self.steps / LONGEST_SEGMENT)

    @property
    def segment(self) -> int:
        """Steps of a part."""
        return math.ceil(self.steps / self.segments)


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
        self._programs: dict[tuple[Any, ...], Program] = {}
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
        self, candidates: Sequence[Candidate], steps: int, record: Callable[[list[Candidate]], None]
    ) -> None:
        """Trains the candidates for `steps` steps and writes losses, scores and status into them.

        `record` is called with each chunk as soon as it is measured.
        """
        for chunk, program in self._chunks(candidates):
            self._train(program, chunk, Length(steps), self._space.modality.search_examples)
            record(chunk)
            self._progress.trained(chunk)

    def train_finalists(self, finalists: Sequence[Candidate], steps: int) -> list[Weights]:
        """Trains each from its initial weights again, with the full schedule; returns the trained weights.

        Allocated for these candidates alone, one on each device: long training is worth a program with less padding.
        """
        trained: dict[int, Weights] = {}
        allocated = {axis: max(c.blueprint.sizes[axis] for c in finalists) for axis in self._space.largest}
        for group in _grouped(finalists, lambda c: self._space.structure_key(c.blueprint)).values():
            program = self._program(group[0], allocated, self._plan.programs[0].mode, width=1)
            for chunk in _cut(group, program.capacity):
                population = self._train(program, chunk, Length(steps), None, keep_when_out_of_time=True)
                cut = program.weights(population, [candidate.blueprint.sizes for candidate in chunk])
                trained |= {candidate.number: weights for candidate, weights in zip(chunk, cut, strict=True)}
        return [trained[candidate.number] for candidate in finalists]

    def _chunks(self, candidates: Sequence[Candidate]) -> Iterator[tuple[list[Candidate], Program]]:
        """Yields each program of the plan with the chunks that it takes, the dearest candidates first."""
        for planned, group in _grouped(candidates, self._planned).items():
            program = self._program(group[0], dict(planned.allocated), planned.mode, planned.width)
            ordered = sorted(group, key=lambda candidate: -candidate.costs["flops"])
            for chunk in _cut(ordered, program.capacity):
                yield chunk, program

    def _planned(self, candidate: Candidate) -> ProgramPlan:
        return self._plan.choose(self._space.structure_key(candidate.blueprint), candidate.blueprint.sizes)

    def _program(self, candidate: Candidate, allocated: dict[str, int], mode: str, width: int) -> Program:
        key = (self._space.structure_key(candidate.blueprint), mode, width, tuple(sorted(allocated.items())))
        if key not in self._programs:
            sizes = ", ".join(f"{axis} {length}" for axis, length in allocated.items())
            self._progress.note(f"compiling a program that holds {sizes}; this takes some seconds")
            self._programs[key] = Program(self.structure(candidate), allocated, width, self.mesh, mode)
        return self._programs[key]

    def _train(
        self,
        program: Program,
        chunk: list[Candidate],
        length: Length,
        num_examples: int | None,
        keep_when_out_of_time: bool = False,  # at least one segment is trained then, however late it is
    ) -> Population:
        jobs = [
            Job(c.blueprint.sizes, Hyperparameters(**c.blueprint.hyperparameters), self.initial_weights(c))
            for c in chunk
        ]
        train_batch = self.structure(chunk[0]).module.train_batch
        examples = tuple(array[:num_examples] for array in self._validation)
        population = program.start(jobs)
        curves: list[np.ndarray] = []
        scores: list[list[Score]] = [[] for _ in chunk]
        for first in range(0, length.steps, length.segment):
            if first or not keep_when_out_of_time:
                try:
                    self._check_time()
                except OutOfTime:
                    if not keep_when_out_of_time:
                        raise
                    self._progress.note(f"time limit: finalists stopped after {first} of {length.steps} steps")
                    break
            last = min(first + length.segment, length.steps)
            batches = [train_batch(*self._train_arrays, step) for step in range(first, last)]
            population, losses = program.train(population, batches, length.steps, length.segment)
            curves.append(losses)
            loss, accuracy = program.score(population, examples, self._space.modality.evaluation_batch_size)
            for position, own in enumerate(scores):
                own.append(Score(last, self._space.modality.metrics(float(loss[position]), float(accuracy[position]))))
            self._progress.advance((last - first) * len(chunk))
        alive = program.alive(population)
        for position, candidate in enumerate(chunk):
            candidate.losses = [float(loss) for loss in np.concatenate(curves)[:, position]]
            _conclude(candidate, scores[position], bool(alive[position]))
        return population


def _grouped(candidates: Sequence[Candidate], key: Callable[[Candidate], Any]) -> dict[Any, list[Candidate]]:
    groups: dict[Any, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(key(candidate), []).append(candidate)
    return groups


def _cut(candidates: list[Candidate], length: int) -> list[list[Candidate]]:
    return [candidates[start : start + length] for start in range(0, len(candidates), length)]


def _conclude(candidate: Candidate, scores: list[Score], alive: bool) -> None:
    """Sets scores and status; a candidate that diverged keeps the scores of the time before."""
    step = next((i + 1 for i, loss in enumerate(candidate.losses) if not math.isfinite(loss)), None)
    candidate.scores = [score for score in scores if step is None or score.step < step]
    if alive and all(math.isfinite(value) for value in scores[-1].metrics.values()):
        candidate.status = TRAINED
    else:
        candidate.status = FAILED
        candidate.reason = (
            "the validation loss is not finite" if step is None else f"loss or gradient not finite at step {step}"
        )
