"""(a) This engine, by the way that a run uses it: `PrototypeTrainer.train_prototypes`.

Cold: the first round, with the start of the other processes, rendering, tracing, compilation, initial weights and
batches; no compilation cache. Warm: the same candidates again, given in reverse order, which must not change a bit of any.
A third, shorter round trains other candidates and counts what it compiles. Every round also scores
each candidate on 128 validation examples every 50 steps, which no peer does.
"""

import os
import time
from collections.abc import Sequence

import candidate_set
import measurement

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, search_on_cpu, start_jax
from metagen_jax.cli.workers import default_workers, worker_processes

start_jax(DEFAULT_HOST_DEVICES)

import jax  # noqa: E402  after its flags are set
import numpy as np  # noqa: E402
from candidates import candidates_of, prepared  # noqa: E402

from metagen_jax.automl.keys import keys_of  # noqa: E402
from metagen_jax.automl.lanes import Lane  # noqa: E402
from metagen_jax.automl.pipeline import Options, Prepared  # noqa: E402
from metagen_jax.automl.planning import new_plan  # noqa: E402
from metagen_jax.automl.progress import Silent  # noqa: E402
from metagen_jax.automl.prototype_trainer import PrototypeTrainer  # noqa: E402
from metagen_jax.automl.rungs import Schedule, schedule  # noqa: E402
from metagen_jax.population.devices import population_mesh  # noqa: E402

COMPILED = "/jax/core/compile/backend_compile_duration"


def train(chosen: candidate_set.CandidateSet, device: str) -> measurement.Measured:
    search_on_cpu()
    compilations: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compilations.append(seconds) if event == COMPILED else None
    )
    num = len(chosen.members) * chosen.rounds
    budget = f"{{budget: {num}, rounds: {chosen.rounds}, prototype_steps: {chosen.num_steps}}}"
    prep = prepared(chosen.spec, [*chosen.overrides, f"search={budget}"])
    compilations.clear()
    on_cpu = jax.default_backend() == "cpu"
    if on_cpu != (device == "cpu"):
        raise RuntimeError(f"asked for {device}, but JAX found {jax.default_backend()}")
    started = time.perf_counter()
    others = default_workers() - 1 if on_cpu else 0
    notes: list[str] = []  # of the other processes, which say what they compile
    with worker_processes(others, prep, notes.append) as helpers:
        return _measured(chosen, prep, helpers, compilations, notes, started)


def _measured(
    chosen: candidate_set.CandidateSet,
    prep: Prepared,
    helpers: Sequence[Lane],
    compilations: list[float],
    notes: list[str],
    started: float,
) -> measurement.Measured:
    mesh = population_mesh()
    plan = new_plan(prep, Options(num_devices=mesh.size))
    run_key, _ = keys_of(prep.spec)
    trainer = PrototypeTrainer(prep.space, prep.dataset, run_key, mesh, plan, Silent(), helpers=helpers)

    def round_of(genotypes: list[np.ndarray], length: Schedule, backwards: bool = False) -> np.ndarray:
        candidates = candidates_of(prep.space, genotypes)
        trainer.train_prototypes(candidates[::-1] if backwards else candidates, length, lambda trained: None)
        return np.array([each.losses for each in candidates])

    whole = schedule(chosen.num_steps)
    genotypes = [member.genotype for member in chosen.members]
    losses = round_of(genotypes, whole)
    cold_s = time.perf_counter() - started
    in_first_round = list(compilations)

    started = time.perf_counter()
    again = round_of(genotypes, whole, backwards=True)
    warm_s = time.perf_counter() - started

    compilations.clear()
    notes.clear()
    round_of(list(chosen.others), schedule(whole.segment))
    details = {
        "devices": mesh.size,
        "processes": 1 + len(helpers),
        "device": jax.devices()[0].device_kind,
        "programs": [dict(program.allocated) for program in plan.programs],
        "planned_rounds": chosen.rounds,
        "padding_efficiency": plan.padding_efficiency,
        "same_bits_backwards": again.tobytes() == losses.tobytes(),
        "compilations": len(in_first_round),
        "compile_s": sum(in_first_round),
        "compilations_in_a_round_of_others": len(compilations) + len(notes),
    }
    if jax.default_backend() != "cpu":
        details["peak_device_memory_mib"] = jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    return measurement.Measured(cold_s, warm_s, losses, details)


if __name__ == "__main__":
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
    measurement.main(__doc__, train)
