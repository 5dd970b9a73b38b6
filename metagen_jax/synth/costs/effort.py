"""What one answer takes, counted in the trace of a forward pass.

The terms are those that times of small networks turned out to follow on a CPU. What XLA's matrix products and sums do
with awkward sizes matters there more than the number of operations.
"""

import collections
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from metagen_jax.synth.costs import memory
from metagen_jax.synth.costs.operations import Operation, Trace, Value
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers, evaluate
from metagen_jax.synth.costs.work import REDUCTIONS

ROWS, COLUMNS = 4, 16  # of a product, that are worked on at once
CACHE_BYTES = 256 * 1024  # of the weights, that the last answer has left near the core
FEWEST_SUMMED = 4096  # from so many numbers on, XLA hands a sum over to a library
WINDOW = 32  # numbers of a row that are reduced at once; what is left over takes longer


class Effort(NamedTuple):
    """The terms that a latency is a linear function of, `(N,)` float32 each.

    Attributes:
      calls: 1.
      products: how many matrix products there are; everything between them is in proportion.
      tiled_flops: of products with weights, rows and columns filled up to whole tiles.
      batch_flops: of products of a batch, such as queries and keys.
      produced: numbers that products with weights produce; what follows them, elementwise, is in proportion.
      left_values: left factors of products with weights.
      batch_left_values: left factors of products of a batch, such as attention weights.
      packed_values: right factors of products of a batch; each is copied to be read in order.
      stored_bytes: of all values that are stored on the way.
      cold_bytes: of the weights that do not fit into the cache.
      paired_sums: products of two numbers in large sums of such, as in a layer norm's variance.
      left_over: numbers beyond the last whole window of each reduced row.
    """

    calls: Any
    products: Any
    tiled_flops: Any
    batch_flops: Any
    produced: Any
    left_values: Any
    batch_left_values: Any
    packed_values: Any
    stored_bytes: Any
    cold_bytes: Any
    paired_sums: Any
    left_over: Any


@dataclasses.dataclass(frozen=True)
class Product:
    """Equal matrix products of a trace: how many, whether of a batch, rows and columns, FLOPs of each pair of those."""

    count: int
    batched: bool
    rows: Polynomial
    columns: Polynomial
    flops: Polynomial


@dataclasses.dataclass(frozen=True)
class Reduction:
    """Equal reductions over a last axis: how many, whether they sum products of pairs, rows and their length."""

    count: int
    paired: bool
    rows: Polynomial
    length: Polynomial


@dataclasses.dataclass(frozen=True)
class Tally:
    """What is counted in a trace, as functions of the sizes."""

    products: tuple[Product, ...]
    stored_bytes: Polynomial
    weight_bytes: Polynomial
    packed_values: Polynomial
    reductions: tuple[Reduction, ...]


class Amounts(NamedTuple):
    """A tally at given sizes, `(N,)` float32 each; linear in the number of layers. As in `Effort`, except for weights."""

    products: Any
    tiled_flops: Any
    batch_flops: Any
    produced: Any
    left_values: Any
    batch_left_values: Any
    packed_values: Any
    stored_bytes: Any
    weight_bytes: Any
    paired_sums: Any
    left_over: Any

    def effort(self) -> Effort:
        cold = jnp.maximum(self.weight_bytes - CACHE_BYTES, 0.0)
        same = {name: value for name, value in self._asdict().items() if name in Effort._fields}
        return Effort(calls=jnp.ones_like(cold), cold_bytes=cold, **same)


def tally(trace: Trace, rulers: Rulers) -> Tally:
    """Counts in a trace whose searched axes have the rulers' lengths."""
    products = [operation for operation in trace.operations if operation.name == "dot_general"]
    packed = [operation.inputs[1] for operation in products if _batch(operation)]

    def total(values: Iterable[Value | None], measure: Callable[[Value], Polynomial]) -> Polynomial:
        return sum((measure(value) for value in values if value is not None), rulers.constant(0))

    def num_bytes(value: Value) -> Polynomial:
        return memory.num_bytes(value, rulers)

    def num_values(value: Value) -> Polynomial:
        return rulers.product(value.shape)

    return Tally(
        _products(products, rulers),
        total(memory.stored(trace), num_bytes),
        total(trace.inputs, num_bytes),
        total(packed, num_values),
        _reductions(trace, rulers),
    )


