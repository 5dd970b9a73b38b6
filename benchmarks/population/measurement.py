"""How one peer is measured: one process, one set of candidates, one JSON file. Imports neither JAX nor PyTorch."""

import argparse
import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import candidate_set
import numpy as np
from candidate_set import CandidateSet


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a peer took.

    Attributes:
      cold_s: seconds of the first training of the whole set in this process, compilation included.
      warm_s: seconds of a training of the whole set when everything that can be compiled or started is.
      losses: `(N, steps)`, to see that all peers train the same.
      details: what else there is to say: plain JSON.
      workers_mib: peak memory of other processes.
    """

    cold_s: float
    warm_s: float
    losses: np.ndarray
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    workers_mib: float = 0.0


def peak_memory_mib() -> float:
    """The most memory that this process has held; unlike `ru_maxrss`, nothing that its parent held before."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM: peak memory is measured on Linux only.")


def main(description: str, train: Callable[[CandidateSet, str], Measured]) -> None:
    """The command line of a peer: `<script> SET OUT [--device cuda] [--members 16]`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=pathlib.Path, help="written by candidates.py")
    parser.add_argument("out", type=pathlib.Path, help="JSON file to write")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--members", type=int, help="train the first so many candidates only")
    args = parser.parse_args()
    chosen = candidate_set.load(args.set)
    chosen = dataclasses.replace(chosen, members=chosen.members[: args.members])
    measured = train(chosen, args.device)
    record = {
        "members": len(chosen.members),
        "cold_s": measured.cold_s,
        "warm_s": measured.warm_s,
        "peak_memory_mib": peak_memory_mib() + measured.workers_mib,
        "details": measured.details,
        "losses": np.asarray(measured.losses, np.float64).tolist(),
    }
    args.out.write_text(json.dumps(record))
