"""The space that a strategy searches: categorical, integer, continuous and log-continuous choices in one genotype."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Categorical:
    """One of several choices without an order; a genotype holds its index.

    Attributes:
      num_choices: how many, 1 or more.

    Raises:
      ValueError: there is no choice.

    Examples:
      >>> Categorical(3)
      Categorical(num_choices=3)
      >>> Categorical(0)
      Traceback (most recent call last):
      ...
      ValueError: num_choices must be an int of 1 or more, got 0. A dimension that is fixed has 1 choice.
    """

    num_choices: int

    def __post_init__(self) -> None:
        if isinstance(self.num_choices, bool) or not isinstance(self.num_choices, int) or self.num_choices < 1:
            raise ValueError(
                f"num_choices must be an int of 1 or more, got {self.num_choices!r}. "
                "A dimension that is fixed has 1 choice."
            )


@dataclasses.dataclass(frozen=True)
class Integer:
    """An integer of a range, whose neighbours are alike (a width); a genotype holds the integer itself.

    Attributes:
      low: the smallest.
      high: the largest, included.

    Raises:
      ValueError: not integers, in the wrong order, or beyond what a float32 counts exactly.

    Examples:
      >>> Integer(1, 8).num_choices
      8
      >>> Integer(8, 1)
      Traceback (most recent call last):
      ...
      ValueError: low must not exceed high, got Integer(low=8, high=1). Write Integer(1, 8).
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        for bound in (self.low, self.high):
            if isinstance(bound, bool) or not isinstance(bound, int) or abs(bound) > 2**24:
                raise ValueError(
                    f"the bounds of {self} must be ints of at most 2^24. Use Continuous for larger ranges."
                )
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got {self}. Write Integer({self.high}, {self.low}).")

    @property
    def num_choices(self) -> int:
        """How many integers the range has."""
        return self.high - self.low + 1


@dataclasses.dataclass(frozen=True)
class Continuous:
    """A real number of a range; a genotype holds the number itself.

    Attributes:
      low: the smallest.
      high: the largest, above `low`.
      log: whether equal ratios count as equal steps (a learning rate); `low` must then be positive.

    Raises:
      ValueError: the range is empty or not finite, or a logarithmic one is not positive.

    Examples:
      >>> Continuous(1e-4, 1e-1, log=True).num_choices
      inf
      >>> Continuous(0.0, 1.0, log=True)
      Traceback (most recent call last):
      ...
      ValueError: a logarithmic range must be positive, got low=0.0. Raise low, or write log=False.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f"a range needs finite bounds with low < high, got {self}. A fixed value is Integer(v, v)."
            )
        if self.log and self.low <= 0:
            raise ValueError(
                f"a logarithmic range must be positive, got low={self.low}. Raise low, or write log=False."
            )

    @property
    def num_choices(self) -> float:
        """Infinitely many."""
        return math.inf


Choice = Categorical | Integer | Continuous


@dataclasses.dataclass(frozen=True)
class Space:
    """D choices, mixed as one likes.

    A genotype is `(D,)` and holds values: the index of a categorical choice, an integer or a real number itself. Its
    type is int32 where all choices are discrete, else float32, in which the discrete ones are whole numbers.

    Attributes:
      choices: one entry a dimension.
      violation: `(N, D)` genotypes -> `(N,)` float32, pure JAX; `<= 0` is feasible, above 0 says how badly the limits are
        broken. None: everything is feasible.

    Raises:
      ValueError: the fields do not describe a space.

    Examples:
      >>> space = Space((Categorical(3), Integer(1, 4)))
      >>> space.size, space.dtype.__name__
      (12, 'int32')
      >>> mixed = Space((Categorical(3), Continuous(1e-4, 1e-1, log=True)))
      >>> mixed.size, mixed.dtype.__name__
      (inf, 'float32')
    """

    choices: tuple[Choice, ...]
    violation: Callable[[jax.Array], jax.Array] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.choices, tuple):
            raise ValueError(f"choices must be a tuple, got {self.choices!r}. Write choices=tuple(...).")
        if not self.choices:
            raise ValueError("choices is empty. Give at least one dimension, for example choices=(Categorical(3),).")
        for dimension, choice in enumerate(self.choices):
            if not isinstance(choice, Choice):
                raise ValueError(
                    f"choices[{dimension}] must be a Categorical, Integer or Continuous, got {choice!r}. "
                    "For example Integer(1, 8)."
                )
        if self.violation is not None and not callable(self.violation):
            raise ValueError(
                f"violation must be a function or None, got {self.violation!r}. "
                "Write violation=lambda genotypes: ..., (N, D) -> (N,) float32."
            )

    @property
    def num_dimensions(self) -> int:
        """D, the length of a genotype."""
        return len(self.choices)

    @functools.cached_property
    def num_choices(self) -> tuple[int | float, ...]:
        """How many values each dimension has; infinity for a continuous one."""
        return tuple(choice.num_choices for choice in self.choices)

    @functools.cached_property
    def size(self) -> int | float:
        """The number of genotypes, feasible or not: an exact integer, or infinity with a continuous choice."""
        return math.prod(self.num_choices) if self.is_discrete else math.inf

    @property
    def is_discrete(self) -> bool:
        """Whether no choice is continuous."""
        return not self.is_continuous.any()

    @property
    def dtype(self) -> type:
        """The type of a genotype: `jnp.int32` or `jnp.float32`."""
        return jnp.int32 if self.is_discrete else jnp.float32

    @functools.cached_property
    def is_continuous(self) -> np.ndarray:
        """`(D,)` bool, True for a continuous dimension, logarithmic or not."""
        return np.array([isinstance(choice, Continuous) for choice in self.choices])

    @functools.cached_property
    def is_ordered(self) -> np.ndarray:
        """`(D,)` bool, True where near values are alike: integers and continuous choices."""
        return np.array([not isinstance(choice, Categorical) for choice in self.choices])

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """`(D,)` int32, the number of values of each discrete dimension; 1 for a continuous one."""
        return np.array([1 if math.isinf(count) else count for count in self.num_choices], np.int32)

    @functools.cached_property
    def lowest(self) -> np.ndarray:
        """`(D,)` int32, the smallest value of each discrete dimension; 0 for a continuous one."""
        return np.array([choice.low if isinstance(choice, Integer) else 0 for choice in self.choices], np.int32)

    @functools.cached_property
    def scaled_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of each continuous range, `(D,)` float32 twice, as logarithms where the range is one; 0 and 1 elsewhere."""
        ends = [
            ((math.log(choice.low), math.log(choice.high)) if choice.log else (choice.low, choice.high))
            if isinstance(choice, Continuous)
            else (0.0, 1.0)
            for choice in self.choices
        ]
        low, high = np.array(ends, np.float32).T
        return low, high

    @functools.cached_property
    def is_log(self) -> np.ndarray:
        """`(D,)` bool, True for a logarithmic dimension."""
        return np.array([isinstance(choice, Continuous) and choice.log for choice in self.choices])


