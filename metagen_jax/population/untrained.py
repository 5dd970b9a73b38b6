"""The zero-cost proxies of all networks of a structure, whatever their sizes, by one program each."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.population.devices import accelerator
from metagen_jax.population.flat import Layout
from metagen_jax.population.modes import LOOP
from metagen_jax.population.parts import Parts
from metagen_jax.population.weights import HASTILY, Structure, Weights, pad
from metagen_jax.population.zero_cost import QUERY, without_norms
from metagen_jax.synth import named_axes
from metagen_jax.synth.modalities.base import Array


class Untrained:
    """Reads `synflow` and `grad_norm` (`population/zero_cost.py`) off networks that are padded to the largest sizes.

    Compiled at the first call of each, for one network at a time: what comes out depends on the network and its weights
    alone, and no further size compiles anything.

    Args:
      structure: the rendered program.
      batch: inputs and targets whose loss `grad_norm` differentiates.
      example: what the model is called with, as batches of one. For `synflow` all of it is ones, floats and token
        numbers alike.

    Examples:
      >>> import functools
      >>> from metagen_jax.automl.pipeline import prepare
      >>> from metagen_jax.population import zero_cost
      >>> from metagen_jax.spec import load_spec
      >>> from metagen_jax.synth import codegen
      >>> from metagen_jax.synth.modalities import lengths_of
      >>> prepared = prepare(load_spec("specs/image_digits_cnn.yaml", ["architecture.choices.stride=2"]))
      >>> space = prepared.space
      >>> module = codegen.load_module(next(iter(space.sources.values())))
      >>> structure = Structure(module, space.family.model_class, space.largest)
      >>> batch = module.train_batch(*space.modality.train_arrays(prepared.dataset), 0)
      >>> untrained = Untrained(structure, batch, space.modality.abstract_example(lengths_of(space.fixed)))
      >>> weights = structure.initial_weights(jax.random.key(0), space.largest)
      >>> plain = structure.apply(space.largest, weights)
      >>> round(untrained.grad_norm(space.largest, weights) / zero_cost.grad_norm(plain, module.loss_fn, batch), 4)
      1.0
      >>> round(untrained.synflow(space.largest, weights) / zero_cost.synflow(plain, np.ones((1, 8, 8, 1))), 6)
      1.0
    """

    def __init__(self, structure: Structure, batch: tuple[np.ndarray, ...], example: Sequence[Array]):
        self._structure, self._batch = structure, batch
        self._example = tuple(np.ones(each.shape, each.dtype) for each in example)

    def grad_norm(self, sizes: Mapping[str, int], weights: Weights) -> float:
        """The sum of the Euclidean norms of the first gradient of each parameter; NaN where it is not finite."""
        padded, program = self._grad_norm
        real = {path: np.ones_like(value) for path, value in weights.items()}
        values, masks = pad(padded.leaves, weights), pad(padded.leaves, real)
        return _finite(float(program(*_placed(values, masks, _lengths(padded, sizes), self._batch))))

    def synflow(self, sizes: Mapping[str, int], weights: Weights) -> float:
        """The natural logarithm of the synaptic flow of one example; NaN where none arrives.

        None does where the model cuts its answers off: absolute weights take all of them beyond any bound, as those of
        an image that is clipped to 0..1.
        """
        padded, program = self._synflow
        values = [
            np.abs(value, dtype=np.float64) * float(leaf.path[-1] != QUERY)
            for leaf, value in zip(padded.leaves, pad(padded.leaves, weights), strict=True)
        ]
        with jax.enable_x64(True):
            inputs = tuple(
                each.astype(np.float64) if np.issubdtype(each.dtype, np.floating) else each for each in self._example
            )
            flow = float(program(*_placed(values, _lengths(padded, sizes), inputs)))
        return _finite(math.log(flow)) if flow > 0 else math.nan

    @functools.cached_property
    def _grad_norm(self) -> tuple["_Padded", Callable[..., jax.Array]]:
        padded = _Padded(self._structure.abstract(self._structure.largest), self._structure.largest)
        loss_fn = self._structure.module.loss_fn

        def sum_of_norms(values: list, masks: list, sizes: dict, batch: tuple) -> jax.Array:
            gradients = padded.gradients(lambda model: loss_fn(model, *batch), values, sizes)
            lengths = [jnp.sqrt(jnp.sum((g * mask) ** 2)) for g, mask in zip(gradients, masks, strict=True)]
            return jnp.sum(jnp.stack(lengths))

        return padded, _jitted(sum_of_norms)

    @functools.cached_property
    def _synflow(self) -> tuple["_Padded", Callable[..., jax.Array]]:
        model = without_norms(self._structure.abstract(self._structure.largest))
        padded = _Padded(model, self._structure.largest)

        def flow(values: list, sizes: dict, inputs: tuple) -> jax.Array:
            def all_outputs(model: Any) -> jax.Array:
                return jnp.sum(jnp.stack([jnp.sum(each) for each in jax.tree.leaves(model(*inputs))]))

            gradients = padded.gradients(all_outputs, values, sizes)
            return jnp.sum(jnp.stack([jnp.sum(jnp.abs(v * g)) for v, g in zip(values, gradients, strict=True)]))

        return padded, _jitted(flow)


class _Padded:
    """A model as a function of its padded parameters and its true sizes."""

    def __init__(self, model: nnx.Module, allocated: Mapping[str, int]):
        self.leaves = named_axes.leaves(model)
        self.axes = tuple(allocated)
        self._layout = Layout(self.leaves)
        named_axes.install_sizes(model, frozenset(allocated))
        self._parts = Parts(model, self._layout, LOOP)

    def gradients(self, function: Callable[[Any], jax.Array], values: list, sizes: Mapping[str, jax.Array]) -> list:
        """Of `function(model)`, in the order of the leaves; padding has some too."""
        depths = {stack.axis: sizes[stack.axis] for stack in self._layout.stacks}
        split = self._layout.split(self._layout.pack(values))
        gradients = jax.grad(lambda split: function(self._parts.build(split, sizes, depths)))(split)
        return self._layout.unpack(self._layout.join(*gradients))


def _lengths(padded: _Padded, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    return {axis: np.array(sizes[axis], np.int32) for axis in padded.axes}


def _placed(*arguments: Any) -> Any:
    return jax.device_put(arguments, accelerator())


def _jitted(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Run once a network, so compiled in a hurry on a CPU."""
    return jax.jit(function, compiler_options=HASTILY if accelerator().platform == "cpu" else None)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
