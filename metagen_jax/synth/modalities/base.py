"""What a modality has to say about itself: its families, what of the data it reads, its metrics, its project."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import ImageDataset, TextDataset
from metagen_jax.spec import ModelSpec

Dataset = ImageDataset | TextDataset

STRUCTURE, SIZE, HYPERPARAMETER = "structure", "size", "hyperparameter"


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One choice of a search space.

    Attributes:
      name: as the spec and the generated code call it.
      kind: `STRUCTURE` changes the text of the program, `SIZE` is the length of a named axis, `HYPERPARAMETER` is a
        number of the training.
      values: what may be chosen; numbers in ascending order.
      comment: what it means, in the words of the generated code.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    comment: str

    @property
    def ordered(self) -> bool:
        """Whether neighbouring values are alike."""
        return not any(isinstance(value, str) for value in self.values)


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of network whose members differ in size and in a few words of text.

    Attributes:
      name: as the spec calls it.
      title: as a reader would.
      model_class: the class that the fragments define.
      dimensions: everything that may be searched.
      fragments: templates of the model, in the order of definition; `{norm}` stands for the choice of that name.
      causal: whether a position may only look back.
    """

    name: str
    title: str
    model_class: str
    dimensions: tuple[Dimension, ...]
    fragments: tuple[str, ...]
    causal: bool


@dataclasses.dataclass(frozen=True)
class Field:
    """One integer of the generated `Config`."""

    name: str
    value: int
    comment: str


class Modality(abc.ABC):
    """One kind of task, from the data's arrays to the generated project's files."""

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]
    task_type: ClassVar[str]
    families: ClassVar[Mapping[str, Family]]
    recipe_fragments: ClassVar[tuple[str, ...]]  # optimiser, loss and batches of the training program
    evaluation_batch_size: ClassVar[int]
    search_examples: ClassVar[int | None]  # how much of the validation split the search looks at; None: all

    @abc.abstractmethod
    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        """The sizes that the data and the spec decide: image size, number of classes, vocabulary, context."""

    @abc.abstractmethod
    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        """The family's choices that make sense for data of these fixed sizes."""

    @abc.abstractmethod
    def default_structure(self, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        """The values of a structural dimension that are searched when the spec does not name any."""

    @abc.abstractmethod
    def num_tokens(self, fixed: Mapping[str, int], structure: Mapping[str, Any]) -> int:
        """The number of positions T that one example occupies in the residual stream."""

    @abc.abstractmethod
    def num_outputs(self, fixed: Mapping[str, int], structure: Mapping[str, Any]) -> int:
        """The number of positions of an example at which the head is applied."""

    @abc.abstractmethod
    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        """What the generated `train_batch` reads before the step."""

    @abc.abstractmethod
    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        """Inputs and targets, first axis: examples, of all of a split."""

    @abc.abstractmethod
    def metrics(self, loss: float, accuracy: float) -> dict[str, float]:
        """What is reported, from mean cross-entropy in nats and the share of right answers."""

    @abc.abstractmethod
    def baseline(self, dataset: Dataset) -> tuple[str, dict[str, float]]:
        """The name and the validation metrics of the simplest thing that works."""
