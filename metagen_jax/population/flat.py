"""All parameters of a candidate as two long arrays, so that an optimiser's step is a few operations and not a few a leaf.

On a CPU, XLA spends its time on compiling one small kernel after the other, and small networks on starting them.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from metagen_jax.synth.named_axes import Leaf, Path


class Flat(NamedTuple):
    """Many arrays, one after the other, kept apart as far as an optimiser tells them apart.

    `make_optimizer` knows the weights that decay by their number of dimensions. Apart from that it treats each number by
    itself, but for one norm over all of them, so that two long arrays give what many short ones do. An optimiser that
    looks at single leaves (LAMB, Muon, Adafactor) needs leaves; a test holds every schedule to this.

    Attributes:
      matrices: those of two and more dimensions, `(M, 1)`.
      vectors: those of one, `(V,)`.
    """

    matrices: Any
    vectors: Any


class Packing:
    """The way between arrays of these shapes and `Flat`; arrays are NumPy's or JAX's and stay what they are."""

    def __init__(self, shapes: Sequence[tuple[int, ...]]):
        self._places = []  # of each array: which field it is in, from where to where, its shape
        lengths = [0, 0]
        for shape in shapes:
            field, first = (0 if len(shape) > 1 else 1), lengths[0 if len(shape) > 1 else 1]
            lengths[field] += math.prod(shape)
            self._places.append((field, slice(first, lengths[field]), shape))
        self.lengths = Flat(*lengths)

    def pack(self, values: Sequence[Any]) -> Flat:
        xp = values[0].__array_namespace__()
        fields = [[xp.zeros(0, values[0].dtype)] for _ in self.lengths]
        for (field, _, _), value in zip(self._places, values, strict=True):
            fields[field].append(value.reshape(-1))
        matrices, vectors = map(xp.concatenate, fields)
        return Flat(matrices[:, None], vectors)

    def unpack(self, flat: Flat) -> list[Any]:
        fields = (flat.matrices[:, 0], flat.vectors)
        return [fields[field][place].reshape(shape) for field, place, shape in self._places]


class Stack(NamedTuple):
    """A list of equal layers.

    Attributes:
      path: where the list is in the module.
      axis: the searched axis that counts its members.
      depth: how many are allocated.
      packing: of the parameters of one of them.
    """

    path: Path
    axis: str
    depth: int
    packing: Packing


class Layout:
    """Where every parameter lies: first those outside of lists of layers, then one layer after the other.

    Args:
      leaves: all parameters.
    """

    def __init__(self, leaves: Sequence[Leaf]):
        inside = [number for number, leaf in enumerate(leaves) if leaf.list_path]
        outside = [number for number in range(len(leaves)) if number not in inside]
        inside.sort(key=lambda number: (leaves[number].list_path, leaves[number].layers[0]))
        self._order = [*outside, *inside]
        self._all = Packing([leaves[number].shape for number in self._order])
        self._outside = Packing([leaves[number].shape for number in outside])
        lists = itertools.groupby([leaves[number] for number in inside], key=lambda leaf: leaf.list_path)
        self.stacks = [_stack(path, list(members)) for path, members in lists]

    @property
    def lengths(self) -> Flat:
        """How many numbers there are, padding included."""
        return self._all.lengths

    def pack(self, values: Sequence[Any]) -> Flat:
        """Takes the parameters in the order of the leaves."""
        return self._all.pack([values[number] for number in self._order])

    def unpack(self, flat: Flat) -> list[Any]:
        """The parameters in the order of the leaves."""
        values = dict(zip(self._order, self._all.unpack(flat), strict=True))
        return [values[number] for number in range(len(values))]

    def split(self, flat: Flat) -> tuple[list[Any], list[Flat]]:
        """The parameters outside of lists, and the layers of each list as rows: `(L, M, 1)` and `(L, V)`."""
        rows, done = [], self._outside.lengths
        for stack in self.stacks:
            until = Flat(*(n + stack.depth * length for n, length in zip(done, stack.packing.lengths, strict=True)))
            parts = [array[slice(*ends)] for array, *ends in zip(flat, done, until, strict=True)]
            rows.append(Flat(*(part.reshape(stack.depth, -1, *part.shape[1:]) for part in parts)))
            done = until
        return self._outside.unpack(flat), rows

    def join(self, values: Sequence[Any], rows: Sequence[Flat]) -> Flat:
        """The inverse of `split`."""
        xp = values[0].__array_namespace__()
        parts = zip(self._outside.pack(values), *rows, strict=True)
        return Flat(*(xp.concatenate([own, *(r.reshape(-1, *own.shape[1:]) for r in rest)]) for own, *rest in parts))


def _stack(path: Path, members: list[Leaf]) -> Stack:
    """Makes a stack of the leaves of a list, one layer after the other."""
    layers = [list(layer) for _, layer in itertools.groupby(members, key=lambda leaf: leaf.layers[0])]
    return Stack(path, members[0].layers[0][0], len(layers), Packing([leaf.shape for leaf in layers[0]]))
