"""(c) Eager PyTorch, one candidate after another, with as many threads as suit it best.

A short trial of the largest and the smallest candidate with one thread and with PyTorch's default decides how many, and
leaves nothing to start up: the training that follows, timed once, stands for cold and warm.
"""

import time

import candidate_set
import measurement
import numpy as np
import torch
import torch_models

TRIAL_STEPS = 20


def train(chosen: candidate_set.CandidateSet, device: str) -> measurement.Measured:
    default = torch.get_num_threads()
    by_size = sorted(chosen.members, key=lambda member: member.flops)
    trials = {}
    for threads in sorted({1, default}):
        torch.set_num_threads(threads)
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            _train(chosen, [by_size[0], by_size[-1]], device, chosen.batches[:TRIAL_STEPS])
            seconds.append(time.perf_counter() - started)
        trials[threads] = min(seconds)
    threads = min(trials, key=trials.__getitem__)
    torch.set_num_threads(threads)
    started = time.perf_counter()
    losses = _train(chosen, chosen.members, device, chosen.batches)
    seconds = time.perf_counter() - started
    details = {"threads": threads, "trial_s": {str(count): trial for count, trial in trials.items()}}
    if device == "cuda":
        details["device"] = torch.cuda.get_device_name()
        details["peak_device_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return measurement.Measured(seconds, seconds, losses, details)


def _train(chosen, members, device, batches) -> np.ndarray:
    tensors = torch_models.batches(chosen, device)[: len(batches)]
    losses = []
    for member in members:
        model = torch_models.build(chosen, member).to(device)
        losses.append(torch_models.train(model, member, tensors, chosen.num_steps).cpu().numpy())
    return np.array(losses)


if __name__ == "__main__":
    measurement.main(__doc__, train)
