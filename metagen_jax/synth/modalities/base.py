"""What a modality has to say about itself: its families, what of the data it reads, its metrics, its project."""

import abc
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from metagen_jax.data import Dataset
from metagen_jax.spec import ModelSpec


class Array(NamedTuple):
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


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
class Grid:
    """How a family divides a square image into equal squares, each of which becomes one position.

    Attributes:
      name: of the structural choice that says how many pixels a side of a square has.
      smallest: pixels of that side at least.
      fewest: squares along a side of the image at least.
      usual: squares along a side of the image, as nearly as can be, if the spec does not say.
    """

    name: str
    smallest: int
    fewest: int
    usual: int

    def sides(self, image_size: int) -> tuple[int, ...]:
        """The sides of squares, in pixels, that divide an image of so many pixels a side.

        Examples:
          >>> Grid("stride", smallest=1, fewest=4, usual=8).sides(28)
          (1, 2, 4, 7)
        """
        largest = image_size // self.fewest
        return tuple(p for p in range(self.smallest, largest + 1) if image_size % p == 0) or (1,)

    def usual_side(self, image_size: int) -> int:
        """The side, in pixels, that gives about `usual` squares."""
        return min(self.sides(image_size), key=lambda side: abs(image_size / side - self.usual))


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of network whose members differ in size and in a few words of text.

    Attributes:
      name: as the spec calls it.
      title: as a reader would.
      model_class: the class that the fragments define.
      dimensions: everything that may be searched.
      fragments: templates of the model, in the order of definition; `{norm}` stands for the choice of that name.
      width: the axis of the residual stream, which norms divide by; in a family of several levels each has one.
      parameter: one of its parameters as documents show it.
      parallel: axes that a large network may be divided along over several devices.
      anchors: lengths of large networks that are known to work, smallest first; lengths in between are searched too. None:
        whatever the budget, only the lengths that `dimensions` has.
      causal: whether a position may only look back.
      masked: whether blocks can be told which positions may be looked at.
      grid: how it divides an image; None if it reads no images.
      levels: how many resolutions there are. Of several, each has axes of its own, with its number behind their names.
      parallel_fallback: axes in the place of the parallel ones, for parameters that cannot be divided along them.
      variants: families of the same name that have other dimensions in the place of some; a spec asks for one by naming these.
    """

    name: str
    title: str
    model_class: str
    dimensions: tuple[Dimension, ...]
    fragments: tuple[str, ...]
    width: str
    parameter: str
    parallel: tuple[str, ...]
    anchors: tuple[Mapping[str, int], ...]
    causal: bool = False
    masked: bool = False
    grid: Grid | None = None
    levels: int = 1
    parallel_fallback: tuple[str, ...] = ()
    variants: tuple["Family", ...] = ()

    @property
    def widths(self) -> tuple[str, ...]:
        """The axes of the residual stream, from the first level to the last."""
        return (self.width,) if self.levels == 1 else tuple(f"{self.width}_{n + 1}" for n in range(self.levels))

    @property
    def forms(self) -> tuple["Family", ...]:
        """The family and its variants."""
        return (self, *self.variants)

    def has(self, names: Iterable[str]) -> bool:
        """Whether there is a dimension of each name."""
        return {dimension.name for dimension in self.dimensions}.issuperset(names)

    def form_of(self, names: Iterable[str]) -> "Family":
        """The first form that has dimensions of all these names, such as the sizes of a blueprint; itself if none has."""
        wanted = tuple(names)
        return next((form for form in self.forms if form.has(wanted)), self)


@dataclasses.dataclass(frozen=True)
class Field:
    """One integer of the generated `Config`."""

    name: str
    value: int
    comment: str


def lengths_of(fields: Iterable[Field]) -> dict[str, int]:
    """The fields as a mapping from name to value."""
    return {field.name: field.value for field in fields}


class Modality(abc.ABC):
    """One kind of task, from the data's arrays to the generated project's files."""

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]
    task_type: ClassVar[str]
    families: ClassVar[Mapping[str, Family]]
    recipe_fragments: ClassVar[tuple[str, ...]]  # optimiser, loss and batches of the training program
    recipe_words: ClassVar[Mapping[str, Any]] = {}  # that these are rendered with
    recipe_imports: ClassVar[tuple[str, ...]] = ()  # functions of the model that they call
    evaluation_batch_size: ClassVar[int]
    try_it: ClassVar[str]  # a command that uses a trained project
    search_examples: ClassVar[int | None]  # how much of the validation split the search looks at; None: all
    of_codes: ClassVar[bool] = False  # whether codes of an autoencoder are learnt from, and not the data themselves

    def takes(self, spec: ModelSpec) -> bool:
        """Whether it is for the inputs, the outputs and the task of a spec, and for what is learnt from."""
        asked = (spec.modality.inputs, spec.modality.outputs, spec.task.type, spec.data.autoencoder is not None)
        return asked == (self.inputs, self.outputs, self.task_type, self.of_codes)

    @abc.abstractmethod
    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        """The sizes that the data and the spec decide: image size, number of classes, vocabulary, context."""

    def target_fields(self, spec: ModelSpec, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """These sizes for the model that comes out: as the data has them, unless the spec has a target of its own."""
        wanted = dataclasses.asdict(spec.target)
        return tuple(
            dataclasses.replace(field, value=wanted[field.name]) if wanted.get(field.name) is not None else field
            for field in fields
        )

    @abc.abstractmethod
    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        """The family's choices that make sense for data of these fixed sizes."""

    @abc.abstractmethod
    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        """The values of a structural dimension that are searched when the spec does not name any."""

    def prototype_structure(
        self, family: Family, dimension: Dimension, target: Mapping[str, int], fixed: Mapping[str, int]
    ) -> tuple[Any, ...]:
        """The values of a structural dimension for prototypes, from those for targets with other fixed sizes."""
        return dimension.values

    def inner_lengths(self, fixed: Mapping[str, int]) -> tuple[int, ...]:
        """Numbers that come up in the shapes of a program beside the fixed ones and the batch's, and are no axis."""
        return ()

    @abc.abstractmethod
    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        """What `train_batch` gives: the shapes and types that a training step reads."""

    @abc.abstractmethod
    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        """What the model is called with to answer one example, as batches of one."""

    @abc.abstractmethod
    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        """What the generated `train_batch` reads before the step."""

    @abc.abstractmethod
    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        """Inputs and targets, first axis: examples, of all of a split."""

    @abc.abstractmethod
    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        """What is reported, from the means of what the rendered `score_fn` gives, by its names."""

    @abc.abstractmethod
    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        """The validation metrics of the simplest things that work, by name; `sizes` are those of the trained network."""
