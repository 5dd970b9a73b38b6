"""Whether a run that is done again gives the same files."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metagen_jax.automl.prior import Known, read_prior
from metagen_jax.automl.run_folder import SURROUNDINGS, RunFolder
from metagen_jax.automl.start import Start, read_starts
from metagen_jax.automl.stopwatch import read_latency
from metagen_jax.errors import OutputError
from metagen_jax.population.plan import Plan, read_plan
from metagen_jax.synth.costs import Predictor


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What a manifest says of a run.

    Attributes:
      folder: the run.
      data_path: where the user's own data are; None where they ship.
      commit: of their data set of the Hugging Face Hub; None where they are from elsewhere.
      host_devices: CPU devices that its process was started with.
      search, train_prototypes: options of its command.
      origin: the `surroundings` that it ran in.
      plan: of its programs.
      predictor: of the latencies.
      measured: the latencies that were measured; a limit on time comes to the same verdicts by them.
      starts: what the search tried first.
      prior: what its predictor was told beforehand.
      sha256: the fingerprint of every artefact, by its path in the folder.
      autoencoder: the first of two stages, where it learnt from codes.
    """

    folder: Path
    data_path: str | None
    commit: str | None
    host_devices: int
    search: bool
    train_prototypes: bool
    origin: dict[str, object]
    plan: Plan
    predictor: Predictor
    measured: dict[str, Any] | None
    starts: tuple[Start, ...]
    prior: tuple[Known, ...]
    sha256: dict[str, str]
    autoencoder: "Recorded | None"


def read_recorded(folder: Path) -> Recorded:
    """Reads the manifest of a run that is to be done again.

    Raises:
      OutputError: no run has ended there, or a time limit cut it short.
    """
    manifest, first = RunFolder(folder).manifest(), RunFolder(folder).autoencoder.path
    if not manifest["complete"]:
        raise OutputError(
            f"{folder} was cut short by a time limit: how far it came depends on the clock\n"
            "  Go on with it first, with the command that started it."
        )
    return Recorded(
        folder=folder,
        data_path=manifest.get("data_path"),
        commit=manifest.get("hub", {}).get("revision"),
        host_devices=manifest["host_devices"],
        origin={name: manifest[name] for name in SURROUNDINGS if name in manifest},
        plan=read_plan(manifest["plan"]),
        predictor=Predictor(**manifest["latency"]),
        measured=read_latency(folder),
        starts=read_starts(manifest),
        prior=read_prior(manifest),
        sha256=manifest["sha256"],
        autoencoder=read_recorded(first) if first.is_dir() else None,
        **manifest["options"],
    )


def differing_files(recorded: Mapping[str, str], again: Mapping[str, str]) -> list[str]:
    """The files that are not the same in two runs, each with how it differs, in the order of their names.

    Examples:
      >>> differing_files({"a": "12", "b": "34"}, {"a": "12", "c": "56"})
      ['b: only in the recorded run', 'c: only in the repeated run']
      >>> differing_files({"a": "12"}, {"a": "34"})
      ['a: recorded sha256 12, now 34']
    """
    lines = []
    for name in sorted(recorded.keys() | again.keys()):
        if name not in again:
            lines.append(f"{name}: only in the recorded run")
        elif name not in recorded:
            lines.append(f"{name}: only in the repeated run")
        elif recorded[name] != again[name]:
            lines.append(f"{name}: recorded sha256 {recorded[name]}, now {again[name]}")
    return lines
