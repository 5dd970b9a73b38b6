"""(d) Eager PyTorch in as many single-threaded worker processes as cores, the largest candidates first.

Warm: from the moment that every worker has imported PyTorch, read the candidates and taken a step. Cold: from the start
of the first worker. One training gives both.
"""

import multiprocessing
import os
import time
from typing import Any

import candidate_set
import measurement
import numpy as np

_here: dict[str, Any] = {}  # of a worker: what it was started with


def train(chosen: candidate_set.CandidateSet, device: str) -> measurement.Measured:
    if device != "cpu":
        raise RuntimeError("worker processes are a peer on the CPU only")
    context = multiprocessing.get_context("spawn")
    num_workers = len(os.sched_getaffinity(0))
    ready = context.Barrier(num_workers + 1)
    order = sorted(range(len(chosen.members)), key=lambda i: -chosen.members[i].flops)
    started = time.perf_counter()
    with context.Pool(num_workers, _start, (chosen, ready)) as pool:
        ready.wait(timeout=300)
        all_ready = time.perf_counter()
        results = list(pool.imap_unordered(_train_one, order))
        finished = time.perf_counter()
    losses: list[Any] = [None] * len(order)
    memory: dict[int, float] = {}
    for index, own, worker, peak_mib in results:
        losses[index] = own
        memory[worker] = max(peak_mib, memory.get(worker, 0.0))
    details = {"workers": num_workers}
    return measurement.Measured(
        finished - started, finished - all_ready, np.array(losses), details, sum(memory.values())
    )


def _start(chosen: candidate_set.CandidateSet, ready: Any) -> None:
    import torch  # in the workers only

    torch.set_num_threads(1)
    import torch_models

    tensors = torch_models.batches(chosen, "cpu")
    _here.update(chosen=chosen, tensors=tensors, models=torch_models)
    model = torch_models.build(chosen, chosen.members[0])
    torch_models.train(model, chosen.members[0], tensors[:1], chosen.num_steps)
    ready.wait()


def _train_one(index: int) -> tuple[int, np.ndarray, int, float]:
    chosen, models = _here["chosen"], _here["models"]
    member = chosen.members[index]
    losses = models.train(models.build(chosen, member), member, _here["tensors"], chosen.num_steps)
    return index, losses.numpy(), os.getpid(), measurement.peak_memory_mib()


if __name__ == "__main__":
    measurement.main(__doc__, train)
