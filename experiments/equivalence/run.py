"""How closely does a population compute what its members compute alone?

    python experiments/equivalence/run.py            # about two minutes on two cores

For both families of the shipped specs, random candidates of the whole space train together for 30 steps with clipping
and weight decay, and each alone with the plain source from the same initial weights. Writes results.json beside itself.
"""

import json
import platform
from pathlib import Path

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, start_jax

start_jax(DEFAULT_HOST_DEVICES)

import jax  # noqa: E402  after its flags are set
import numpy as np  # noqa: E402

from metagen_jax.automl.evaluation import repeat_plain  # noqa: E402
from metagen_jax.automl.pipeline import prepare  # noqa: E402
from metagen_jax.population.devices import population_mesh  # noqa: E402
from metagen_jax.population.program import Hyperparameters, Job, Program  # noqa: E402
from metagen_jax.population.weights import Structure  # noqa: E402
from metagen_jax.spec import load_spec  # noqa: E402
from metagen_jax.synth import codegen, named_axes  # noqa: E402

ROOT = Path(__file__).parents[2]
SPECS = ("image_vit_classification", "text_char_lm")
NUM_CANDIDATES = 8
NUM_STEPS = 30


def measure(name: str) -> dict[str, float]:
    prepared = prepare(load_spec(ROOT / "specs" / f"{name}.yaml"))
    space, modality = prepared.space, prepared.modality
    (source,) = space.sources.values()
    module = codegen.load_module(source)
    structure = Structure(module, space.family.model_class, space.largest)
    rng = np.random.default_rng(0)
    blueprints = [space.blueprint(rng.integers(0, space.discrete.num_choices)) for _ in range(NUM_CANDIDATES)]
    starts = [structure.initial_weights(jax.random.key(i), b.sizes) for i, b in enumerate(blueprints)]
    jobs = [
        Job(b.sizes, Hyperparameters(**b.hyperparameters), start) for b, start in zip(blueprints, starts, strict=True)
    ]
    arrays = modality.train_arrays(prepared.dataset)
    program = Program(structure, space.allocated, NUM_CANDIDATES // 2, population_mesh(2))
    batches = [module.train_batch(*arrays, step) for step in range(NUM_STEPS)]
    population, losses = program.train(program.start(jobs), batches, NUM_STEPS, NUM_STEPS)

    alone = [
        np.array(repeat_plain(structure, b, start, arrays, NUM_STEPS))
        for b, start in zip(blueprints, starts, strict=True)
    ]
    inputs = modality.evaluation_arrays(prepared.dataset, "validation", {f.name: f.value for f in space.fixed})[0][:8]
    inputs = inputs / np.float32(255) if inputs.dtype == np.uint8 else inputs
    together = program.logits(population, inputs)
    exported = [
        np.asarray(jax.jit(structure.apply(job.sizes, weights))(inputs))
        for job, weights in zip(jobs, program.weights(population, [job.sizes for job in jobs]), strict=True)
    ]
    return {
        "candidates": NUM_CANDIDATES,
        "largest_relative_loss_difference": max(
            float(np.max(np.abs(losses[:, i] - own) / own)) for i, own in enumerate(alone)
        ),
        "largest_logit_difference_when_exported": max(
            float(np.max(np.abs(together[i] - own))) for i, own in enumerate(exported)
        ),
        "largest_absolute_value_of_padding": largest_padding(program, population),
    }


def largest_padding(program: Program, population) -> float:
    params = jax.vmap(program.layout.unpack)(population.params)
    largest = 0.0
    for leaf, values in zip(program.leaves, params, strict=True):
        real = np.asarray(jax.vmap(lambda sizes, leaf=leaf: named_axes.mask(leaf, sizes))(population.sizes))
        outside = np.asarray(values)[~real]
        largest = max(largest, float(np.max(np.abs(outside), initial=0.0)))
    return largest


def main() -> None:
    results = {
        "steps": NUM_STEPS,
        "machine": f"{platform.machine()}, CPU",
        "jax": jax.__version__,
        **{name: measure(name) for name in SPECS},
    }
    text = json.dumps(results, indent=2)
    (Path(__file__).parent / "results.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
