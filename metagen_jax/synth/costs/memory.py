"""The most memory that a traced function takes at once: what is alive together, and the gaps between it.

A compiler does not store every value. Which ones it stores, and in which order, follows what XLA does on a CPU: groups
around a sum or a matrix product come first (`fusion`), other operations are copied into those that read them (`loops`),
and what is left runs breadth first: a kernel is next in line as soon as the last of what it reads is there. So the
gradients of all inputs of a sum of products are there before one of them is used.

Nothing that is stored can be moved, which leaves gaps (`placement`). How much they add depends on sizes, but a trace
serves them all: it is found for a few of them, of which the worst counts. What joins a group also depends on sizes:
where that matters, each case has peaks of its own, and the sizes choose among them.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from metagen_jax.synth.costs.fusion import SMALLEST, groups, has_enough, is_elementwise, simplified, users_of
from metagen_jax.synth.costs.loops import Loops
from metagen_jax.synth.costs.operations import Trace, Value
from metagen_jax.synth.costs.placement import Life, most_alive, room
from metagen_jax.synth.costs.polynomials import Polynomial, Rulers, evaluate, largest

LENGTH = 64  # of the searched axes where gaps are looked for
LONGER = 4  # times as long is one of them after the other
NEGLIGIBLE = 1 / 500  # of the largest value: it fits into any gap
NOTICEABLE = 1 / 50  # of all that is computed: arrays of fewer elements are not told apart
MOST_UNSETTLED = 3  # kinds of arrays that are told apart; each doubles the cases

Ranges = Mapping[str, tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """What one call makes, and the stored values that it reads."""

    made: Value
    reads: tuple[Value, ...]


class Peaks(NamedTuple):
    """The bytes taken beside the inputs at each point that may be the worst one: their maximum is the peak.

    Attributes:
      all: with the function's results.
      without_results: without them.
    """

    all: tuple[Polynomial, ...]
    without_results: tuple[Polynomial, ...]


@dataclasses.dataclass(frozen=True)
class Cases:
    """The peaks of a trace, by which of its arrays are large.

    Attributes:
      elements: of arrays that are large in some networks of a space and small in others.
      peaks: of each case; the first of `elements` changes slowest, small before large.
    """

    elements: tuple[Polynomial, ...]
    peaks: tuple[Peaks, ...]

    def highest(self, which: str, sizes: Mapping[str, Any]) -> Any:
        """The bytes at the worst point of the case that holds, at lengths that are `(N,)` float32.

        Args:
          which: a field of `Peaks`.
        """
        values = jnp.stack([evaluate(getattr(each, which), sizes).max(axis=0) for each in self.peaks])
        case = jnp.zeros(values.shape[1:], jnp.int32)
        for number in evaluate(self.elements, sizes) if self.elements else ():
            case = 2 * case + (number >= SMALLEST)
        return jnp.take_along_axis(values, case[None], axis=0)[0]


def unsettled(trace: Trace, rulers: Rulers, ranges: Ranges) -> tuple[Polynomial, ...]:
    """How many elements those arrays have that are large at some lengths, small at others, and a noticeable part of all.

    Args:
      ranges: the shortest and the longest length of each axis.
    """
    shortest, longest = ({axis: float(ends[end]) for axis, ends in ranges.items()} for end in (0, 1))
    made = [value for operation in trace.operations if is_elementwise(operation) for value in operation.outputs]
    numbers = [rulers.product(value.shape) for value in made]
    total = sum(number.at(shortest) for number in numbers)
    shares: dict[tuple[Any, ...], tuple[float, Polynomial]] = {}
    for number in numbers:
        if number.at(shortest) < SMALLEST <= number.at(longest):
            key = tuple(number.terms.items())
            shares[key] = (shares.get(key, (0.0, number))[0] + number.at(shortest) / total, number)
    most = sorted((each for each in shares.values() if each[0] >= NOTICEABLE), key=lambda each: -each[0])
    return tuple(number for _, number in most[:MOST_UNSETTLED])


def cases(trace: Trace, rulers: Rulers, elements: tuple[Polynomial, ...] = ()) -> Cases:
    """Finds the points of a trace at which it may take most, in each case.

    Args:
      elements: of arrays whose being large makes a case; others are what they are at the rulers' lengths.
    """

    simple = simplified(trace)

    def case(large: Sequence[bool]) -> Peaks:
        def is_large(value: Value) -> bool:
            number = rulers.product(value.shape)
            return large[elements.index(number)] if number in elements else has_enough(value)

        return _peaks(simple, rulers, is_large)

    return Cases(elements, tuple(case(large) for large in itertools.product((False, True), repeat=len(elements))))


def _peaks(trace: Trace, rulers: Rulers, is_large: Callable[[Value], bool]) -> Peaks:
    """Finds the points of a simplified trace at which it may take most."""
    kernels, results = _kernels(trace, is_large)
    sizes = {kernel.made: num_bytes(kernel.made, rulers) for kernel in kernels}
    samples = [{value: size.at(lengths) for value, size in sizes.items()} for lengths in _lengths(rulers.axes)]
    gaps = max(_gaps(kernels, results, sample) for sample in samples)
    taken = {value: size if value in results else size * gaps for value, size in sizes.items()}
    lives = _lives(_in_order(kernels, kernels), results)
    others = {value: life for value, life in lives.items() if value not in results}
    return Peaks(*(largest(_alive(each, taken, rulers.constant(0))) for each in (lives, others)))


def stored(trace: Trace) -> list[Value]:
    """The values that are stored beside the inputs, each by about one kernel; the same ones whatever the sizes."""
    return [kernel.made for kernel in _kernels(simplified(trace), lambda value: True)[0]]


def num_bytes(value: Value, rulers: Rulers) -> Polynomial:
    return rulers.product((*value.shape, value.itemsize))


def _kernels(trace: Trace, is_large: Callable[[Value], bool]) -> tuple[list[Kernel], frozenset[Value]]:
    """The kernels of a simplified trace, in the order of the function's text, and which values are its results."""
    users = users_of(trace)
    loops = Loops(trace, users, groups(trace, users, is_large))
    kernels = []
    for value in (value for operation in trace.operations for value in operation.outputs):
        if value in loops.stored:
            reads = sorted((each for each in loops.reads(value) if each in trace.made), key=lambda each: each.number)
            kernels.append(Kernel(value, tuple(reads)))
    return kernels, frozenset(map(loops.root, trace.outputs))


