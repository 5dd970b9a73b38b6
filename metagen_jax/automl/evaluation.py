"""Scores the winner as its owner will use it: the plain model at its true sizes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
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


def repeat_plain(
    structure: Structure, blueprint: Blueprint, weights: Weights, arrays: tuple[np.ndarray, ...], num_steps: int
) -> list[float]:
    """Trains the plain model alone, as its owner would; returns the loss of every step.

    What a population computed and what this computes differ by rounding alone, unless the training itself amplifies
    that, which it does at learning rates close to divergence.
    """
    graph, params = nnx.split(structure.apply(blueprint.sizes, weights))
    optimizer = structure.module.make_optimizer(**blueprint.hyperparameters, num_steps=num_steps)

    @jax.jit
    def step(params: Any, opt_state: Any, batch: tuple[jax.Array, ...]) -> tuple[Any, Any, jax.Array]:
        loss, gradients = jax.value_and_grad(lambda p: structure.module.loss_fn(nnx.merge(graph, p), *batch))(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    opt_state = optimizer.init(params)
    losses = []
    for number in range(num_steps):
        params, opt_state, loss = step(params, opt_state, structure.module.train_batch(*arrays, number))
        losses.append(loss)
    return [float(loss) for loss in losses]
