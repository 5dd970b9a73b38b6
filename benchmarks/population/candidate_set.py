"""What every peer trains: the candidates, their initial weights and the batches, as plain numpy arrays."""

import dataclasses
import pathlib
import pickle
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Member:
    """One candidate.

    Attributes:
      number: its position in the set, which decides its initial weights.
      genotype: `(D,)` int32, its place in the search space.
      sizes: length of each searched axis.
      hyperparameters: learning_rate, weight_decay, warmup_steps.
      flops: of one forward pass over one example.
      weights: initial weights at true sizes, by their path in the rendered model; empty if no peer is to train it.
    """

    number: int
    genotype: np.ndarray
    sizes: dict[str, int]
    hyperparameters: dict[str, float]
    flops: float
    weights: dict[tuple[Any, ...], np.ndarray]

    @property
    def shape(self) -> tuple[tuple[str, int], ...]:
        """What two candidates have in common that can share a program without padding."""
        return tuple(sorted(self.sizes.items()))


@dataclasses.dataclass(frozen=True)
class CandidateSet:
    """Heterogeneous candidates of one structure; any script can read it without importing JAX.

    Attributes:
      family: the kind of network.
      spec: path of the spec below the repository's root.
      overrides: what is set differently, as on the command line.
      source: the rendered program that all members share.
      fixed: the integers of the architecture that are not searched.
      members: the candidates to train.
      others: genotypes of as many other candidates, for the round that must not compile anything.
      batches: arrays of each step: `(batch, ...)`.
      rounds: the engine plans for a search of so many rounds like this.
    """

    family: str
    spec: str
    overrides: tuple[str, ...]
    source: str
    fixed: dict[str, int]
    members: list[Member]
    others: np.ndarray
    batches: list[tuple[np.ndarray, ...]]
    rounds: int = 1

    @property
    def num_steps(self) -> int:
        return len(self.batches)

    def save(self, path: pathlib.Path) -> None:
        path.write_bytes(pickle.dumps(self))


def load(path: pathlib.Path) -> CandidateSet:
    """Reads what `save` wrote a moment ago; pickle, so never a file from elsewhere."""
    return pickle.loads(path.read_bytes())
