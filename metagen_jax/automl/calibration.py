"""Measures what training steps and compilations cost on the machine at hand."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax import __version__
from metagen_jax.population.coefficients import Coefficients, Sample, fit
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.modes import LOOP, VMAP
from metagen_jax.population.plan import StructureFacts
from metagen_jax.population.program import Hyperparameters, Job, Program
from metagen_jax.population.weights import Structure
from metagen_jax.synth import codegen
from metagen_jax.synth.modalities import lengths_of
from metagen_jax.synth.space import SearchSpace

if TYPE_CHECKING:
    from metagen_jax.automl.pipeline import Prepared

WIDTHS = {LOOP: (1,), VMAP: (2, 8)}  # a loop takes twice as long for twice as many
NUM_STEPS = 10
REPEATS = 3
HYPERPARAMETERS = Hyperparameters(learning_rate=1e-3, weight_decay=0.0, warmup_steps=10.0)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was measured.

    Attributes:
      backend: of JAX.
      modes: the coefficients of each mode.
      source: machine, versions, specs.
    """

    backend: str
    modes: dict[str, Coefficients]
    source: str


def calibrate(
    prepared: Sequence["Prepared"], num_devices: int | None, say: Callable[[str], None] = lambda line: None
) -> Calibration:
    """Compiles and runs the smallest, the middle and the largest network of each spec in every mode, and fits.

    JAX's cache of compiled programs is off meanwhile: what is looked up costs nothing.
    """
    cached = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        return _calibrate(prepared, num_devices, say)
    finally:
        jax.config.update("jax_enable_compilation_cache", cached)


def _calibrate(prepared: Sequence["Prepared"], num_devices: int | None, say: Callable[[str], None]) -> Calibration:
    mesh = population_mesh(num_devices)
    modes = {}
    for mode, widths in WIDTHS.items():
        samples = []
        for one in prepared:
            for sizes in _typical_sizes(one.prototypes):
                for width in widths:
                    sample = _measure(one, sizes, mode, width, mesh)
                    named = ", ".join(f"{axis} {length}" for axis, length in sizes.items())
                    say(
                        f"{mode} x {width}, {named}: {1e3 * sample.step_s:.1f} ms a step, compiled in {sample.compile_s:.1f} s"
                    )
                    samples.append(sample)
        modes[mode] = fit(samples)
    names = ", ".join(one.spec.name for one in prepared)
    kind = jax.devices()[0].device_kind
    return Calibration(
        jax.default_backend(), modes, f"{mesh.size} x {kind}; metagen {__version__}, jax {jax.__version__}; {names}"
    )


def _typical_sizes(space: SearchSpace) -> list[dict[str, int]]:
    networks = space.feasible_networks()
    flops = np.asarray(space.cost(jnp.asarray(networks)).flops)
    order = np.argsort(flops, kind="stable")
    return [dict(space.blueprint(networks[order[i]]).sizes) for i in (0, len(order) // 2, len(order) - 1)]


def _measure(prepared: "Prepared", sizes: dict[str, int], mode: str, width: int, mesh: jax.sharding.Mesh) -> Sample:
    space = prepared.prototypes
    key, source = next(iter(space.sources.items()))
    structure = Structure(codegen.load_module(source), space.family.model_class, space.largest)
    program = Program(structure, sizes, width, mesh, mode)
    job = Job(sizes, HYPERPARAMETERS, structure.initial_weights(jax.random.key(0), sizes))
    arrays = space.modality.train_arrays(prepared.dataset)
    batches = [structure.module.train_batch(*arrays, step) for step in range(NUM_STEPS)]
    fixed = lengths_of(space.fixed)
    validation = space.modality.evaluation_arrays(prepared.dataset, "validation", fixed)
    examples = tuple(array[: space.modality.search_examples] for array in validation)
    population = program.start([job] * program.capacity)
    train_s, score_s = [], []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        population, _ = program.train(population, batches, NUM_STEPS, NUM_STEPS)
        trained = time.perf_counter()
        program.score(population, examples, space.modality.evaluation_batch_size)
        train_s.append(trained - started)
        score_s.append(time.perf_counter() - trained)
    warm_s = min(train_s[1:])
    compile_s = train_s[0] - warm_s + score_s[0] - min(score_s[1:])
    facts = StructureFacts(key, space.cost_models[key], {a: np.array([n]) for a, n in sizes.items()}, sizes, 1.0)
    flops, memory_bytes = (float(work[0]) for work in facts.work(facts.sample))
    return Sample(width, flops, memory_bytes, len(program.leaves), warm_s / NUM_STEPS, compile_s)
