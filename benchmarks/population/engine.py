"""(a) This engine, by the way that a run uses it: `PrototypeTrainer.train_prototypes`.

Cold: the first round, with rendering, tracing, compilation, initial weights and batches; no compilation cache. Warm: the
same round again. A third, shorter round trains other candidates and counts what it compiles. Every round also scores
each candidate on 128 validation examples every 50 steps, which no peer does.
"""

import os
import time

import candidate_set
import measurement

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, num_cores, start_jax

start_jax(DEFAULT_HOST_DEVICES)

import jax  # noqa: E402  after its flags are set
import numpy as np  # noqa: E402
from candidates import RUN_KEY, candidate, prepared  # noqa: E402

from metagen_jax.automl.pipeline import Options  # noqa: E402
from metagen_jax.automl.planning import new_plan  # noqa: E402
from metagen_jax.automl.progress import Silent  # noqa: E402
from metagen_jax.automl.prototype_trainer import PrototypeTrainer  # noqa: E402
from metagen_jax.automl.rungs import Schedule, schedule  # noqa: E402
from metagen_jax.population.devices import population_mesh  # noqa: E402

COMPILED = "/jax/core/compile/backend_compile_duration"


def train(chosen: candidate_set.CandidateSet, device: str) -> measurement.Measured:
    compilations: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compilations.append(seconds) if event == COMPILED else None
    )
    budget = f"{{budget: {len(chosen.members)}, rounds: 1, prototype_steps: {chosen.num_steps}}}"
    prep = prepared(chosen.spec, [*chosen.overrides, f"search={budget}"])
    compilations.clear()
    on_cpu = jax.default_backend() == "cpu"
    if on_cpu != (device == "cpu"):
        raise RuntimeError(f"asked for {device}, but JAX found {jax.default_backend()}")
    mesh = population_mesh(min(num_cores(), len(jax.local_devices())) if on_cpu else None)
    started = time.perf_counter()
    plan = new_plan(prep, Options(num_devices=mesh.size))
    trainer = PrototypeTrainer(prep.space, prep.dataset, jax.random.key(RUN_KEY), mesh, plan, Silent())

    def round_of(genotypes: list[np.ndarray], length: Schedule) -> np.ndarray:
        candidates = [candidate(prep.space, number, genotype) for number, genotype in enumerate(genotypes)]
        trainer.train_prototypes(candidates, length, lambda trained: None)
        return np.array([each.losses for each in candidates])

    whole = schedule(chosen.num_steps)
    genotypes = [member.genotype for member in chosen.members]
    losses = round_of(genotypes, whole)
    cold_s = time.perf_counter() - started
    in_first_round = list(compilations)

    started = time.perf_counter()
    round_of(genotypes, whole)
    warm_s = time.perf_counter() - started

    compilations.clear()
    round_of(list(chosen.others), schedule(whole.segment))
    details = {
        "devices": mesh.size,
        "device": jax.devices()[0].device_kind,
        "programs": [dict(program.allocated) for program in plan.programs],
        "compilations": len(in_first_round),
        "compile_s": sum(in_first_round),
        "compilations_in_a_round_of_others": len(compilations),
    }
    if not on_cpu:
        details["peak_device_memory_mib"] = jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    return measurement.Measured(cold_s, warm_s, losses, details)


if __name__ == "__main__":
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
    measurement.main(__doc__, train)
