"""What the axis names on a module's parameters say: counts, masks, scales and cuts, all from one piece of metadata."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

Path = tuple[Any, ...]  # names of attributes and positions in lists


class Size(nnx.Variable):
    """An integer attribute of a module turned into a number of run time; its metadata name the `axis`."""


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One parameter of a built module.

    Attributes:
      path: where it is in the module.
      shape: its allocated shape.
      axes: the name of each dimension.
      fan_in: the axes that a contraction with it sums over; empty where it is no contraction.
      layers: `(axis, index)` for every list of layers that it is inside of.
      list_path: where the outermost of these lists is; empty outside of any.
    """

    path: Path
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    fan_in: tuple[str, ...]
    layers: tuple[tuple[str, int], ...]
    list_path: Path

    def lengths(self, sizes: Mapping[str, Any]) -> tuple[Any, ...]:
        """The true length of each dimension; an axis that is not in `sizes` has its allocated one."""
        return tuple(sizes.get(axis, length) for axis, length in zip(self.axes, self.shape, strict=True))

    def present(self, sizes: Mapping[str, Any]) -> Any:
        """Whether every layer that it belongs to is there."""
        here: Any = True
        for axis, index in self.layers:
            here = here & (index < sizes[axis])
        return here


def leaves(module: nnx.Module) -> tuple[Leaf, ...]:
    """Lists the parameters of a module, real or abstract (`nnx.eval_shape`), in the order of `nnx.split`.

    Raises:
      ValueError: a parameter has no `axes`, or not one a dimension.
    """
    lists = {
        (*path, name): axis
        for path, node in nnx.iter_graph(module)
        if isinstance(node, nnx.Module)
        for name, axis in getattr(node, "layer_lists", ())
    }
    found = []
    parameters: list[tuple[Path, Any]] = list(nnx.to_flat_state(nnx.state(module, nnx.Param)))
    for path, param in parameters:
        shape = tuple(param.shape)
        metadata = param.get_metadata()
        axes = metadata.get("axes", ())
        if len(axes) != len(shape):
            raise ValueError(f"{path}: axes {axes} do not name each dimension of shape {shape}.")
        inside = [path[:i] for i in range(len(path)) if path[:i] in lists]
        layers = tuple((lists[outer], path[len(outer)]) for outer in inside)
        found.append(Leaf(path, shape, axes, metadata.get("fan_in", ()), layers, next(iter(inside), ())))
    return tuple(found)


def layer_axes(module_leaves: Iterable[Leaf]) -> tuple[str, ...]:
    """The axes that count layers."""
    return tuple(dict.fromkeys(axis for leaf in module_leaves for axis, _ in leaf.layers))


def param_count(module_leaves: tuple[Leaf, ...], sizes: Mapping[str, Any]) -> Any:
    """Counts the parameters of the network of these sizes.

    Args:
      module_leaves: the leaves of the module at its allocated sizes.
      sizes: axis name to length: integers, or integer arrays of one shape, which is then the shape of the result.
    """
    return sum(math.prod(factors) for factors in count_factors(module_leaves, sizes))


def count_factors(module_leaves: tuple[Leaf, ...], sizes: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The numbers whose products add up to the count of parameters.

    The layers of a list are alike, so a leaf of one of them is counted as often as the list has layers: `sizes` may be
    larger than what the module was built at.
    """
    alike: dict[Path, Leaf] = {}
    for leaf in module_leaves:
        inside = len(leaf.list_path)
        alike.setdefault(leaf.path[:inside] + leaf.path[inside + 1 :] if leaf.layers else leaf.path, leaf)
    return [(*leaf.lengths(sizes), *(sizes[axis] for axis, _ in leaf.layers)) for leaf in alike.values()]


def mask(leaf: Leaf, sizes: Mapping[str, jax.Array]) -> jax.Array:
    """`leaf.shape` bool, True where the network of these sizes has a weight and False where there is padding."""
    real = jnp.broadcast_to(jnp.asarray(leaf.present(sizes)), leaf.shape)
    for dimension, length in enumerate(leaf.lengths(sizes)):
        position = jax.lax.broadcasted_iota(jnp.int32, leaf.shape, dimension)
        real = real & (position < length)
    return real


def rescale_to_true_fan_in(leaf: Leaf, value: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    """Turns weights drawn for the allocated fan-in into weights of the right scale for the true one."""
    if not leaf.fan_in:
        return value
    lengths = dict(zip(leaf.axes, leaf.lengths(sizes), strict=True))
    allocated = dict(zip(leaf.axes, leaf.shape, strict=True))
    ratio = math.prod(allocated[axis] for axis in leaf.fan_in) / math.prod(lengths[axis] for axis in leaf.fan_in)
    return value * np.float32(math.sqrt(ratio))


def install_sizes(module: nnx.Module, names: frozenset[str]) -> None:
    """Replaces the integer attributes that are the length of a searched axis by variables, in place, all through the module.

    Such an attribute is called like its axis, or stands beside it in `size_axes`.
    """
    for _, node in list(nnx.iter_graph(module)):
        if not isinstance(node, nnx.Module):
            continue
        axes = {name: name for name in vars(node)} | dict(getattr(node, "size_axes", ()))
        for name, axis in axes.items():
            if axis in names:
                setattr(node, name, nnx.data(Size(jnp.float32(getattr(node, name)), axis=axis)))
