"""The most memory that a traced function takes at once, from which of its values are alive together.

A compiler does not store every value: it computes elementwise operations within those that use them. Which values are
stored, and in which order operations run, follows what XLA does on a CPU: what goes into a group of operations around a
sum or a matrix product and what comes out of it is stored, so is what is costly to compute twice; operations run depth
first from the results, and arrays are repeated along axes as soon as they are there.
"""

import dataclasses

from metagen_jax.synth.costs.fusion import RENAMES, SMALLEST, groups, simplified, users_of
from metagen_jax.synth.costs.operations import Operation, Trace, Value
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers, largest
from metagen_jax.synth.costs.work import REDUCTIONS, TRANSCENDENTAL

STORED = REDUCTIONS | {"cumsum", "dot_general", "gather", "scatter", "scatter-add", "sort"}
COSTLY = TRANSCENDENTAL | {"div"}  # not computed twice


def peaks(trace: Trace, rulers: Rulers, with_results: bool = True) -> tuple[Polynomial, ...]:
    """The bytes alive beside the inputs at each point that may be the worst one: their maximum is the peak.

    Args:
      with_results: whether the function's results count.
    """
    trace = _in_order(trace)
    storage = _Storage(trace)
    uncounted = set() if with_results else {storage.root(value) for value in trace.outputs}
    last_use = _last_uses(trace, storage)
    dying: dict[int, list[Value]] = {}
    for value, time in last_use.items():
        if value in storage.made and value not in uncounted:
            dying.setdefault(time, []).append(value)
    none = rulers.constant(0)
    alive, points = none, []
    for time, operation in enumerate(trace.operations):
        made = (value for value in operation.outputs if value in storage.stored and value not in uncounted)
        new = sum((num_bytes(value, rulers) for value in made), none)
        points.append(alive + new - _taken_over(operation, storage, dying.get(time, ()), rulers))
        alive = alive + new - sum((num_bytes(value, rulers) for value in dying.get(time, ())), none)
    return largest(points)


def stored(trace: Trace) -> list[Value]:
    """The values that are stored beside the inputs, each by about one kernel; the same ones whatever the sizes."""
    trace = _in_order(trace)
    storage = _Storage(trace, smallest=0)
    return [value for operation in trace.operations for value in operation.outputs if value in storage.stored]


class _Storage:
    """Which values of a trace are stored."""

    def __init__(self, trace: Trace, smallest: int = SMALLEST):
        self.made = trace.made
        self._users = users_of(trace)
        self._groups = groups(trace, self._users, smallest)
        self._sources: dict[Value, frozenset[Value]] = {}
        self.stored: set[Value] = set()
        for operation in trace.operations:
            if self.is_grouped(operation):
                self._store_grouped(operation)
            else:
                self._store_alone(operation)
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

    def is_grouped(self, operation: Operation) -> bool:
        return id(operation) in self._groups

    def _store_grouped(self, operation: Operation) -> None:
        """Stores what the operation's group reads and what others read of it."""
        group = self._groups[id(operation)]
        if any(user is None or self._groups.get(id(user)) is not group for user in self._users[operation.outputs[0]]):
            self.stored.update(operation.outputs)
        for value in map(self.root, filter(None, operation.inputs)):
            if value in self.made and self._groups.get(id(self.made[value])) is not group:
                self.stored.add(value)

    def _store_alone(self, operation: Operation) -> None:
        source = operation.inputs[0] if operation.inputs else None
        is_shared = len(self._users[operation.outputs[0]]) > 1
        is_padded = operation.name == "pad" and source is not None and self.root(source) in self.stored
        if operation.name in STORED or is_padded or (operation.name in COSTLY and is_shared):
            self.stored.update(operation.outputs)


def _last_uses(trace: Trace, storage: _Storage) -> dict[Value, int]:
    last: dict[Value, int] = {}
    for time, operation in enumerate(trace.operations):
        if not storage.stored.isdisjoint(operation.outputs):
            for value in operation.inputs:
                if value is not None:
                    last |= dict.fromkeys(storage.sources(value), time)
    for value in trace.outputs:
        last |= dict.fromkeys(storage.sources(value), len(trace.operations))
    return last


def _taken_over(operation: Operation, storage: _Storage, dying: list[Value] | tuple[()], rulers: Rulers) -> Polynomial:
    """The bytes of an elementwise result that is written over an operand which is not needed again."""
    is_elementwise = operation.name not in STORED and not storage.is_grouped(operation)
    if not is_elementwise or storage.stored.isdisjoint(operation.outputs):
        return rulers.constant(0)
    size = num_bytes(operation.outputs[0], rulers)
    fits = any(num_bytes(value, rulers).dominates(size) for value in dying)
    return size if fits else rulers.constant(0)


def _in_order(trace: Trace) -> Trace:
    """The trace, simplified, in the order in which the results ask for operations; but arrays are repeated early."""
    trace = simplified(trace)
    made = trace.made
    repeating: dict[Value | None, list[Operation]] = {}
    for operation in trace.operations:
        if operation.name == "broadcast_in_dim":
            source = operation.inputs[0] if operation.inputs[0] in made else None
            repeating.setdefault(source, []).append(operation)
    done: set[int] = set()
    order: list[Operation] = []

    def do(operation: Operation) -> None:
        if id(operation) not in done:
            done.add(id(operation))
            order.append(operation)
            for each in (each for value in operation.outputs for each in repeating.get(value, ())):
                do(each)

    for each in repeating.get(None, ()):
        do(each)
    stack = [(made[value], False) for value in reversed(trace.outputs) if value in made]
    while stack:
        operation, is_ready = stack.pop()
        if is_ready:
            do(operation)
        elif id(operation) not in done:
            stack.append((operation, True))
            stack += [(made[value], False) for value in reversed(operation.inputs) if value in made]
    return dataclasses.replace(trace, operations=tuple(order))


def num_bytes(value: Value, rulers: Rulers) -> Polynomial:
    return rulers.product((*value.shape, value.itemsize))