def _in_order(kernels: Sequence[Kernel], preferred: Iterable[Kernel]) -> list[Kernel]:
    """The kernels breadth first; of those that have waited for the same value, first the ones that are preferred."""
    readers: dict[Value, list[Kernel]] = {}
    for kernel in preferred:
        for value in kernel.reads:
            readers.setdefault(value, []).append(kernel)
    missing = {kernel.made: len(kernel.reads) for kernel in kernels}
    order = [kernel for kernel in kernels if not kernel.reads]
    for kernel in order:  # which grows
        for reader in readers.get(kernel.made, ()):
            missing[reader.made] -= 1
            if not missing[reader.made]:
                order.append(reader)
    return order


def _lives(order: Sequence[Kernel], results: frozenset[Value]) -> dict[Value, tuple[int, int]]:
    """When each value is made, and when it is read for the last time; results stay to the end."""
    last = {kernel.made: time for time, kernel in enumerate(order)}
    for time, kernel in enumerate(order):
        last |= dict.fromkeys(kernel.reads, time)
    last |= dict.fromkeys(results, len(order))
    return {kernel.made: (time, last[kernel.made]) for time, kernel in enumerate(order)}


def _alive(
    lives: Mapping[Value, tuple[int, int]], sizes: Mapping[Value, Polynomial], none: Polynomial
) -> Iterator[Polynomial]:
    """The bytes that are alive whenever another value is made."""
    dying: dict[int, list[Value]] = {}
    for value, (_, last) in lives.items():
        dying.setdefault(last, []).append(value)
    alive, dead = none, 0
    for value, (time, _) in lives.items():
        for before in range(dead, time):
            alive = alive - sum((sizes[each] for each in dying.get(before, ())), none)
        alive, dead = alive + sizes[value], time
        yield alive


def _lengths(axes: tuple[str, ...]) -> Iterator[dict[str, float]]:
    alike = dict.fromkeys(axes, float(LENGTH))
    yield alike
    for axis in axes:
        yield alike | {axis: float(LENGTH * LONGER)}


def _gaps(kernels: Sequence[Kernel], results: frozenset[Value], sizes: Mapping[Value, float]) -> float:
    """How many times what is alive is taken, with the gaps; the function's results have arrays of their own.

    Which of several readers of a value XLA lets run first follows from its lists. That hardly changes how much is alive,
    but gaps are small where products of two kinds take turns, as in the function's text; XLA does not mix them. Here
    those with the largest results come first.
    """
    lives = _lives(_in_order(kernels, sorted(kernels, key=lambda kernel: -sizes[kernel.made])), results)
    least = NEGLIGIBLE * max(sizes.values(), default=0)
    moved = (value for value in lives if value not in results and sizes[value] >= least)
    large = [Life(sizes[value], *lives[value]) for value in moved]
    return room(large) / most_alive(large) if large else 1.0