def amounts(tally: Tally, sizes: Mapping[str, Any]) -> Amounts:
    """Evaluates a tally at lengths that are `(N,)` float32, or at none."""
    stored, weights, packed = evaluate([tally.stored_bytes, tally.weight_bytes, tally.packed_values], sizes)
    count, batched, rows, columns, flops = _columns(tally.products, ("rows", "columns", "flops"), "batched", sizes)
    tiled = _filled_up(rows, ROWS) * _filled_up(columns, COLUMNS) * flops
    left = rows * flops / 2
    num, paired, reduced, length = _columns(tally.reductions, ("rows", "length"), "paired", sizes)
    large = jnp.where(reduced * length >= FEWEST_SUMMED, reduced * length, 0.0)
    return Amounts(
        products=jnp.full_like(stored, count.sum()),
        tiled_flops=jnp.tensordot(count * ~batched, tiled, axes=1),
        batch_flops=jnp.tensordot(count * batched, rows * columns * flops, axes=1),
        produced=jnp.tensordot(count * ~batched, rows * columns, axes=1),
        left_values=jnp.tensordot(count * ~batched, left, axes=1),
        batch_left_values=jnp.tensordot(count * batched, left, axes=1),
        packed_values=packed,
        stored_bytes=stored,
        weight_bytes=weights,
        paired_sums=jnp.tensordot(num * paired, large, axes=1),
        left_over=jnp.tensordot(num, reduced * (length % WINDOW), axes=1),
    )


def _columns(items: Sequence[Any], polynomials: Sequence[str], flag: str, sizes: Mapping[str, Any]) -> list[Any]:
    """Counts and flags of P items, `(P,)` each, and their polynomials evaluated, `(P, N)` each."""
    counts = jnp.array([item.count for item in items], jnp.float32)
    flags = jnp.array([getattr(item, flag) for item in items], bool)
    return [counts, flags, *(evaluate([getattr(item, name) for item in items], sizes) for name in polynomials)]


def _filled_up(lengths: Any, tile: int) -> Any:
    return jnp.ceil(lengths / tile) * tile


def _products(operations: list[Operation], rulers: Rulers) -> tuple[Product, ...]:
    counts = collections.Counter((_batch(operation), *_lengths(operation)) for operation in operations)
    return tuple(
        Product(count, batched, *(rulers.product([length]) for length in lengths))
        for (batched, *lengths), count in counts.items()
    )


def _lengths(operation: Operation) -> tuple[int, int, int]:
    """Rows, columns and the FLOPs of each pair of them."""
    (contracted, _), (batch, _) = operation.params["dimension_numbers"]
    left, right = operation.inputs
    assert left is not None and right is not None
    num_batches = math.prod(left.shape[axis] for axis in batch)
    inner = num_batches * math.prod(left.shape[axis] for axis in contracted)
    return math.prod(left.shape) // inner, math.prod(right.shape) // inner, 2 * inner


def _batch(operation: Operation) -> bool:
    return bool(operation.params["dimension_numbers"][1][0])


def _reductions(trace: Trace, rulers: Rulers) -> tuple[Reduction, ...]:
    made = {value: operation for operation in trace.operations for value in operation.outputs}
    counts: collections.Counter[tuple[bool, int, int]] = collections.Counter()
    for operation in trace.operations:
        value = operation.inputs[0] if operation.name in REDUCTIONS else None
        if value is None or len(value.shape) - 1 not in operation.params["axes"]:
            continue
        source = made.get(value)
        paired = source is not None and source.name == "mul" and source.inputs[0] != source.inputs[1]
        counts[paired, math.prod(value.shape[:-1]), value.shape[-1]] += 1
    return tuple(
        Reduction(count, paired, rulers.product([rows]), rulers.product([length]))
        for (paired, rows, length), count in counts.items()
    )
