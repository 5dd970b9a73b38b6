"""Carries out one measurement: a training by the population engine, or a look at the initial weights or the sizes."""

import dataclasses
import functools
import math
from typing import Any

import jax
import numpy as np
from flax import nnx

from experiments.rank_fidelity.settings import (
    COST,
    INITIAL,
    PROTOTYPE,
    TARGET,
    TASKS,
    Architecture,
    Measurement,
    Settings,
    draw,
)
from metagen_jax.automl.chunks import ChunkTrainer, Member, Part, Task
from metagen_jax.automl.keys import keys_of
from metagen_jax.automl.pipeline import Options, Prepared, prepare
from metagen_jax.automl.planning import new_plan
from metagen_jax.automl.rungs import Schedule
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.plan import Plan
from metagen_jax.population.weights import Structure
from metagen_jax.population.zero_cost import grad_norm, synflow
from metagen_jax.spec import load_spec
from metagen_jax.synth import named_axes
from metagen_jax.synth.architecture import Blueprint
from tests.runs import ROOT


@dataclasses.dataclass(frozen=True)
class Laboratory:
    """One task with all prototypes or all targets of one seed."""

    prepared: Prepared
    plan: Plan
    chunks: ChunkTrainer
    structure: Structure

    def blueprint(self, sizes: dict[str, int], hyperparameters: dict[str, float]) -> Blueprint:
        space = self.prepared.space
        structure = {d.name: d.values[0] for d in space.dimensions if d.kind == "structure"}
        return Blueprint(space.family.name, structure, sizes, hyperparameters)


@functools.cache
def laboratory(settings: Settings, task: str, size: str, seed: int) -> Laboratory:
    """The seed decides batches and initial weights."""
    spec, overrides = TASKS[task]
    choices = [f"architecture.choices.{axis}={values}" for axis, values in settings.lengths(size).items()]
    count = settings.architectures * len(settings.conditions)
    more = (
        f"training.batch_size={settings.batch_size}",
        f"reproducibility.seed={seed}",
        f"search={{budget: {count}, rounds: 1, prototype_steps: {settings.steps(size)}}}",
        "constraints.parameter_budget={max: 1M}",
    )
    prepared = prepare(load_spec(ROOT / spec, (*overrides, *choices, *more)))
    run_key, _ = keys_of(prepared.spec)
    chunks = ChunkTrainer(prepared.space, prepared.dataset, run_key, population_mesh(1), note=lambda text: None)
    (key,) = prepared.space.sources
    return Laboratory(prepared, new_plan(prepared, Options()), chunks, chunks.structure(key))


def measure(settings: Settings, what: Measurement) -> dict[str, Any]:
    """Plain JSON; None for a number that is not finite."""
    architecture = draw(settings)[what.architecture]
    if what.kind == COST:
        return _cost(laboratory(settings, what.task, TARGET, what.seed), architecture)
    if what.kind == INITIAL:
        return _initial(settings, architecture, what)
    return {"losses": _losses(settings, architecture, what)}


def _losses(settings: Settings, architecture: Architecture, what: Measurement) -> dict[str, float | None]:
    """Validation loss by the number of steps; a prototype is scored on as much as a search looks at, a target on all."""
    lab = laboratory(settings, what.task, what.kind, what.seed)
    blueprint = lab.blueprint(architecture.sizes_of(what.kind), architecture.hyperparameters_in(what.condition))
    steps = settings.steps(what.kind)
    length = Schedule(steps, settings.segment(what.kind), (steps,))
    examples = lab.prepared.modality.search_examples if what.kind == PROTOTYPE else None
    program = lab.plan.choose(lab.prepared.space.structure_key(blueprint), blueprint.sizes)
    task = Task(program, (Member(what.architecture, blueprint),), Part(0, steps, length, examples))
    losses = {segment.last: float(segment.validation_loss[0]) for segment in lab.chunks.train(task)}
    return {str(step): loss if math.isfinite(loss) else None for step, loss in losses.items()}


def _cost(lab: Laboratory, architecture: Architecture) -> dict[str, float]:
    """Exact parameters, and the FLOPs that XLA counts in a forward pass of the target over one example."""
    sizes = architecture.sizes_of(TARGET)
    graph, params = nnx.split(lab.structure.abstract(sizes))
    forward = jax.jit(lambda params, inputs: nnx.merge(graph, params)(_as_the_model_takes(inputs)))
    count = functools.partial(named_axes.param_count, lab.structure.leaves)
    return {
        "params": int(count(sizes)),
        "prototype_params": int(count(architecture.sizes_of(PROTOTYPE))),
        "flops": float(forward.lower(params, _batch(lab)[0][:1]).cost_analysis()["flops"]),
    }


def _initial(settings: Settings, architecture: Architecture, what: Measurement) -> dict[str, float]:
    """The zero-cost proxies of the prototype, on the first batch of its training."""
    lab = laboratory(settings, what.task, PROTOTYPE, what.seed)
    shared = laboratory(settings, what.task, PROTOTYPE, settings.seeds[0]).structure  # compiled once for all seeds
    blueprint = lab.blueprint(architecture.sizes_of(PROTOTYPE), architecture.hyperparameters)
    model = shared.apply(blueprint.sizes, *lab.chunks.initial_weights([Member(what.architecture, blueprint)]))
    batch = _batch(lab)
    return {
        "synflow": synflow(model, _as_the_model_takes(batch[0])),
        "grad_norm": grad_norm(model, shared.module.loss_fn, batch),
    }


def _batch(lab: Laboratory) -> tuple[np.ndarray, ...]:
    return lab.structure.module.train_batch(*lab.prepared.modality.train_arrays(lab.prepared.dataset), 0)


def _as_the_model_takes(inputs: Any) -> Any:
    return inputs / np.float32(255) if inputs.dtype == np.uint8 else inputs