def discrete_space(
    num_choices: tuple[int, ...],
    ordered: tuple[bool, ...],
    violation: Callable[[jax.Array], jax.Array] | None = None,
) -> Space:
    """Builds a space whose genotypes are indices into lists of choices.

    Args:
      num_choices: how many choices each dimension has, 1 or more.
      ordered: for each dimension, whether neighbouring indices mean similar choices (a width) or not (an activation).
      violation: as in `Space`.
    Returns:
      The space; an ordered dimension is `Integer(0, count - 1)`, another `Categorical(count)`.
    Raises:
      ValueError: the arguments do not describe a space.

    Examples:
      >>> discrete_space((3, 4), ordered=(True, False)).size
      12
      >>> discrete_space((3, 4), ordered=(True, False)).choices
      (Integer(low=0, high=2), Categorical(num_choices=4))
    """
    for name, value in (("num_choices", num_choices), ("ordered", ordered)):
        if not isinstance(value, tuple):
            raise ValueError(f"{name} must be a tuple, got {value!r}. Write {name}=tuple(...).")
    for dimension, count in enumerate(num_choices):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(
                f"num_choices[{dimension}] must be an int of 1 or more, got {count!r}. "
                "A dimension that is fixed has 1 choice."
            )
    if len(ordered) != len(num_choices):
        raise ValueError(
            f"ordered has {len(ordered)} flags for {len(num_choices)} dimensions. "
            f"Give one flag a dimension, for example ordered={(True,) * len(num_choices)}."
        )
    if not all(isinstance(flag, bool) for flag in ordered):
        raise ValueError(f"ordered must hold True or False, got {ordered!r}. Write bool(...) around each flag.")
    pairs = zip(num_choices, ordered, strict=True)
    return Space(tuple(Integer(0, count - 1) if flag else Categorical(count) for count, flag in pairs), violation)


