"""The work of a traced function, counted as XLA's cost analysis counts it."""

import math
from typing import NamedTuple

from metagen_jax.synth.costs.operations import Operation, Trace
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers

TRANSCENDENTAL = frozenset(
    (
        "cbrt",
        "cos",
        "erf",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log1p",
        "logistic",
        "pow",
        "rsqrt",
        "sin",
        "sqrt",
        "tan",
        "tanh",
    )
)
MOVES = frozenset(  # of data alone
    (
        *("broadcast_in_dim", "concatenate", "copy", "copy_p", "dynamic_slice", "dynamic_update_slice", "expand_dims"),
        *("gather", "iota", "pad", "reshape", "rev", "slice", "split", "squeeze", "stack", "stop_gradient"),
        *("transpose", "unstack"),
    )
)
REDUCTIONS = frozenset(
    ("argmax", "argmin", "reduce_and", "reduce_max", "reduce_min", "reduce_or", "reduce_prod", "reduce_sum")
)


class Work(NamedTuple):
    """What is computed, as functions of the sizes.

    Attributes:
      flops: a multiply and an add are two; as XLA does, comparisons and conversions count too.
      product_flops: those of matrix products among them.
      transcendentals: evaluations of such functions, which are not among the FLOPs.
    """

    flops: Polynomial
    product_flops: Polynomial
    transcendentals: Polynomial


def work_of(trace: Trace, rulers: Rulers) -> Work:
    """Counts the operations of a trace whose searched axes have the rulers' lengths."""
    none = rulers.constant(0)
    flops = products = transcendentals = none
    for operation in trace.operations:
        if operation.name == "dot_general":
            products = products + _product_flops(operation, rulers)
            continue
        flops = flops + _other_flops(operation, rulers)
        if operation.name in TRANSCENDENTAL:
            transcendentals = transcendentals + rulers.product(operation.outputs[0].shape)
    return Work(flops + products, products, transcendentals)


def _product_flops(operation: Operation, rulers: Rulers) -> Polynomial:
    (contracted, _), _ = operation.params["dimension_numbers"]
    left = operation.inputs[0]
    assert left is not None
    return rulers.product((2, *operation.outputs[0].shape, *(left.shape[axis] for axis in contracted)))


def _other_flops(operation: Operation, rulers: Rulers) -> Polynomial:
    result = rulers.product(operation.outputs[0].shape)
    if operation.name in MOVES or (operation.name in TRANSCENDENTAL and operation.name != "logistic"):
        return rulers.constant(0)
    if operation.name == "add" and 0 in operation.constants:  # where a sum starts; XLA leaves it out
        return rulers.constant(0)
    if operation.name in REDUCTIONS:
        (reduced,) = operation.inputs
        assert reduced is not None
        return rulers.product(reduced.shape) - result
    if operation.name.startswith("scatter"):
        updates = operation.inputs[2]
        assert updates is not None
        return rulers.product(updates.shape)
    if operation.name == "logistic":  # XLA writes it as 1 / (1 + exp(-x))
        return result * 3
    if operation.name == "integer_pow":
        return result * _multiplications(abs(operation.params["y"]))
    return result


def _multiplications(power: int) -> int:
    """Of raising to a whole power by squaring."""
    return max(1, math.floor(math.log2(max(power, 1))) + bin(power).count("1") - 1)
