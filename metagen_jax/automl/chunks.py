"""Trains one chunk of candidates in the programs of this process, segment by segment."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from metagen_jax.automl.keys import InitialKey
from metagen_jax.automl.programs import Programs, ran_out_of_memory
from metagen_jax.automl.rungs import Schedule
from metagen_jax.data import Dataset
from metagen_jax.population.plan import ProgramPlan
from metagen_jax.population.program import Hyperparameters, Job, Program, State
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth import codegen
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.modalities import lengths_of
from metagen_jax.synth.space import SearchSpace

MOST_BATCH_BYTES = 2**28  # that are kept from one chunk to the next


class CannotCompile(Exception):
    """XLA or a fragment refused a program; those that it was to train fail, the others go on."""


class OutOfMemory(Exception):
    """A chunk did not fit.

    Attributes:
      capacity: how many candidates a chunk may have from now on; 0 where not even one fits.
    """

    def __init__(self, capacity: int):
        super().__init__(capacity)  # the arguments are what another process gets
        self.capacity = capacity


@dataclasses.dataclass(frozen=True)
class Part:
    """What is trained before anybody looks: from step `first` to step `last` of a schedule.

    Attributes:
      num_examples: validation examples; None: all.
      keeps_states: the last segment brings the states of the candidates along, to be gone on from.
      keeps_weights: the last segment brings their weights along.
    """

    first: int
    last: int
    length: Schedule
    num_examples: int | None
    keeps_states: bool = False
    keeps_weights: bool = False


@dataclasses.dataclass(frozen=True)
class Member:
    """One candidate of a chunk.

    Attributes:
      number: in the run.
      blueprint: what it is.
      initial_key: of its initial weights; None: `fold_in(run_key, number)`.
    """

    number: int
    blueprint: Blueprint
    initial_key: InitialKey | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """A chunk of candidates and what is to be done with it; can be sent to another process.

    Attributes:
      program: what they share.
      members: as many as the program takes, or fewer.
      part: how far they are trained.
      states: what they go on from, one for each; empty: from their initial weights.
    """

    program: ProgramPlan
    members: tuple[Member, ...]
    part: Part
    states: tuple[State, ...] = ()


@dataclasses.dataclass(frozen=True)
class Segment:
    """What some steps of a chunk of N candidates have brought.

    Attributes:
      last: steps taken so far.
      losses: `(steps of this segment, N)` float32, training.
      scores: by name, each `(N,)` float32: the mean over the validation examples after the last of these steps.
      alive: `(N,)` bool, False for a candidate that has diverged.
      states, weights: one for each candidate, where they were asked for.
    """

    last: int
    losses: np.ndarray
    scores: dict[str, np.ndarray]
    alive: np.ndarray
    states: tuple[State, ...] = ()
    weights: tuple[Weights, ...] = ()


class ChunkTrainer:
    """Trains chunks on the devices of this process.

    Args:
      space: where the candidates come from.
      dataset: what they learn from.
      run_key: candidate `i` draws its initial weights from `fold_in(run_key, i)`, unless it has a key of its own.
      mesh: the devices.
      note: told of every compilation and of every chunk that did not fit; may be called from any thread.
    """

    def __init__(
        self,
        space: SearchSpace,
        dataset: Dataset,
        run_key: jax.Array,
        mesh: jax.sharding.Mesh,
        note: Callable[[str], None],
    ):
        self._space, self._run_key = space, run_key
        self.mesh = mesh
        self._structures: dict[tuple[Any, ...], Structure] = {}
        self._programs = Programs(mesh, note)
        self._kept_batches: dict[tuple[Any, ...], list[tuple[np.ndarray, ...]]] = {}
        fixed = lengths_of(space.fixed)
        self._train_arrays = space.modality.train_arrays(dataset)
        self._validation = space.modality.evaluation_arrays(dataset, "validation", fixed)

    def structure(self, key: tuple[Any, ...]) -> Structure:
        """The rendered program of a structure, loaded once."""
        if key not in self._structures:
            module = codegen.load_module(self._space.sources[key])
            self._structures[key] = Structure(module, self._space.family.model_class, self._space.largest)
        return self._structures[key]

    def initial_weights(self, members: Sequence[Member]) -> list[Weights]:
        """The weights that candidates of one structure start from; the same however often and wherever each is trained."""
        structure = self.structure(self._space.structure_key(members[0].blueprint))
        keys = [
            jax.random.fold_in(self._run_key, each.number) if each.initial_key is None else each.initial_key.key()
            for each in members
        ]
        return structure.all_initial_weights(keys, [member.blueprint.sizes for member in members])

    def begin(self, plan: ProgramPlan, part: Part) -> Program:
        """Has a program compiled in the background, unless that has been done."""
        structure = functools.partial(self.structure, plan.structure)

        def compile_(program: Program) -> None:
            batches = [structure().module.train_batch(*self._train_arrays, part.first)]
            program.compile(batches, part.length.segment)
            program.compile_score(self._examples(part), self._space.modality.evaluation_batch_size)

        self._programs.begin(plan, structure, compile_)
        return self._programs.get(plan, structure)

    def train(self, task: Task) -> Iterator[Segment]:
        """Trains a chunk; whoever has seen enough closes the iterator.

        Raises:
          CannotCompile: the program is refused.
          OutOfMemory: a smaller chunk has to be tried.
        """
        try:
            program = self.begin(task.program, task.part)
            population = self._packed(program, task)  # while its program is compiled
            self._wait(task.program)
            yield from self._segments(program, population, task)
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            raise OutOfMemory(self._programs.shrink(task.program)) from error

    def _wait(self, plan: ProgramPlan) -> None:
        try:
            self._programs.wait(plan)
        except Exception as error:  # whatever a fragment does wrong, and whatever XLA says to it
            if ran_out_of_memory(error):
                raise
            raise CannotCompile(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error

    def _packed(self, program: Program, task: Task) -> Any:
        if task.states:
            return program.resume(task.states)
        return program.start(
            [
                Job(member.blueprint.sizes, Hyperparameters(**member.blueprint.hyperparameters), weights)
                for member, weights in zip(task.members, self.initial_weights(task.members), strict=True)
            ]
        )

    def _segments(self, program: Program, population: Any, task: Task) -> Iterator[Segment]:
        part, count = task.part, len(task.members)
        examples, batch_size = self._examples(part), self._space.modality.evaluation_batch_size
        for first in range(part.first, part.last, part.length.segment):
            last = min(first + part.length.segment, part.last)
            batches = self._batches(task.program.structure, first, last)
            population, losses = program.train(population, batches, part.length.steps, part.length.segment)
            scores = program.score(population, examples, batch_size)
            ends, sizes = last == part.last, [member.blueprint.sizes for member in task.members]
            yield Segment(
                last=last,
                losses=losses[:, :count],
                scores={name: score[:count] for name, score in scores.items()},
                alive=program.alive(population)[:count],
                states=tuple(program.states(population, count)) if part.keeps_states and ends else (),
                weights=tuple(program.weights(population, sizes)) if part.keeps_weights and ends else (),
            )

    def _batches(self, key: tuple[Any, ...], first: int, last: int) -> list[tuple[np.ndarray, ...]]:
        """The batches of these steps, which every chunk trains on: kept as far as they are small."""
        wanted = (key, first, last)
        if wanted not in self._kept_batches:
            train_batch = self.structure(key).module.train_batch
            batches = [train_batch(*self._train_arrays, step) for step in range(first, last)]
            num_bytes = len(batches) * sum(array.nbytes for array in batches[0])
            if num_bytes * (1 + len(self._kept_batches)) > MOST_BATCH_BYTES:
                self._kept_batches.clear()
            self._kept_batches[wanted] = batches
        return self._kept_batches[wanted]

    def _examples(self, part: Part) -> tuple[np.ndarray, ...]:
        return tuple(array[: part.num_examples] for array in self._validation)
