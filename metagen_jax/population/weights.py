"""Initial weights of a candidate, and the way between true sizes and allocated ones."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.population.devices import accelerator
from metagen_jax.synth import named_axes
from metagen_jax.synth.named_axes import Leaf, Path

HASTILY = {"xla_backend_optimization_level": 0}
MOST_DRAWN_AT_ONCE, MOST_DRAWN_BYTES = 64, 2**28  # networks, and bytes of all of them, on an accelerator
Weights = dict[Path, np.ndarray]  # the parameters of one network at its true sizes


class Structure:
    """A rendered program at the largest sizes of its search space.

    Attributes:
      module: the loaded program: `Config`, the model class, `loss_fn`, `make_optimizer`, `train_batch`.
      model_class: name of the model class in it.
      largest: the largest length of each searched axis.
      leaves: its parameters at these sizes.
    """

    def __init__(self, module: ModuleType, model_class: str, largest: Mapping[str, int]):
        self.module = module
        self.model_class = model_class
        self.largest = dict(largest)
        self.leaves = named_axes.leaves(self.abstract(self.largest))

    def build(self, sizes: Mapping[str, int], key: jax.Array) -> nnx.Module:
        """Builds the model of these sizes, with weights drawn from `key` (consumed)."""
        config = self.module.Config(**sizes)
        return getattr(self.module, self.model_class)(config, nnx.Rngs(params=key))

    def abstract(self, sizes: Mapping[str, int]) -> nnx.Module:
        """The model of these sizes with shapes in the place of weights."""
        return nnx.eval_shape(lambda: self.build(sizes, jax.random.key(0)))

    def initial_weights(self, key: jax.Array, sizes: Mapping[str, int]) -> Weights:
        """Draws the initial weights of one candidate; `key` is consumed.

        Drawn at the largest sizes of the space and cut down, so that they depend on the key and the candidate's own
        sizes alone: not on its siblings and not on what the program it trains in has allocated.
        """
        return self.all_initial_weights([key], [sizes])[0]

    def all_initial_weights(self, keys: Sequence[jax.Array], sizes: Sequence[Mapping[str, int]]) -> list[Weights]:
        """What `initial_weights` returns for each key and its sizes; on an accelerator many are drawn at once."""
        weights: list[Weights] = []
        for first in range(0, len(keys), self._drawn_at_once):
            own = sizes[first : first + self._drawn_at_once]
            filled = [*keys[first : first + len(own)], *[keys[first]] * (self._drawn_at_once - len(own))]
            drawn = dict(nnx.to_flat_state(self._draw(jax.device_put(jnp.stack(filled), accelerator()))))
            values = [np.asarray(drawn[leaf.path][...]) for leaf in self.leaves]
            weights += [self._at_true_sizes([each[row] for each in values], true) for row, true in enumerate(own)]
        return weights

    def _at_true_sizes(self, values: list[np.ndarray], sizes: Mapping[str, int]) -> Weights:
        pairs = zip(self.leaves, values, strict=True)
        return cut(self.leaves, [named_axes.rescale_to_true_fan_in(leaf, value, sizes) for leaf, value in pairs], sizes)

    @functools.cached_property
    def _drawn_at_once(self) -> int:
        """On an accelerator a call and a transfer take longer than a draw; on a CPU it is the other way round."""
        if accelerator().platform == "cpu":
            return 1
        num_bytes = sum(4 * math.prod(leaf.shape) for leaf in self.leaves)
        return max(1, min(MOST_DRAWN_AT_ONCE, MOST_DRAWN_BYTES // num_bytes))

    @functools.cached_property
    def _draw(self) -> Callable[[jax.Array], Any]:
        """Draws all weights at the largest sizes, for each of as many keys as `_drawn_at_once`.

        Run once a candidate, so compiled in a hurry on a CPU: 1.4 s instead of 3.9 s, or of 3.1 s for a program for each
        shape.
        """

        def draw(key: jax.Array) -> Any:
            return nnx.state(self.build(self.largest, key), nnx.Param)

        def draw_one(keys: jax.Array) -> Any:
            return jax.tree.map(lambda array: array[None], draw(keys[0]))

        over_keys = jax.vmap(draw) if self._drawn_at_once > 1 else draw_one
        return jax.jit(over_keys, compiler_options=HASTILY if accelerator().platform == "cpu" else None)

    def apply(self, sizes: Mapping[str, int], weights: Weights) -> nnx.Module:
        """Returns the plain model of these sizes with these weights, on the accelerator where there is one."""
        graph, params = nnx.split(self.abstract(sizes), nnx.Param)
        return nnx.merge(graph, with_values(params, jax.device_put(weights, accelerator())))


def with_values(params: Any, values: Mapping[Path, Any]) -> Any:
    """Returns the state `params` with other values; every path has to be there."""
    flat = [(path, param.replace(values[path])) for path, param in nnx.to_flat_state(params)]
    return nnx.from_flat_state(flat)


def cut(leaves: tuple[Leaf, ...], values: list[np.ndarray], sizes: Mapping[str, int]) -> Weights:
    """Cuts padded parameters down to true sizes; layers that are not there are left out."""
    return {
        leaf.path: np.ascontiguousarray(value[tuple(slice(length) for length in leaf.lengths(sizes))])
        for leaf, value in zip(leaves, values, strict=True)
        if leaf.present(sizes)
    }


def pad(leaves: tuple[Leaf, ...], weights: Weights) -> list[np.ndarray]:
    """Pads true parameters with zeros up to the shapes of `leaves`; the inverse of `cut`."""
    padded = []
    for leaf in leaves:
        value = np.zeros(leaf.shape, np.float32)
        if leaf.path in weights:
            true = weights[leaf.path]
            value[tuple(slice(length) for length in true.shape)] = true
        padded.append(value)
    return padded
