"""Arrays that are put together and taken apart: a slice that lies within one piece is read from that piece."""

import dataclasses
import itertools
from typing import Any

from metagen_jax.synth.costs.operations import Operation, Trace, Value, needed


def read_from_pieces(trace: Trace) -> Trace:
    """The same function as XLA sees it: stacks are concatenations, and no slice reads one if a piece of it is enough."""
    rewriter = _Rewriter(trace)
    for operation in trace.operations:
        rewriter.add(operation)
    outputs = tuple(dict.fromkeys(rewriter.current(value) for value in trace.outputs))
    return Trace(needed(rewriter.operations, outputs), trace.inputs, outputs)


class _Rewriter:
    def __init__(self, trace: Trace):
        self.operations: list[Operation] = []
        self._joined: dict[Value, Operation] = {}  # the concatenation that makes a value
        self._instead: dict[Value, Value] = {}
        made = (value.number for operation in trace.operations for value in operation.outputs)
        self._numbers = itertools.count(1 + max(made, default=0))

    def current(self, value: Value) -> Value:
        return self._instead.get(value, value)

    def add(self, operation: Operation) -> None:
        inputs = tuple(None if value is None else self.current(value) for value in operation.inputs)
        operation = dataclasses.replace(operation, inputs=inputs)
        if operation.name == "stack":
            self._stack(operation)
        elif operation.name == "unstack":
            self._unstack(operation)
        elif operation.name == "slice":
            self._slice(operation)
        else:
            self._append(operation)

    def _append(self, operation: Operation) -> None:
        self.operations.append(operation)
        if operation.name == "concatenate":
            self._joined[operation.outputs[0]] = operation

    def _layer(self, whole: Value, axis: int) -> Value:
        """A new value: one place of a stack along an axis, of which it keeps a length of 1."""
        return Value(next(self._numbers), (*whole.shape[:axis], 1, *whole.shape[axis + 1 :]), whole.itemsize)

    def _stack(self, operation: Operation) -> None:
        axis, (whole,) = operation.params["axis"], operation.outputs
        pieces = [self._layer(whole, axis) for _ in operation.inputs]
        for value, piece in zip(operation.inputs, pieces, strict=True):
            self._append(Operation("expand_dims", (value,), (piece,), {}))
        self._append(Operation("concatenate", tuple(pieces), (whole,), {"dimension": axis}))

    def _unstack(self, operation: Operation) -> None:
        axis, (whole,) = operation.params["axis"], operation.inputs
        assert whole is not None
        for place, made in enumerate(operation.outputs):
            cut = self._layer(whole, axis)
            start, limit = (_moved(corner, axis, place) for corner in ((0,) * len(cut.shape), cut.shape))
            window = {"start_indices": start, "limit_indices": limit, "strides": None}
            self._slice(Operation("slice", (whole,), (cut,), window))
            self._append(Operation("squeeze", (self.current(cut),), (made,), {}))

    def _slice(self, operation: Operation) -> None:
        """Reads from the piece that holds the whole window, which may be all of the piece."""
        (whole,), (made,) = operation.inputs, operation.outputs
        joined = None if whole is None or operation.params["strides"] else self._joined.get(whole)
        found = _within_a_piece(joined, operation.params) if joined is not None else None
        if found is None:
            self._append(operation)
        elif found[0].shape == made.shape:
            self._instead[made] = found[0]
        else:
            self._append(dataclasses.replace(operation, inputs=found[:1], params=found[1]))


def _within_a_piece(joined: Operation, window: dict[str, Any]) -> tuple[Value, dict[str, Any]] | None:
    """The piece of a concatenation that a slice lies in, and the parameters of the slice there."""
    axis, first = joined.params["dimension"], 0
    start, limit = window["start_indices"], window["limit_indices"]
    for piece in joined.inputs:
        if piece is None:  # a constant of unknown length
            return None
        end = first + piece.shape[axis]
        if first <= start[axis] and limit[axis] <= end:
            moved = {"start_indices": _moved(start, axis, -first), "limit_indices": _moved(limit, axis, -first)}
            return piece, window | moved
        first = end
    return None


def _moved(indices: tuple[int, ...], axis: int, by: int) -> tuple[int, ...]:
    return tuple(index + by if each == axis else index for each, index in enumerate(indices))
