"""The most memory that a traced function takes at once, from which of its values are alive together.

A compiler does not store every value: it computes elementwise operations within those that use them. Which values are
stored, and in which order operations run, follows what XLA does on a CPU: what goes into a matrix product and what comes
out of it is stored, so is what is summed and what is costly to compute twice; operations run depth first from the
results, so that the gradients of weights come late.
"""

import math
from collections.abc import Collection

from metagen_jax.synth.costs.operations import Operation, Trace, Value
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers, largest
from metagen_jax.synth.costs.work import MOVES, REDUCTIONS, TRANSCENDENTAL

RENAMES = frozenset(("expand_dims", "reshape", "squeeze", "stop_gradient"))  # the same bytes in the same order
STORED = REDUCTIONS | {"cumsum", "dot_general", "gather", "scatter", "scatter-add", "sort"}
COSTLY = TRANSCENDENTAL | {"div"}  # not computed twice
FRESH = frozenset(("broadcast_in_dim", "iota"))  # made from nothing wherever they are used


def peaks(trace: Trace, rulers: Rulers, beside: Collection[Value] = ()) -> tuple[Polynomial, ...]:
    """The bytes alive beside the inputs at each point that may be the worst one: their maximum is the peak.

    Args:
      beside: values that are not counted either.
    """
    operations = _depth_first(trace)
    storage = _Storage(operations, trace)
    uncounted = {storage.root(value) for value in beside}
    last_use = _last_uses(operations, trace, storage)
    dying: dict[int, list[Value]] = {}
    for value, time in last_use.items():
        if value in storage.made and value not in uncounted:
            dying.setdefault(time, []).append(value)
    none = rulers.constant(0)
    alive, points = none, []
    for time, operation in enumerate(operations):
        made = (value for value in operation.outputs if value in storage.stored and value not in uncounted)
        new = sum((num_bytes(value, rulers) for value in made), none)
        points.append(alive + new - _taken_over(operation, storage, dying.get(time, ()), rulers))
        alive = alive + new - sum((num_bytes(value, rulers) for value in dying.get(time, ())), none)
    return largest(points)


def stored(trace: Trace) -> list[Value]:
    """The values that are stored beside the inputs, each by about one kernel."""
    operations = _depth_first(trace)
    storage = _Storage(operations, trace)
    return [value for operation in operations for value in operation.outputs if value in storage.stored]


class _Storage:
    """Which values of a trace are stored."""

    def __init__(self, operations: list[Operation], trace: Trace):
        self.made = {value: operation for operation in operations for value in operation.outputs}
        self._users: dict[Value, int] = {}
        self._sources: dict[Value, frozenset[Value]] = {}
        for operation in operations:
            if operation.name not in RENAMES:
                for value in {self.root(each) for each in operation.inputs if each is not None}:
                    self._users[value] = self._users.get(value, 0) + 1
        self.stored: set[Value] = set()
        for operation in operations:
            self._store(operation)
        self.stored |= {self.root(value) for value in trace.outputs if self.root(value) in self.made}
        self.stored = {self.root(value) for value in self.stored}

    def root(self, value: Value) -> Value:
        """The value whose bytes a renamed one shares."""
        operation = self.made.get(value)
        while operation is not None and operation.name in RENAMES and operation.inputs[0] is not None:
            value = operation.inputs[0]
            operation = self.made.get(value)
        return value

    def sources(self, value: Value) -> frozenset[Value]:
        """The stored values that a value is computed from where it is used."""
        value = self.root(value)
        if value in self.stored or value not in self.made:
            return frozenset([value])
        if value not in self._sources:
            operands = [self.sources(each) for each in self.made[value].inputs if each is not None]
            self._sources[value] = frozenset[Value]().union(*operands)
        return self._sources[value]

    def _store(self, operation: Operation) -> None:
        shared = self._users.get(operation.outputs[0], 0) > 1
        if operation.name in STORED or operation.name == "pad" or (operation.name in COSTLY and shared):
            self.stored.update(operation.outputs)
        if operation.name == "dot_general":
            for value in operation.inputs:
                if value is not None and self._is_computed(self.root(value)):
                    self.stored.add(self.root(value))
        if operation.name in REDUCTIONS and operation.inputs[0] is not None:
            self._store_reduced(self.root(operation.inputs[0]))

    def _store_reduced(self, value: Value) -> None:
        """Stores what a reduction reads, but not what only it uses: that is computed within it."""
        if not self._is_computed(value) or value in self.stored:
            return
        operation = self.made[value]
        if self._users.get(value, 0) > 1 and operation.name not in MOVES and operation.name != "convert_element_type":
            self.stored.add(value)
            return
        for operand in operation.inputs:
            if operand is not None and math.prod(operand.shape) >= math.prod(value.shape):
                self._store_reduced(self.root(operand))

    def _is_computed(self, value: Value) -> bool:
        return value in self.made and self.made[value].name not in FRESH


def _last_uses(operations: list[Operation], trace: Trace, storage: _Storage) -> dict[Value, int]:
    last: dict[Value, int] = {}
    for time, operation in enumerate(operations):
        if not storage.stored.isdisjoint(operation.outputs):
            for value in operation.inputs:
                if value is not None:
                    last |= dict.fromkeys(storage.sources(value), time)
    for value in trace.outputs:
        last |= dict.fromkeys(storage.sources(value), len(operations))
    return last


def _taken_over(operation: Operation, storage: _Storage, dying: list[Value] | tuple[()], rulers: Rulers) -> Polynomial:
    """The bytes of an elementwise result that is written over an operand which is not needed again."""
    if operation.name in STORED or storage.stored.isdisjoint(operation.outputs):
        return rulers.constant(0)
    size = num_bytes(operation.outputs[0], rulers)
    fits = any(num_bytes(value, rulers).dominates(size) for value in dying)
    return size if fits else rulers.constant(0)


def _depth_first(trace: Trace) -> list[Operation]:
    """The operations in the order in which the results ask for them, last operand first."""
    made = {value: operation for operation in trace.operations for value in operation.outputs}
    done: set[int] = set()
    order: list[Operation] = []
    stack = [(made[value], False) for value in reversed(trace.outputs) if value in made]
    while stack:
        operation, ready = stack.pop()
        if id(operation) in done:
            continue
        if ready:
            done.add(id(operation))
            order.append(operation)
            continue
        stack.append((operation, True))
        stack += [(made[value], False) for value in operation.inputs if value is not None and value in made]
    return order


def num_bytes(value: Value, rulers: Rulers) -> Polynomial:
    return rulers.product((*value.shape, value.itemsize))
