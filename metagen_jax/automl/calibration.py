"""Measures what training steps and compilations cost on the machine at hand."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from metagen_jax import __version__
from metagen_jax.population.coefficients import Coefficients, Sample, fit
from metagen_jax.population.devices import ACCELERATOR_COMPILERS, population_mesh
from metagen_jax.population.modes import LOOP, VMAP
from metagen_jax.population.plan import StructureFacts
from metagen_jax.population.program import Hyperparameters, Job, Program
from metagen_jax.population.weights import Structure
from metagen_jax.synth import codegen
from metagen_jax.synth.modalities import lengths_of
from metagen_jax.synth.space import SearchSpace

if TYPE_CHECKING:
    from metagen_jax.automl.pipeline import Prepared

CPU_WIDTHS = {LOOP: (1,), VMAP: (2, 8)}  # a loop takes twice as long for twice as many
WIDTHS = {VMAP: (8, 64)}  # of an accelerator, which one network after the other would leave idle
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
    mesh, on_cpu = population_mesh(num_devices), jax.default_backend() == "cpu"
    cases = [
        _Case(one, sizes, mode, width)
        for mode, widths in (CPU_WIDTHS if on_cpu else WIDTHS).items()
        for one in prepared
        for sizes in _typical_sizes(one.prototypes)
        for width in widths
    ]
    compile_ = functools.partial(_compile, mesh=mesh)
    samples: dict[str, list[Sample]] = {}
    with ThreadPoolExecutor(ACCELERATOR_COMPILERS) as pool:
        # On a CPU one is let go of before the next: beside an accelerator all are there before anything is timed.
        compiled = map(compile_, cases) if on_cpu else list(pool.map(compile_, cases))
        for case, (program, compile_s) in zip(cases, compiled, strict=True):
            sample = _measure(case, program, compile_s)
            program.let_go()
            samples.setdefault(case.mode, []).append(sample)
            named = ", ".join(f"{axis} {length}" for axis, length in case.sizes.items())
            step_ms = f"{1e3 * sample.step_s:.1f} ms a step"
            say(f"{case.mode} x {case.width}, {named}: {step_ms}, compiled in {compile_s:.1f} s")
    names = ", ".join(one.spec.name for one in prepared)
    source = f"{mesh.size} x {jax.devices()[0].device_kind}; metagen {__version__}, jax {jax.__version__}; {names}"
    return Calibration(jax.default_backend(), {mode: fit(own) for mode, own in samples.items()}, source)


def _typical_sizes(space: SearchSpace) -> list[dict[str, int]]:
    networks = space.feasible_networks()
    order = np.argsort(space.compiled_cost(networks).flops, kind="stable")
    return [dict(space.blueprint(networks[order[i]]).sizes) for i in (0, len(order) // 2, len(order) - 1)]


@dataclasses.dataclass(frozen=True)
class _Case:
    """A program to be measured: networks of one size, so many to a chunk on each device."""

    prepared: "Prepared"
    sizes: dict[str, int]
    mode: str
    width: int

    @property
    def key(self) -> tuple[Any, ...]:
        return next(iter(self.prepared.prototypes.sources))

    @functools.cached_property
    def structure(self) -> Structure:
        space = self.prepared.prototypes
        return Structure(codegen.load_module(space.sources[self.key]), space.family.model_class, space.largest)

    @functools.cached_property
    def batches(self) -> list[tuple[np.ndarray, ...]]:
        arrays = self.prepared.prototypes.modality.train_arrays(self.prepared.dataset)
        return [self.structure.module.train_batch(*arrays, step) for step in range(NUM_STEPS)]

    @functools.cached_property
    def examples(self) -> tuple[np.ndarray, ...]:
        space = self.prepared.prototypes
        arrays = space.modality.evaluation_arrays(self.prepared.dataset, "validation", lengths_of(space.fixed))
        return tuple(array[: space.modality.search_examples] for array in arrays)


def _compile(case: _Case, mesh: jax.sharding.Mesh) -> tuple[Program, float]:
    """The program, ready to run, and the seconds that it took."""
    program = Program(case.structure, case.sizes, case.width, mesh, case.mode)
    batches, examples = case.batches, case.examples
    started = time.perf_counter()
    program.compile(batches, NUM_STEPS)
    program.compile_score(examples, case.prepared.prototypes.modality.evaluation_batch_size)
    return program, time.perf_counter() - started


def _measure(case: _Case, program: Program, compile_s: float) -> Sample:
    job = Job(case.sizes, HYPERPARAMETERS, case.structure.initial_weights(jax.random.key(0), case.sizes))
    population = program.start([job] * program.capacity)
    train_s = []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        population, _ = program.train(population, case.batches, NUM_STEPS, NUM_STEPS)
        train_s.append(time.perf_counter() - started)
    space = case.prepared.prototypes
    sample = {axis: np.array([length]) for axis, length in case.sizes.items()}
    facts = StructureFacts(case.key, space.cost_models[case.key], sample, case.sizes, 1.0)
    flops, memory_bytes = (float(work[0]) for work in facts.work(facts.sample))
    return Sample(case.width, flops, memory_bytes, len(program.leaves), min(train_s[1:]) / NUM_STEPS, compile_s)
