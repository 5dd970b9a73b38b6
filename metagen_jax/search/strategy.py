"""What a search strategy is, as three pure functions, and the discrete space that it searches."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax


class SearchStrategy(NamedTuple):
    """Three pure functions that together search a `DiscreteSpace`.

    N: rows of a batch, D: genotype length, M: objectives. Every function works under `jit`, `vmap` and `lax.scan`;
    the state is a pytree of arrays with shapes fixed by the constructor, so it can be stored and continued bit for bit.

    Attributes:
      init: `key -> state`. The key is consumed.
      ask: `key, state -> genotypes, state`. The key is consumed. `genotypes` is `(N, D)` int32, indices into the choices,
        with N the `population_size` of the constructor. Genotypes that are feasible and were neither asked nor told come
        first; when none can be found, infeasible ones by rising violation, and only then repeats.
      tell: `state, genotypes, losses, violations -> state`. `losses` is `(N, M)` float32, every objective minimised; a
        row with a NaN or an infinity is a failed evaluation and never wins. `violations` is `(N,)` float32: `<= 0` is
        feasible, above 0 says how badly infeasible; an infeasible row never beats a feasible one. The batch may have any
        number of rows, and rows that were never asked are welcome (a warm start).
    """

    init: Callable[[jax.Array], Any]
    ask: Callable[[jax.Array, Any], tuple[jax.Array, Any]]
    tell: Callable[[Any, jax.Array, jax.Array, jax.Array], Any]


@dataclasses.dataclass(frozen=True)
class DiscreteSpace:
    """D dimensions, each with a finite number of choices; a genotype is `(D,)` int32, indices into the choices.

    Attributes:
      num_choices: how many choices each dimension has, 1 or more.
      ordered: for each dimension, whether neighbouring indices mean similar choices (a width) or not (an activation).
      violation: `(N, D)` int32 -> `(N,)` float32, pure JAX; `<= 0` is feasible, above 0 says how badly the limits are
        broken. None: everything is feasible.

    Raises:
      ValueError: the fields do not describe a space.

    Examples:
      >>> space = DiscreteSpace(num_choices=(3, 4), ordered=(True, False))
      >>> space.size
      12
    """

    num_choices: tuple[int, ...]
    ordered: tuple[bool, ...]
    violation: Callable[[jax.Array], jax.Array] | None = None

    def __post_init__(self) -> None:
        for name in ("num_choices", "ordered"):
            value = getattr(self, name)
            if not isinstance(value, tuple):
                raise ValueError(f"{name} must be a tuple, got {value!r}. Write {name}=tuple(...).")
        if not self.num_choices:
            raise ValueError("num_choices is empty. Give at least one dimension, for example num_choices=(3,).")
        for dimension, count in enumerate(self.num_choices):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(
                    f"num_choices[{dimension}] must be an int of 1 or more, got {count!r}. "
                    "A dimension that is fixed has 1 choice."
                )
        if len(self.ordered) != len(self.num_choices):
            raise ValueError(
                f"ordered has {len(self.ordered)} flags for {len(self.num_choices)} dimensions. "
                f"Give one flag a dimension, for example ordered={(True,) * len(self.num_choices)}."
            )
        if not all(isinstance(flag, bool) for flag in self.ordered):
            raise ValueError(
                f"ordered must hold True or False, got {self.ordered!r}. Write bool(...) around each flag."
            )
        if self.violation is not None and not callable(self.violation):
            raise ValueError(
                f"violation must be a function or None, got {self.violation!r}. "
                "Write violation=lambda genotypes: ..., (N, D) int32 -> (N,) float32."
            )

    @property
    def num_dimensions(self) -> int:
        """D, the length of a genotype."""
        return len(self.num_choices)

    @property
    def size(self) -> int:
        """The number of genotypes, feasible or not, as an exact Python integer."""
        return math.prod(self.num_choices)


class StrategyConstructor(Protocol):
    """The signature that every constructor in `STRATEGIES` has."""

    def __call__(
        self, space: DiscreteSpace, *, population_size: int, num_objectives: int, capacity: int
    ) -> SearchStrategy: ...


def check_settings(space: DiscreteSpace, *, population_size: int, num_objectives: int, capacity: int) -> None:
    """Refuses settings that no strategy can work with.

    Raises:
      ValueError: `space` is not a `DiscreteSpace`, or a count is not an int of 1 or more.
    """
    if not isinstance(space, DiscreteSpace):
        raise ValueError(f"space must be a DiscreteSpace, got {space!r}. Write DiscreteSpace(num_choices, ordered).")
    counts = {"population_size": population_size, "num_objectives": num_objectives, "capacity": capacity}
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int of 1 or more, got {value!r}. For example {name}=8.")


def check_told(
    space: DiscreteSpace, num_objectives: int, genotypes: jax.Array, losses: jax.Array, violations: jax.Array
) -> None:
    """Refuses a told batch whose shapes would broadcast into nonsense.

    Raises:
      ValueError: a shape differs from `(N, D)`, `(N, M)`, `(N,)`.
    """
    if genotypes.ndim != 2 or genotypes.shape[1] != space.num_dimensions:
        raise ValueError(
            f"genotypes must be (N, {space.num_dimensions}), got shape {genotypes.shape}. For one genotype pass genotype[None]."
        )
    rows = genotypes.shape[0]
    if losses.shape != (rows, num_objectives):
        raise ValueError(
            f"losses must be ({rows}, {num_objectives}): one row a genotype, one column an objective; got shape "
            f"{losses.shape}. For one objective pass losses[:, None]."
        )
    if violations.shape != (rows,):
        raise ValueError(
            f"violations must be ({rows},), got shape {violations.shape}. "
            "Where everything is feasible pass jnp.zeros(len(genotypes))."
        )
