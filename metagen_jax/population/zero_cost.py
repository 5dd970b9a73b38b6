"""Zero-cost proxies: what a network's initial weights say about it, without any training.

Both work on the plain model of every family, as `Structure.apply` builds it. They are compiled once for each shape of
network, which takes a few seconds and with small networks as long as a short training; other weights compile nothing.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from metagen_jax.population.weights import with_values
from metagen_jax.synth.modalities.parts import NORM_CLASSES

QUERY = "query"  # the parameter of attention that decides, with the key, where a position looks


class _Identity(nnx.Module):
    """Stands in the place of a norm."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return x


def synflow(model: nnx.Module, inputs: Any) -> float:
    """Synaptic flow: how much signal the absolute weights carry from the inputs to the outputs. Larger is better.

    With every weight replaced by its absolute value, `R` is the sum of all outputs, and the score is the sum of
    `|w dR/dw|` over all weights `w`. No label is read. Images are replaced by ones; of token numbers only those in
    `inputs` are looked up.

    The score is made of products over layers, and what undoes these is taken out: norms, as Abdelfattah et al. do with
    batch norm, and the choice of attention, which looks at all that it may see alike, so that queries and keys do not
    count. As such products outgrow float32, it is computed in float64, and its logarithm is returned.

    Args:
      model: any network of named axes; is not changed.
      inputs: what the model takes, `(B, ...)`: floats for images, integers for tokens. One example is enough.
    Returns:
      The natural logarithm of the score, averaged over the examples.
    References:
      Tanaka et al., Pruning neural networks without any data by iteratively conserving synaptic flow, 2020, sec. 6.
      Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, 2021, sec. 3.2.

    Examples:
      Two matrices of ones: `R = 3 * 2 = 6` for an input of three ones, and each matrix adds 6 to the score.

      >>> class Linear(nnx.Module):
      ...     def __init__(self, first, second):
      ...         self.first, self.second = nnx.Param(first), nnx.Param(second)
      ...
      ...     def __call__(self, x):
      ...         return x @ self.first @ self.second
      >>> ones = Linear(jnp.ones((3, 2)), jnp.ones((2, 1)))
      >>> round(math.exp(synflow(ones, jnp.zeros((1, 3)))), 6)
      12.0

      The sign of a weight does not matter.

      >>> synflow(ones, jnp.zeros((1, 3))) == synflow(Linear(-jnp.ones((3, 2)), jnp.ones((2, 1))), jnp.zeros((1, 3)))
      True
    """
    graph, params = nnx.split(without_norms(model))
    with jax.enable_x64(True):
        inputs = jnp.asarray(inputs)
        if jnp.issubdtype(inputs.dtype, jnp.floating):
            inputs = jnp.ones(inputs.shape, jnp.float64)
        return math.log(float(_saliency(graph, _positive(params), inputs)) / len(inputs))


def grad_norm(model: nnx.Module, loss_fn: Callable[..., jax.Array], batch: tuple[Any, ...]) -> float:
    """The length of the first gradient: the sum of the Euclidean norms of each parameter's. Larger is better.

    Args:
      model: any network; is not changed.
      loss_fn: `loss_fn(model, *batch)`, the mean loss of a batch, such as the rendered program's.
      batch: inputs and targets, the same for all networks that are compared.
    Returns:
      The sum, in nats per unit of weight where the loss is in nats.
    References:
      Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, 2021, sec. 3.2.

    Examples:
      >>> class Slope(nnx.Module):
      ...     def __init__(self):
      ...         self.slope, self.offset = nnx.Param(jnp.array([2.0])), nnx.Param(jnp.array([1.0]))
      >>> grad_norm(Slope(), lambda model, x: jnp.sum(model.slope * x + model.offset), (3.0,))
      4.0
      >>> grad_norm(Slope(), lambda model, x: jnp.sum(model.slope**2 * x), (3.0,))
      12.0
    """
    graph, params = nnx.split(model)
    return float(_sum_of_norms(graph, params, loss_fn, batch))


@functools.partial(jax.jit, static_argnums=0)
def _saliency(graph: Any, params: Any, inputs: jax.Array) -> jax.Array:
    gradients = jax.grad(lambda params: jnp.sum(nnx.merge(graph, params)(inputs)))(params)
    each = jax.tree.map(lambda weight, gradient: jnp.sum(jnp.abs(weight * gradient)), params, gradients)
    return jnp.sum(jnp.stack(jax.tree.leaves(each)))


@functools.partial(jax.jit, static_argnums=(0, 2))
def _sum_of_norms(graph: Any, params: Any, loss_fn: Callable[..., jax.Array], batch: tuple[Any, ...]) -> jax.Array:
    gradients = jax.grad(lambda params: loss_fn(nnx.merge(graph, params), *batch))(params)
    return jnp.sum(jnp.stack([jnp.sqrt(jnp.sum(gradient**2)) for gradient in jax.tree.leaves(gradients)]))


def _positive(params: Any) -> Any:
    """The absolute values in float64; 0 for queries, by which every position gets the same score."""
    weights = {path: jnp.asarray(param[...], jnp.float64) for path, param in nnx.to_flat_state(params)}
    return with_values(params, {path: jnp.abs(w) * float(path[-1] != QUERY) for path, w in weights.items()})


def without_norms(model: nnx.Module) -> nnx.Module:
    """A copy of the model in which every norm hands on what it gets."""
    copy = nnx.merge(*nnx.split(model))
    for _, node in list(nnx.iter_graph(copy)):
        if isinstance(node, nnx.Module):
            for name, child in list(vars(node).items()):
                if type(child).__name__ in NORM_CLASSES.values():
                    setattr(node, name, _Identity())
    return copy