def all_indices(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Lists the indices of every genotype of dimensions with these numbers of choices: `(product, D)` int32."""
    return np.stack(np.unravel_index(np.arange(math.prod(map(int, counts))), counts), axis=1).astype(np.int32)


def violation_of(space: Space, genotypes: jax.Array) -> jax.Array:
    """Scores `(N, D)` genotypes with the space's limits: `(N,)` float32, 0 for feasible, +inf where the limit is NaN."""
    if space.violation is None:
        return jnp.zeros(genotypes.shape[0], jnp.float32)
    violation = space.violation(genotypes).astype(jnp.float32)
    return jnp.where(jnp.isnan(violation), jnp.inf, jnp.maximum(violation, 0.0))


def to_indices(space: Space, genotypes: jax.Array) -> jax.Array:
    """Counts the discrete values from 0: `(N, D)` genotypes to int32 indices; 0 in continuous dimensions."""
    if space.is_discrete:
        return genotypes.astype(jnp.int32) - jnp.array(space.lowest)[None]
    whole = jnp.where(jnp.array(space.is_continuous)[None], 0.0, genotypes)
    return jnp.round(whole).astype(jnp.int32) - jnp.array(space.lowest)[None]


def from_indices(space: Space, indices: jax.Array, continuous: jax.Array | None = None) -> jax.Array:
    """Builds `(N, D)` genotypes from indices counted from 0, with the values of continuous dimensions taken elsewhere.

    Args:
      space: the space, D dimensions.
      indices: `(N, D)` int32; not read in continuous dimensions.
      continuous: `(N, D)` float32 values, read in continuous dimensions only. None: the space is discrete.
    Returns:
      `(N, D)` of the space's type.
    """
    values = indices + jnp.array(space.lowest)[None]
    if continuous is None:
        return values
    return jnp.where(jnp.array(space.is_continuous)[None], continuous, values.astype(jnp.float32))


def to_unit(space: Space, genotypes: jax.Array) -> jax.Array:
    """Scales every dimension to [0, 1]: `(N, D)` genotypes to float32; the ends of a range become 0 and 1.

    A logarithmic dimension is scaled by its logarithm, a categorical one by its index, one with a single value to 0.
    """
    index = to_indices(space, genotypes).astype(jnp.float32)
    unit = index / jnp.array(np.maximum(space.counts - 1, 1), jnp.float32)[None]
    if space.is_discrete:
        return unit
    return jnp.where(jnp.array(space.is_continuous)[None], _continuous_to_unit(space, genotypes), unit)


def from_unit(space: Space, unit: jax.Array) -> jax.Array:
    """Turns numbers from [0, 1) into genotypes; a uniform draw gives every choice the same chance.

    A discrete dimension with K values cuts [0, 1) into K equal parts, with a bias of at most K / 2^24. Numbers outside
    are taken to the nearest end.

    Args:
      space: the space, D dimensions.
      unit: `(N, D)` float32.
    Returns:
      `(N, D)` of the space's type.
    """
    counts = jnp.array(space.counts)[None]
    index = jnp.floor(unit * counts.astype(jnp.float32)).astype(jnp.int32)
    index = jnp.clip(index, 0, counts - 1)  # rounding may reach the count
    return from_indices(space, index, None if space.is_discrete else unit_to_continuous(space, unit))


def _continuous_to_unit(space: Space, genotypes: jax.Array) -> jax.Array:
    low, high = (jnp.array(bound)[None] for bound in space.scaled_bounds)
    is_log = jnp.array(space.is_log)[None]
    scaled = jnp.where(is_log, jnp.log(jnp.where(is_log, genotypes, 1.0)), genotypes)
    unit = jnp.clip((scaled - low) / (high - low), 0.0, 1.0)
    lowest, highest = (jnp.array(end)[None] for end in _exact_ends(space))
    return jnp.where(genotypes >= highest, 1.0, jnp.where(genotypes <= lowest, 0.0, unit))  # a logarithm may round


def unit_to_continuous(space: Space, unit: jax.Array) -> jax.Array:
    """Gives `(N, D)` float32 values of continuous dimensions from numbers of [0, 1]; other dimensions hold nothing."""
    low, high = (jnp.array(bound)[None] for bound in space.scaled_bounds)
    scaled = low + jnp.clip(unit, 0.0, 1.0) * (high - low)
    return clip_continuous(space, jnp.where(jnp.array(space.is_log)[None], jnp.exp(scaled), scaled))


def clip_continuous(space: Space, values: jax.Array) -> jax.Array:
    """Cuts `(N, D)` float32 values off at the exact ends of their continuous ranges."""
    low, high = _exact_ends(space)
    return jnp.clip(values, jnp.array(low)[None], jnp.array(high)[None])


def _exact_ends(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Ends of each continuous range as they were given, `(D,)` float32 twice; infinite in other dimensions."""
    ends = [(c.low, c.high) if isinstance(c, Continuous) else (-np.inf, np.inf) for c in space.choices]
    low, high = np.array(ends, np.float32).T
    return low, high
