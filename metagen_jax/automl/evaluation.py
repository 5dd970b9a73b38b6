"""Scores the winner as its owner will use it: the plain model at its true sizes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.population.program import evaluation_batches
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth.architecture import Blueprint


def score_plain(
    structure: Structure, blueprint: Blueprint, weights: Weights, arrays: tuple[np.ndarray, ...], batch_size: int
) -> tuple[float, float]:
    """Mean cross-entropy in nats and the share of right answers over all examples of `arrays`."""
    graph, params = nnx.split(structure.apply(blueprint.sizes, weights))

    @jax.jit
    def sums(batch: tuple[jax.Array, ...], real: jax.Array) -> jax.Array:
        loss, right = structure.module.score_fn(nnx.merge(graph, params), *batch)
        weight = jnp.broadcast_to(real.reshape(-1, *[1] * (loss.ndim - 1)), loss.shape)
        return jnp.stack([jnp.sum(loss * weight), jnp.sum(right * weight), jnp.sum(weight)])

    batches = zip(*evaluation_batches(arrays, batch_size), strict=True)
    total = functools.reduce(np.add, [np.asarray(sums(tuple(batch[:-1]), batch[-1]), np.float64) for batch in batches])
    return float(total[0] / total[2]), float(total[1] / total[2])


def predict_plain(structure: Structure, blueprint: Blueprint, weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """The logits of the plain model for one batch of inputs."""
    model = structure.apply(blueprint.sizes, weights)
    return np.asarray(jax.jit(lambda x: model(x))(inputs))
