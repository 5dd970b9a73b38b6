"""Which operations of a traced function a compiler computes together, without storing what passes between them.

Follows what XLA does first on a CPU, its simplifications and library fusions: around each sum and each matrix product a
group grows, downwards while its result has a single reader, upwards to whatever nobody else reads. What a group reads from
outside is stored for it, also an array that only repeats another one.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

from metagen_jax.synth.costs.operations import Operation, Trace, Value, needed
from metagen_jax.synth.costs.pieces import read_from_pieces
from metagen_jax.synth.costs.work import REDUCTIONS

RENAMES = frozenset(("expand_dims", "reshape", "squeeze", "stop_gradient"))  # the same bytes in the same order
CENTRES = frozenset(("dot_general", "reduce_max", "reduce_min", "reduce_sum"))  # of groups
_BINARY = frozenset(("add", "add_any", "div", "max", "min", "mul", "pow", "sub"))
_COMMUTATIVE = frozenset(("add", "add_any", "max", "min", "mul"))
_UNARY = frozenset(
    (
        *("abs", "convert_element_type", "erf", "exp", "integer_pow", "log", "logistic", "neg", "rsqrt", "sqrt"),
        *("square", "tanh"),
    )
)
_REPEATING = _BINARY | {"and", "atan2", "eq", "ge", "gt", "le", "lt", "ne", "or", "rem", "select_n"}
SMALLEST = 4096  # elements of an array that is computed in a group

Group = list[Operation]
Users = Mapping[Value, Sequence[Operation | None]]


def simplified(trace: Trace) -> Trace:
    """A trace as a compiler sees it: nothing is computed twice, what an elementwise operation repeats along axes is an
    array of its own, and an operation has the name of what it comes to."""
    trace = read_from_pieces(trace)
    operations: list[Operation] = []
    known: dict[tuple[object, ...], Operation] = {}
    instead: dict[Value, Value] = {}

    def add(operation: Operation) -> tuple[Value, ...]:
        params = "" if operation.name == "broadcast_in_dim" else str(operation.params)
        key = (operation.name, _sorted_inputs(operation), operation.outputs[0].shape, str(operation.constants), params)
        first = known.setdefault(key, operation)
        if first is operation:
            operations.append(operation)
        return first.outputs

    number = max((value.number for each in trace.operations for value in each.outputs), default=0)
    for operation in trace.operations:
        made = operation.outputs[0]
        inputs = [None if value is None else instead.get(value, value) for value in operation.inputs]
        if operation.name == "max" and operation.constants == (-math.inf,):  # as in a softmax
            (instead[made],) = filter(None, inputs)
            continue
        if operation.name in _REPEATING:
            for place, value in enumerate(inputs):
                if value is not None and value.shape != made.shape:
                    number += 1
                    repeated = Value(number, made.shape, value.itemsize)
                    (inputs[place],) = add(Operation("broadcast_in_dim", (value,), (repeated,), {}))
        name = "reshape" if _only_renames(operation) else "slice" if _only_cuts(operation) else operation.name
        outputs = add(dataclasses.replace(operation, name=name, inputs=tuple(inputs)))
        instead |= zip(operation.outputs, outputs, strict=True)
    outputs = tuple(dict.fromkeys(instead.get(value, value) for value in trace.outputs))
    return _adding_to_sums(Trace(tuple(operations), trace.inputs, outputs))


def _sorted_inputs(operation: Operation) -> tuple[Value | None, ...]:
    """The inputs, in one order if it does not matter."""
    if operation.name not in _COMMUTATIVE:
        return operation.inputs
    return tuple(sorted(operation.inputs, key=lambda value: -1 if value is None else value.number))


def _adding_to_sums(trace: Trace) -> Trace:
    """What is added up in an array of zeros, and that to another array, is added to the other at once."""
    users = users_of(trace)
    operations = []
    for operation in trace.operations:
        for added, other in (operation.inputs, operation.inputs[::-1]) if operation.name in ("add", "add_any") else ():
            scatter = None if added is None or len(users[added]) > 1 else trace.made.get(added)
            if scatter is not None and other is not None and _starts_from_zeros(scatter, trace):
                inputs = (other, *scatter.inputs[1:])
                operation = dataclasses.replace(scatter, inputs=inputs, outputs=operation.outputs)
                break
        operations.append(operation)
    return dataclasses.replace(trace, operations=needed(operations, trace.outputs))


def _starts_from_zeros(operation: Operation, trace: Trace) -> bool:
    if operation.name != "scatter-add" or operation.inputs[0] is None:
        return False
    start = trace.made.get(operation.inputs[0])
    return start is not None and start.name == "broadcast_in_dim" and start.constants == (0.0,)


def _only_renames(operation: Operation) -> bool:
    """Whether nothing is repeated or summed, because the axes in question have length 1."""
    if operation.name not in REDUCTIONS | {"broadcast_in_dim"} or operation.inputs[0] is None:
        return False
    return math.prod(operation.inputs[0].shape) == math.prod(operation.outputs[0].shape)


def _only_cuts(operation: Operation) -> bool:
    """Whether nothing is put around an array, as in the gradient of one that was padded."""
    return operation.name == "pad" and all(
        low <= 0 and high <= 0 and not inside for low, high, inside in operation.params["padding_config"]
    )


def users_of(trace: Trace) -> dict[Value, list[Operation | None]]:
    """Who reads each value, once each; None for the caller."""
    users: dict[Value, list[Operation | None]] = {}
    for operation in trace.operations:
        for value in dict.fromkeys(operation.inputs):
            if value is not None:
                users.setdefault(value, []).append(operation)
    for value in trace.outputs:
        users.setdefault(value, []).append(None)
    return users


def is_elementwise(operation: Operation) -> bool:
    """Whether it joins a group only if its result is large."""
    return operation.name in _UNARY | _BINARY


def has_enough(value: Value) -> bool:
    """Whether an array is large, with searched axes as long as they are in the trace."""
    return math.prod(value.shape) >= SMALLEST


def groups(trace: Trace, users: Users, is_large: Callable[[Value], bool] = has_enough) -> dict[int, Group]:
    """The group of each operation that is in one, by the operation's `id`.

    Args:
      is_large: of a result, whether an elementwise operation joins a group for it.
    """
    of: dict[int, Group] = {}

    def can_join(operation: Operation) -> bool:
        if operation.name in RENAMES | CENTRES | {"broadcast_in_dim"}:
            return True
        return is_elementwise(operation) and is_large(operation.outputs[0])

    def join(operation: Operation, group: Group) -> None:
        for each in of.get(id(operation), [operation]):
            group.append(each)
            of[id(each)] = group

    def is_inside(user: Operation | None, group: Group) -> bool:
        return user is not None and of.get(id(user)) is group

    def above(group: Group) -> Operation | None:
        """Something that only the group reads."""
        for operation in group:
            for value in operation.inputs if operation.name != "dot_general" else ():
                maker = None if value is None else trace.made.get(value)
                if maker is None or is_inside(maker, group) or not (id(maker) in of or can_join(maker)):
                    continue
                if all(is_inside(user, group) for user in users[value]):  # type: ignore[index]
                    return maker
        return None

    def below(group: Group) -> Operation | None:
        """The only reader of the group's result."""
        for operation in group:
            using = users.get(operation.outputs[0], ())
            user = using[0] if len(using) == 1 else None
            if user is None or is_inside(user, group) or "dot_general" in (operation.name, user.name):
                continue
            if id(user) in of or can_join(user):
                return user
        return None

    for operation in reversed(trace.operations):
        if operation.name in CENTRES and id(operation) not in of:
            group = [operation]
            of[id(operation)] = group
            while (neighbour := above(group) or below(group)) is not None:
                join(neighbour, group)
    return of
