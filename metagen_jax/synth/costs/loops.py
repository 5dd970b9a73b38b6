"""Which operations outside groups are computed within those that read them, as XLA's loop fusion on a CPU decides it.

From the results to the inputs, an operation is copied into each that reads it and can hold a copy; where all of them can,
nothing is stored. So a value that is stored for one reader may be computed anew for another, from older values.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from metagen_jax.synth.costs.fusion import RENAMES, Group, Users
from metagen_jax.synth.costs.operations import Operation, Trace, Value
from metagen_jax.synth.costs.work import REDUCTIONS, TRANSCENDENTAL

ALONE = REDUCTIONS | {"cumsum", "dot_general", "gather", "scatter", "scatter-add", "sort"}  # neither copied nor holding
_BRANCHING = frozenset(("concatenate", "pad"))

Place = tuple[int, ...]


class Loops:
    """Which values of a trace are stored, and which of them are read to make each.

    Attributes:
      stored: without those that only rename another's bytes.
    """

    def __init__(self, trace: Trace, users: Users, groups: Mapping[int, Group]):
        self._made = trace.made
        self._users = users
        self._groups = groups
        self._above = _ancestors(trace)
        self._final: set[Value] = set()  # of which there are no copies
        self._places: dict[Value, frozenset[Place]] = {}  # where a value is computed; two stand for any more
        self._sources: dict[Value, frozenset[Value]] = {}
        self.stored: set[Value] = set()
        for operation in reversed(trace.operations):
            for value in operation.outputs:
                self._decide(value)
        for operation in trace.operations:
            sources = [self._read_for(value) for value in operation.inputs if value is not None]
            self._sources |= dict.fromkeys(operation.outputs, frozenset[Value]().union(*sources))

    def reads(self, value: Value) -> frozenset[Value]:
        """The values, stored ones or inputs, that are read to make a stored one."""
        group = self._groups.get(id(self._made[value]))
        if group is None and self._made[value].name not in ALONE:
            return self._sources[value]
        operations = group or [self._made[value]]
        inside = {each for operation in operations for each in operation.outputs}
        inputs = {each for operation in operations for each in operation.inputs if each is not None}
        return frozenset(map(self.root, inputs - inside))

    def root(self, value: Value) -> Value:
        """The value whose bytes a renamed one shares."""
        operation = self._made.get(value)
        while operation is not None and operation.name in RENAMES and operation.inputs[0] is not None:
            value = operation.inputs[0]
            operation = self._made.get(value)
        return value

    def _read_for(self, value: Value) -> frozenset[Value]:
        """What is read for a value by an operation that can hold copies."""
        root = self.root(value)
        return frozenset([root]) if root in self._final or root not in self._made else self._sources[root]

    def _decide(self, value: Value) -> None:
        """Whether a value is stored, and whether for all of its readers; theirs are decided already."""
        operation, users = self._made[value], self._users.get(value, ())
        group = self._groups.get(id(operation))
        if group is not None and all(self._is_in(group, user) for user in users):
            self._final.add(value)
            return
        holders = [user for user in users if user is not None and self._can_hold(user, operation)]
        places = _few(place for user in holders for made in user.outputs for place in self._within(made, value))
        is_stored = len(holders) < len(users)
        is_only_once = operation.name in _BRANCHING or _is_costly(operation)
        if not holders or (is_only_once and len(places) + is_stored > 1) or self._would_read_more(value):
            self._final.add(value)
            is_stored, places = True, frozenset()
        if is_stored:
            self.stored.add(self.root(value))
            places = _few(((value.number,), *places))
        self._places[value] = places

    def _within(self, made: Value, value: Value) -> Iterator[Place]:
        """Where a copy for a reader's result is computed: at elements of its own if the shapes differ."""
        for place in self._places[made]:
            yield place if made.shape == value.shape else (made.number, *place)

    def _is_in(self, group: Group, user: Operation | None) -> bool:
        return user is not None and self._groups.get(id(user)) is group

    def _is_alone(self, operation: Operation) -> bool:
        return id(operation) in self._groups or operation.name in ALONE

    def _can_hold(self, user: Operation, operation: Operation) -> bool:
        """Whether a reader could hold a copy of an operation. What is costly is not repeated along an axis."""
        if self._is_alone(user) or self._is_alone(operation):
            return False
        return not (user.name == "broadcast_in_dim" and _is_costly(operation))

    def _would_read_more(self, value: Value) -> bool:
        """Whether copies would read more arrays than the value is, while some reader cannot do without it."""
        operands = {each for each in self._made[value].inputs if each is not None}
        large = [each for each in operands if _rank(each) >= _rank(value) and not self._is_repeated(each)]
        if len(large) < 2 or sum(math.prod(each.shape) for each in operands) <= math.prod(value.shape):
            return False
        known: dict[int, bool] = {}
        return not all(user is not None and self._can_reach(value, user, known) for user in self._users[value])

    def _can_reach(self, value: Value, user: Operation, known: dict[int, bool]) -> bool:
        """Whether a reader can hold copies of all that lies between it and a value."""
        if id(user) not in known:
            between = [each for each in user.inputs if each is not None and self._is_from(each, value)]
            known[id(user)] = all(
                self._is_copied(each, user) and (each is value or self._can_reach(value, self._made[each], known))
                for each in between
            )
        return known[id(user)]

    def _is_from(self, value: Value, source: Value) -> bool:
        return value is source or bool(self._above.get(value, 0) >> source.number & 1)

    def _is_copied(self, value: Value, user: Operation) -> bool:
        operation = self._made[value]
        is_dear = _is_costly(operation) and len(self._users[value]) > 1
        return value not in self._final and self._can_hold(user, operation) and not is_dear

    def _is_repeated(self, value: Value) -> bool:
        return value in self._made and self._made[value].name in ("broadcast_in_dim", "iota")


def _is_costly(operation: Operation) -> bool:
    """Whether it is not worth computing twice. Dividing by a constant is a product."""
    return operation.name in TRANSCENDENTAL or (operation.name == "div" and operation.inputs[1] is not None)


def _rank(value: Value) -> int:
    return sum(length > 1 for length in value.shape)


def _few(places: Iterable[Place]) -> frozenset[Place]:
    return frozenset(list(dict.fromkeys(places))[:2])


def _ancestors(trace: Trace) -> dict[Value, int]:
    """The numbers of the values that each value is computed from, as bits."""
    above: dict[Value, int] = {}
    for operation in trace.operations:
        own = 0
        for value in operation.inputs:
            if value is not None:
                own |= above.get(value, 0) | 1 << value.number
        above |= dict.fromkeys(operation.outputs, own)
    return above
