"""What the experiment trains: tasks, sizes, seeds; and the architectures, which both tasks share."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

# Every length is doubled for the target, but for the number of layers and the size of a head.
LADDER = (
    ("d_model", (16, 24, 32, 48)),
    ("num_layers", (1, 2, 3, 4)),
    ("num_heads", (1, 2, 3)),
    ("head_dim", (8, 12, 16)),
    ("d_ff", (32, 48, 64, 96, 128)),
)
WIDTHS = ("d_model", "num_heads", "d_ff")
HYPERPARAMETERS = (  # as every transformer family searches them
    ("learning_rate", (5e-4, 1e-3, 2e-3, 4e-3, 6e-3)),
    ("weight_decay", (0.0, 0.01, 0.05, 0.1)),
    ("warmup_steps", (10, 20, 40)),
)
DRAWN, FIXED = "drawn", "fixed"
PROTOTYPE, TARGET = "prototype", "target"
COST, INITIAL = "cost", "initial"
TASKS = {
    "image": ("specs/image_vit_classification.yaml", ("architecture.choices.patch_size=7",)),
    "text": ("specs/text_char_lm.yaml", ("constraints.context_window=32",)),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured; a short form has less of everything.

    Attributes:
      tasks: keys of `TASKS`.
      conditions: `DRAWN`, hyperparameters drawn with each architecture; `FIXED`, the middle of each for all of them.
      seeds: of initial weights and batches, for prototypes and targets alike.
      architectures: how many.
      prototype_steps: a multiple of four, since a quarter and a half of them are measured too.
      target_steps: of the long training.
      batch_size: examples of a step.
      ladder: the lengths that a prototype's axes may have.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    conditions: tuple[str, ...] = (DRAWN, FIXED)
    seeds: tuple[int, ...] = (0, 1)
    architectures: int = 24
    prototype_steps: int = 120
    target_steps: int = 600
    batch_size: int = 32
    ladder: tuple[tuple[str, tuple[int, ...]], ...] = LADDER

    def steps(self, size: str) -> int:
        return self.prototype_steps if size == PROTOTYPE else self.target_steps

    def segment(self, size: str) -> int:
        """Steps between two validations."""
        return self.prototype_steps // 4 if size == PROTOTYPE else self.target_steps

    def lengths(self, size: str) -> dict[str, list[int]]:
        """What each axis may have, of prototypes or of targets."""
        return {axis: [scaled(axis, length, size) for length in values] for axis, values in self.ladder}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Sizes of the prototype, and the hyperparameters that were drawn with them."""

    sizes: dict[str, int]
    hyperparameters: dict[str, float]

    def sizes_of(self, size: str) -> dict[str, int]:
        """Those of the prototype or of the target."""
        return {axis: scaled(axis, length, size) for axis, length in self.sizes.items()}

    def hyperparameters_in(self, condition: str) -> dict[str, float]:
        if condition == DRAWN:
            return self.hyperparameters
        return {name: values[len(values) // 2] for name, values in HYPERPARAMETERS}


def scaled(axis: str, length: int, size: str) -> int:
    return 2 * length if size == TARGET and axis in WIDTHS else length


def draw(settings: Settings) -> list[Architecture]:
    """Draws uniformly; no two have the same sizes. The first few are the same however many there are."""
    rng = np.random.default_rng(0)
    drawn: dict[tuple[int, ...], Architecture] = {}
    while len(drawn) < settings.architectures:
        sizes = {axis: values[rng.integers(len(values))] for axis, values in settings.ladder}
        hyper = {name: values[rng.integers(len(values))] for name, values in HYPERPARAMETERS}
        drawn.setdefault(tuple(sizes.values()), Architecture(sizes, hyper))
    return list(drawn.values())


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One thing to measure on one architecture.

    Attributes:
      kind: `PROTOTYPE` or `TARGET`, a training; `INITIAL`, the zero-cost proxies; `COST`, parameters and FLOPs.
      condition: of a training, else empty.
      seed: of a training and of initial weights, else 0.
    """

    task: str
    kind: str
    architecture: int
    condition: str = ""
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def measurements(settings: Settings) -> Iterator[Measurement]:
    """Everything, the cheap ones first; then seed after seed, so that whoever stops early has all of the first."""
    members = range(settings.architectures)
    for task in settings.tasks:
        yield from (Measurement(task, COST, i) for i in members)
        for seed in settings.seeds:
            yield from (Measurement(task, INITIAL, i, seed=seed) for i in members)
    for kind in (PROTOTYPE, TARGET):
        for seed in settings.seeds:
            for condition in settings.conditions:
                for task in settings.tasks:
                    yield from (Measurement(task, kind, i, condition, seed) for i in members)
