"""What an inspection has found, and the spec that it would start with."""

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example
from metagen_jax.data.sources.labelled_texts import check_labels
from metagen_jax.errors import DataError
from metagen_jax.spec.tasks import arrow

MOST_SHOWN = 20  # classes that are listed one by one
UNBALANCED = 3.0  # times as many examples as the rarest class has
FEW = 10  # examples of a class


@dataclasses.dataclass(frozen=True)
class Proposal:
    """The parts of a spec that the data decide.

    Attributes:
      inputs, outputs, task: words of the spec language; several inputs are parted by spaces.
      family: a family that fits.
      metrics: of the evaluation.
      num_classes: None where nothing is classified.
      data: further keys of the section `data`, beside the path.
      constraints: further keys of that section.
      batch_size: examples of a training step.
    """

    inputs: str
    outputs: str
    task: str
    family: str
    metrics: tuple[str, ...]
    num_classes: int | None = None
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    batch_size: int = 64

    @property
    def title(self) -> str:
        """What goes in and what comes out."""
        return arrow(self.inputs.split(), [self.outputs])

    def spec_text(self, path: Path, folder: Path) -> str:
        """The whole spec as YAML.

        Args:
          path: of the data.
          folder: in which the spec will lie.
        """
        classes = {} if self.num_classes is None else {"num_classes": self.num_classes}
        content = {
            "name": slug(path.stem),
            "modality": {"inputs": self.inputs.split(), "outputs": [self.outputs]},
            "task": {"type": self.task, **classes},
            "data": {"path": Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix(), **self.data},
            "constraints": {"parameter_budget": {"max": "250k"}, **self.constraints},
            "architecture": {"family": self.family},
            "search": {"budget": 16, "rounds": 2, "prototype_steps": 100, "finalists": 2},
            "training": {"steps": 1000, "batch_size": self.batch_size},
            "evaluation": {"metrics": list(self.metrics)},
        }
        comment = "# Proposed by `metagen inspect-data`; every key is explained in docs/spec.md.\n"
        return comment + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True)


def image_proposal(
    num_classes: int, num_training: int, image_size: int | None, data: Mapping[str, Any] = MappingProxyType({})
) -> Proposal:
    """A spec for labelled pictures, of which so many are for training; `image_size` None keeps the size they have."""
    return Proposal(
        *("image", "label", "classification", "vit", ("accuracy", "loss")),
        num_classes=num_classes,
        data=resized(image_size) | dict(data),
        batch_size=min(64, max(1, num_training // 2)),
    )


def resized(image_size: int | None) -> dict[str, int]:
    """The key of the section `data`; none where pictures keep their size."""
    return {} if image_size is None else {"image_size": image_size}


@dataclasses.dataclass(frozen=True)
class Findings:
    """What there is.

    Attributes:
      found: in plain sentences.
      remarks: what may be wrong, or makes results look better than they are.
      problems: what a run would be refused for, each with its file.
      proposals: one for each task that the data go with; none where nothing could be trained yet.
    """

    found: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()

    def choose(self, task: str | None) -> tuple[Proposal, list[Proposal]]:
        """The proposal for a task, the first one if none is named, and the others.

        Raises:
          DataError: there is none for this task.
        """
        chosen = next((each for each in self.proposals if task in (None, each.task)), None)
        if chosen is None:
            remedy = f"Write --task {' or '.join(each.task for each in self.proposals)}."
            raise DataError(f"--task {task}: the data do not go with it\n  {remedy}")
        return chosen, [each for each in self.proposals if each is not chosen]


def slug(text: str) -> str:
    """A name that a spec may have.

    Examples:
      >>> slug("My Pictures (2)"), slug("42")
      ('my_pictures_2', 'data_42')
    """
    word = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48]
    return word if word[:1].isalpha() else f"data_{word}".strip("_")


def division(splits: Iterable[str], many: str) -> str:
    """A sentence about how many examples there are, given the split of each.

    Examples:
      >>> division(["train"] * 20, "pictures"), division(["train", "train", "test"], "texts")
      ('20 pictures, not divided: a tenth each will be held out for validation and test', 'texts: train 2, test 1')
    """
    counts = Counter(splits)
    if len(counts) == 1:
        return f"{counts.total():,} {many}, not divided: a tenth each will be held out for validation and test"
    return f"{many}: " + ", ".join(f"{split} {count:,}" for split, count in counts.items())


def held_out(path: Path, labels: Iterable[str], splits: Iterable[str], many: str) -> list[str]:
    """What a run would be refused for where nothing is left for validation or the test.

    Args:
      labels: of the training examples; a class of three or more leaves one for each.
      splits: that the data come divided into.
      many: what examples are called.
    """
    counts, given = Counter(labels), {"train", *splits}
    missing = [split for split in SPLITS if split not in given]
    if not missing or any(count >= 3 for count in counts.values()):
        return []
    return [f"{path}: no {many} are left for {' and '.join(missing)}\n  Add {many}: three of a class at least."]


def training_counts(path: Path, examples: Iterable[Example]) -> Counter[str]:
    """How many training examples each class has, sorted by name.

    Raises:
      DataError: there are fewer than two classes.
    """
    counts = Counter(sorted(example.label for example in examples if example.split == "train"))
    check_labels(path, tuple(counts))
    return counts


def balance(counts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Sentences about the examples of each class: what there is, and what to beware of.

    Examples:
      >>> balance({"cat": 30, "dog": 90})
      (['2 classes: cat 30, dog 90', "always answering 'dog' would be right in 75% of all cases"], [])
    """
    most = max(counts, key=lambda name: counts[name])
    share = counts[most] / sum(counts.values())
    found = [
        f"{len(counts)} classes: {_listed([f'{name} {count:,}' for name, count in counts.items()])}",
        f"always answering '{most}' would be right in {share:.0%} of all cases",
    ]
    remarks = []
    rarest = min(counts, key=lambda name: counts[name])
    if counts[most] > UNBALANCED * counts[rarest]:
        times = f"'{most}' has {counts[most] / counts[rarest]:.1f} times as many examples as '{rarest}'"
        remarks.append(f"the classes are unbalanced: {times}; look at more than the accuracy")
    few = [name for name, count in counts.items() if count < FEW]
    if few:
        remarks.append(f"fewer than {FEW} examples, too few to learn from: {_listed(few)}")
    return found, remarks


def _listed(words: Sequence[str]) -> str:
    return ", ".join(
        words if len(words) <= MOST_SHOWN else (*words[:MOST_SHOWN], f"and {len(words) - MOST_SHOWN} more")
    )
