"""What XLA says of the plain program of a blueprint."""

import dataclasses
import math
from typing import Any

import jax
import optax
from flax import nnx

from metagen_jax.population.weights import Structure
from metagen_jax.synth import codegen
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.space import SearchSpace


@dataclasses.dataclass(frozen=True)
class Counted:
    """By XLA: parameters of the rendered model, FLOPs of forward pass and gradients, memory of a training step.

    `training_flops` are those of the program as it is written, `training_flops_compiled` as it is after optimisation; NaN
    where that was not asked for.
    """

    params: int
    flops: float
    training_flops: float
    training_flops_compiled: float
    memory_bytes: float


def count(space: SearchSpace, blueprint: Blueprint, compiled: bool = True) -> Counted:
    source = space.sources[space.structure_key(blueprint)]
    structure = Structure(codegen.load_module(source), space.family.model_class, space.largest)
    graph, params = nnx.split(structure.abstract(blueprint.sizes))
    lengths = {field.name: field.value for field in space.fixed}
    batch = [jax.ShapeDtypeStruct(*each) for each in space.modality.abstract_batch(lengths, _batch_size(space))]
    optimizer = structure.module.make_optimizer(**blueprint.hyperparameters, num_steps=10)

    def loss(params: Any, *batch: Any) -> Any:
        return structure.module.loss_fn(nnx.merge(graph, params), *batch)

    def step(params: Any, state: Any, *batch: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(params, *batch)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, value

    example = [jax.ShapeDtypeStruct(*each) for each in space.modality.abstract_example(lengths)]
    forward = jax.jit(lambda params, *x: nnx.merge(graph, params)(*x)).lower(params, *example)
    gradients = jax.jit(jax.value_and_grad(loss)).lower(params, *batch)
    state = jax.eval_shape(optimizer.init, params)
    used = jax.jit(step, donate_argnums=(0, 1)).lower(params, state, *batch).compile().memory_analysis()
    return Counted(
        params=sum(leaf.size for leaf in jax.tree.leaves(params)),
        flops=forward.cost_analysis()["flops"],
        training_flops=gradients.cost_analysis()["flops"],
        training_flops_compiled=gradients.compile().cost_analysis()["flops"] if compiled else math.nan,
        memory_bytes=used.argument_size_in_bytes
        + used.output_size_in_bytes
        + used.temp_size_in_bytes
        - used.alias_size_in_bytes,
    )


def _batch_size(space: SearchSpace) -> int:
    return space.spec.training.batch_size
