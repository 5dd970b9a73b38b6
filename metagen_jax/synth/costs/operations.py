"""A traced function as one straight list of operations. Knows nothing of networks."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core

# Where a primitive keeps the function that it calls once.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat": "jaxpr",
    "checkpoint": "jaxpr",
}
_LOOPS = ("scan", "while", "cond")


@dataclasses.dataclass(frozen=True)
class Value:
    """One array of a trace."""

    number: int
    shape: tuple[int, ...]
    itemsize: int

    def __hash__(self) -> int:
        return self.number


@dataclasses.dataclass(frozen=True)
class Operation:
    """One primitive.

    Attributes:
      inputs: None for a constant.
      params: of the primitive.
      constants: the constants among the inputs, in their order.
    """

    name: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    params: dict[str, Any]
    constants: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True)
class Trace:
    """What a function does, without anything that its results do not need.

    Attributes:
      operations: in the order of the function's text.
      inputs, outputs: of the function; an output that is a constant is left out.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    @functools.cached_property
    def made(self) -> dict[Value, Operation]:
        """Which operation makes each value that is no input."""
        return {value: operation for operation in self.operations for value in operation.outputs}


def trace(function: Callable[..., Any], *arguments: Any) -> Trace:
    """Traces a function on abstract arguments and flattens the functions that it calls.

    Raises:
      ValueError: there is a loop or a branch in it, whose work cannot be counted from its text.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    tracer = _Flattener()
    inputs = tuple(tracer.value(variable.aval) for variable in closed.jaxpr.invars)
    outputs = tracer.flatten(closed, inputs)
    kept = tuple(dict.fromkeys(output for output in outputs if output is not None))
    return Trace(needed(tracer.operations, kept), inputs, kept)


class _Flattener:
    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._count = 0

    def value(self, aval: Any) -> Value:
        self._count += 1
        return Value(self._count, tuple(aval.shape), getattr(aval.dtype, "itemsize", 4))

    def flatten(self, closed: Any, inputs: Sequence[Value | None]) -> list[Value | None]:
        jaxpr = getattr(closed, "jaxpr", closed)
        known: dict[Any, Value | None] = dict(zip(jaxpr.invars, inputs, strict=True))
        known |= {variable: self.value(variable.aval) for variable in jaxpr.constvars}

        def read(atom: Any) -> Value | None:
            return None if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            name, operands = equation.primitive.name, [read(atom) for atom in equation.invars]
            if name in _LOOPS:
                raise ValueError(f"a fragment uses `{name}`, whose work cannot be counted from its text")
            if name in _CALLS:
                results = self.flatten(equation.params[_CALLS[name]], operands)
            else:
                made = tuple(self.value(variable.aval) for variable in equation.outvars)
                constants = tuple(atom.val for atom in equation.invars if isinstance(atom, core.Literal))
                self.operations.append(Operation(name, tuple(operands), made, equation.params, constants))
                results = list(made)
            known |= zip(equation.outvars, results, strict=True)
        return [read(atom) for atom in jaxpr.outvars]


def needed(operations: Sequence[Operation], outputs: tuple[Value, ...]) -> tuple[Operation, ...]:
    """Leaves out what the outputs do not need."""
    wanted, kept = set(outputs), []
    for operation in reversed(operations):
        if not wanted.isdisjoint(operation.outputs):
            kept.append(operation)
            wanted.update(value for value in operation.inputs if value is not None)
    return tuple(reversed(kept))
