"""Populations trained inside this process: the one place where the campaign touches the trainer's constructor."""

import dataclasses
from collections.abc import Sequence
from unittest import mock

import jax
import numpy as np

from metagen_jax.automl import prototype_trainer
from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.chunks import ChunkTrainer, Member
from metagen_jax.automl.pipeline import Options, Prepared, prepare
from metagen_jax.automl.planning import new_plan
from metagen_jax.automl.progress import Silent
from metagen_jax.automl.prototype_trainer import PrototypeTrainer
from metagen_jax.automl.rungs import schedule
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.weights import Weights
from metagen_jax.spec import load_spec
from metagen_jax.synth.modalities import HYPERPARAMETER
from tests.runs import ROOT, TINY

STEPS = 20
HOST_DEVICES = 8  # of the process: meshes of eight, two and one of them are compared
WIDTH = 4  # candidates of a chunk on each device


class PoisonedTrainer(ChunkTrainer):
    """Starts the candidates with these numbers from weights that are not numbers."""

    poisoned: frozenset[int] = frozenset()

    def initial_weights(self, members: Sequence[Member]) -> list[Weights]:
        return [
            {path: np.full_like(value, np.nan) for path, value in weights.items()}
            if member.number in self.poisoned
            else weights
            for member, weights in zip(members, super().initial_weights(members), strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class Trained:
    """Candidates after their prototype training.

    Attributes:
      candidates: by number.
      chunks: the numbers of the candidates that were trained together.
    """

    candidates: dict[int, Candidate]
    chunks: list[list[int]]


def prepared(kind: str) -> Prepared:
    """The tiny spec of the tests with its data and space."""
    file, overrides = TINY[kind]
    return prepare(load_spec(ROOT / file, overrides))


def make_trainer(prepared: Prepared, num_devices: int) -> PrototypeTrainer:
    """A trainer on so many devices."""
    mesh, plan = population_mesh(num_devices), new_plan(prepared, Options())
    wide = dataclasses.replace(plan, programs=tuple(dataclasses.replace(p, width=WIDTH) for p in plan.programs))
    with mock.patch.object(prototype_trainer, "ChunkTrainer", PoisonedTrainer):
        return PrototypeTrainer(prepared.space, prepared.dataset, jax.random.key(0), mesh, wide, Silent())


def sample_candidates(prepared: Prepared, count: int, seed: int) -> list[Candidate]:
    """Candidates within the limits with the numbers 0, 1, ..."""
    rng, space = np.random.default_rng(seed), prepared.space
    genotypes = space.feasible_networks()
    genotypes = genotypes[rng.integers(len(genotypes), size=count)]
    for column, dimension in enumerate(space.dimensions):
        if dimension.kind == HYPERPARAMETER:
            genotypes[:, column] = rng.integers(len(dimension.values), size=count)
    flops = space.compiled_cost(genotypes).flops
    return [
        Candidate(i, 1, genotype, space.blueprint(genotype), {"flops": float(flops[i])})
        for i, genotype in enumerate(genotypes)
    ]


def train(
    trainer: PrototypeTrainer, candidates: Sequence[Candidate], poisoned: frozenset[int] = frozenset()
) -> Trained:
    """Trains copies of the candidates in the order given."""
    copies = [dataclasses.replace(candidate) for candidate in candidates]
    chunks: list[list[int]] = []
    PoisonedTrainer.poisoned = poisoned
    trainer.train_prototypes(
        copies, schedule(STEPS), lambda chunk: chunks.append([candidate.number for candidate in chunk])
    )
    return Trained({candidate.number: candidate for candidate in copies}, chunks)


def bits(candidate: Candidate) -> tuple[bytes, str, str]:
    """All that was measured of a candidate: losses and scores bit for bit, and its status."""
    losses = np.asarray(candidate.losses, np.float32).tobytes()
    return losses, repr([(score.step, sorted(score.metrics.items())) for score in candidate.scores]), candidate.status


def largest_difference(first: Candidate, second: Candidate) -> float:
    """Of the losses of one candidate in two trainings, relative to the first."""
    losses = np.asarray([first.losses, second.losses], np.float64)
    return float(np.nanmax(np.abs(losses[1] - losses[0]) / np.abs(losses[0]), initial=0.0))
