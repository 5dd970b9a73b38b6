"""A model taken apart into numbers and the rest, and put together again inside a training step."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from metagen_jax.population.flat import Flat, Layout, Stack
from metagen_jax.population.layers import layer_loop
from metagen_jax.synth.named_axes import Size


class Parts:
    """An abstract model without its numbers.

    Args:
      model: has its sizes installed; is changed: the lists of layers that the layout stacks are taken out of it.
      layout: of its parameters.
      mode: of the program.
    """

    def __init__(self, model: nnx.Module, layout: Layout, mode: str):
        self._loops = [(stack, _loop(_take_out(model, stack), stack, mode)) for stack in layout.stacks]
        self._rest = _Module(model)

    def build(
        self,
        split: tuple[Sequence[Any], Sequence[Flat]],
        sizes: Mapping[str, jax.Array],
        depths: Mapping[str, jax.Array],
    ) -> nnx.Module:
        """The model with these parameters, as the layout splits them, and these true sizes.

        Args:
          depths: how many layers of each list are gone through; those beyond its own, whose weights are zero, change
            nothing.
        """
        values, rows = split
        numbers = {axis: size.astype(jnp.float32) for axis, size in sizes.items()}
        model = self._rest.build(values, numbers)
        for (stack, loop), stacked in zip(self._loops, rows, strict=True):
            all_layers = functools.partial(_go_through, loop, stacked, depths[stack.axis], numbers)
            *outer, name = stack.path
            object.__setattr__(functools.reduce(_inside, outer, model), name, [all_layers])
        return model


class _Module:
    """A module in the form in which Flax takes parameters and sizes."""

    def __init__(self, module: nnx.Module):
        split: tuple[Any, ...] = nnx.split(module, nnx.Param, Size)
        self._graph, params, sizes = split
        self._params, self._sizes = (list(nnx.to_flat_state(state)) for state in (params, sizes))

    def build(self, values: Sequence[Any], sizes: Mapping[str, jax.Array]) -> Any:
        params = [(path, param.replace(value)) for (path, param), value in zip(self._params, values, strict=True)]
        numbers = [(path, size.replace(sizes[size.get_metadata("axis")])) for path, size in self._sizes]
        return nnx.merge(self._graph, nnx.from_flat_state(params), nnx.from_flat_state(numbers))


def _take_out(model: nnx.Module, stack: Stack) -> nnx.Module:
    """Empties a list of layers and returns one of them."""
    *outer, name = stack.path
    node = functools.reduce(_inside, outer, model)
    layer = getattr(node, name)[0]
    setattr(node, name, nnx.List([]))
    return layer


def _inside(node: Any, name: Any) -> Any:
    return node[name] if isinstance(name, int) else getattr(node, name)


def _go_through(loop: Any, rows: Any, depth: jax.Array, sizes: Mapping[str, jax.Array], x: Any, *more: Any) -> Any:
    """All layers of a list; `more` is what every one of them reads beside `x`: masks, and numbers that have a gradient."""
    has_gradient = [jnp.issubdtype(array.dtype, jnp.floating) for array in more]
    masks = [None if has else array for array, has in zip(more, has_gradient, strict=True)]
    read = [array if has else None for array, has in zip(more, has_gradient, strict=True)]
    return loop(rows, depth, (sizes, masks), read, x)


def _loop(layer: nnx.Module, stack: Stack, mode: str) -> Any:
    module, packing = _Module(layer), stack.packing

    def run(values: Any, constants: Any, read: Any, x: jax.Array) -> jax.Array:
        sizes, masks = constants
        more = (array if mask is None else mask for array, mask in zip(read, masks, strict=True))
        return module.build(values, sizes)(x, *more)

    return layer_loop(run, packing.pack, packing.unpack, mode)
