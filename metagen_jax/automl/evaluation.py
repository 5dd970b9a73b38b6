"""Scores the winner as its owner will use it: the plain model at its true sizes."""

import functools
import operator
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

from metagen_jax.population.devices import accelerator
from metagen_jax.population.program import evaluation_batches
from metagen_jax.population.scores import Sums, sums
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.synth.architecture import Blueprint


def score_plain(
    structure: Structure, blueprint: Blueprint, weights: Weights, arrays: tuple[np.ndarray, ...], batch_size: int
) -> dict[str, float]:
    """The mean of each score of the program's `score_fn` over all examples of `arrays`, by name."""
    graph, params = nnx.split(structure.apply(blueprint.sizes, weights))

    @jax.jit
    def of_batch(*batch: jax.Array) -> Sums:
        *examples, real = batch
        return sums(structure.module.score_fn(nnx.merge(graph, params), *examples), real)

    batches = zip(*evaluation_batches(arrays, batch_size), strict=True)
    each = [jax.tree.map(float, of_batch(*batch)) for batch in batches]  # added up in 64 bits
    total: Sums = functools.reduce(lambda one, other: jax.tree.map(operator.add, one, other), each)
    return {name: float(mean) for name, mean in total.means().items()}


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

    # Placed as what a step returns, or the second step would be compiled anew.
    opt_state = jax.device_put(optimizer.init(params), accelerator())
    losses = []
    for number in range(num_steps):
        params, opt_state, loss = step(params, opt_state, structure.module.train_batch(*arrays, number))
        losses.append(loss)
    return [float(loss) for loss in losses]
