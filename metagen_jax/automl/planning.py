"""The plan of a run: from its search space, its budget and the coefficients of the backend."""

from typing import TYPE_CHECKING

import jax
import numpy as np

from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.population.coefficients import coefficients
from metagen_jax.population.devices import ACCELERATOR_COMPILERS
from metagen_jax.population.plan import Plan, StructureFacts, Workload, make_plan, read_plan
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.build import predictor_for
from metagen_jax.synth.costs import Predictor
from metagen_jax.synth.space import SearchSpace

if TYPE_CHECKING:
    from metagen_jax.automl.pipeline import Options, Prepared

SAMPLE_SIZE = 512  # networks of each structure that stand for all that may be proposed
CPU_DEVICES = 2  # whatever the machine has, so that the same command makes the same plan everywhere


def predictor_of_run(spec: ModelSpec, options: "Options") -> Predictor:
    """The predictor of latencies of the interrupted run which goes on, or else what is known of the spec's device."""
    recorded = {} if options.fresh else RunFolder.for_spec(spec, options.out).unfinished_origin()
    return Predictor(**recorded["latency"]) if "latency" in recorded else predictor_for(spec)


def plan_of(prepared: "Prepared", options: "Options") -> Plan:
    """The plan that the options name, or else that of the interrupted run which goes on, or else a new one."""
    if options.plan is not None:
        return options.plan
    recorded = {} if options.fresh else RunFolder.for_spec(prepared.spec, options.out).unfinished_origin()
    return read_plan(recorded["plan"]) if "plan" in recorded else new_plan(prepared, options)


def new_plan(prepared: "Prepared", options: "Options") -> Plan:
    """Plans the prototypes of a run; the same arguments and coefficients give the same plan on every machine."""
    space, search = prepared.prototypes, prepared.spec.search
    backend = jax.default_backend()
    devices = CPU_DEVICES if backend == "cpu" else options.num_devices or len(jax.local_devices())
    if not options.search:
        structures, workload = _only(space, space.largest_feasible()), Workload(1, 1, search.prototype_steps)
    elif not options.train_prototypes:
        structures, workload = _searched(space), Workload(search.finalists, 1, search.prototype_steps)
    else:
        structures, workload = _searched(space), Workload(search.budget, search.rounds, search.prototype_steps)
    compilers = devices if backend == "cpu" else max(devices, ACCELERATOR_COMPILERS)
    return make_plan(structures, workload, coefficients(backend), backend, devices, compilers)


def summary(prepared: "Prepared", options: "Options") -> str:
    """One line: how much is trained, in how many programs, and about how long that takes."""
    search, training = prepared.spec.search, prepared.spec.training
    plan = plan_of(prepared, options)
    budget = search.budget if options.search else 1
    prototypes_s = plan.compile_s + plan.run_s if options.train_prototypes else 0.0
    seconds = prototypes_s + _finalist_seconds(prepared, plan)
    about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    num_programs = len(plan.programs) * options.train_prototypes
    return (
        f"{budget} candidates for {search.prototype_steps} steps in {num_programs} program(s), padding efficiency "
        f"{plan.padding_efficiency:.2f}; {min(budget, search.finalists)} finalist(s) for {training.steps} steps; "
        f"roughly {about}"
    )


def _finalist_seconds(prepared: "Prepared", plan: Plan) -> float:
    """A forecast for the finalists, compilation and all, as if each had the mean cost of what may be proposed."""
    spec, coefficient = prepared.spec, coefficients(plan.backend)[plan.programs[0].mode]
    structures = _searched(prepared.prototypes)
    steps_s = [coefficient.candidate_step_s(*(work.mean() for work in f.work(f.sample))) * f.share for f in structures]
    compile_s = max(coefficient.compilation_s(len(f.cost_model.leaves)) for f in structures)
    return compile_s + sum(steps_s) * spec.search.finalists * spec.training.steps / plan.devices


def table(plan: Plan) -> str:
    """The programs of a plan as a table of text."""
    axes = list(plan.programs[0].allocated)
    names = ["program", *axes, "mode", "width", "candidates", "compile", "run", "memory"]
    rows = [
        [
            " ".join([str(number), *map(str, program.structure)]),
            *(str(program.allocated[axis]) for axis in axes),
            program.mode,
            f"{plan.devices} x {program.width}",
            f"{program.candidates:g}",
            f"{program.compile_s:.1f} s",
            f"{program.run_s:.1f} s",
            f"{program.memory_bytes / 1e6:.0f} MB",
        ]
        for number, program in enumerate(plan.programs, 1)
    ]
    lengths = [max(len(row[column]) for row in [names, *rows]) for column in range(len(names))]
    lines = ["  ".join(cell.rjust(length) for cell, length in zip(row, lengths, strict=True)) for row in [names, *rows]]
    lines.append(f"padding efficiency {plan.padding_efficiency:.2f} (FLOPs of the networks over FLOPs executed)")
    return "\n".join(lines)


def _searched(space: SearchSpace) -> list[StructureFacts]:
    """What may be proposed, structure by structure."""
    networks = space.feasible_networks()
    _, counted = space.feasible_share()
    facts = []
    for key, model in space.cost_models.items():
        own = networks[space.have_structure(key, networks)]
        share = len(own) / len(networks)
        if len(own) > SAMPLE_SIZE:
            own = np.random.default_rng(0).choice(own, SAMPLE_SIZE, replace=False)
        if len(own):
            facts.append(StructureFacts(key, model, space.sizes(own), space.allocated, share))
        elif not counted:  # none in the sample, and still it may be proposed
            sample = {axis: np.array([length]) for axis, length in space.allocated.items()}
            facts.append(StructureFacts(key, model, sample, space.allocated, share))
    return facts


def _only(space: SearchSpace, genotype: np.ndarray) -> list[StructureFacts]:
    blueprint = space.blueprint(genotype)
    key = space.structure_key(blueprint)
    return [StructureFacts(key, space.cost_models[key], space.sizes(genotype[None]), blueprint.sizes, share=1.0)]
