"""results.json from measurements.jsonl: how each cheap measure ranks the targets."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.rank_fidelity.correlations import interval, kendall, of_seeds, resamples, spearman
from experiments.rank_fidelity.settings import COST, INITIAL, PROTOTYPE, TARGET, Measurement
from experiments.rank_fidelity.store import read
from metagen_jax.automl.run_folder import write_json

COMMAND = "python experiments/rank_fidelity/run.py"
Results = Mapping[Measurement, dict[str, Any]]


def write_summary(measurements: Path, path: Path) -> None:
    write_json(path, summary(measurements))


def summary(measurements: Path) -> dict[str, Any]:
    """Plain JSON; a pure function of the file."""
    header, results = read(measurements)
    settings = header["settings"]
    ratios = [own["params"] / own["prototype_params"] for what, own in results.items() if what.kind == COST]
    return {
        "command": COMMAND,
        "settings": settings,
        "versions": header["versions"],
        "target_over_prototype": {"least": min(ratios), "most": max(ratios)},
        "cpu_minutes": sum(result["cpu_s"] for result in results.values()) / 60,
        "cpu_s": {kind: _cpu_s(results, kind) for kind in (INITIAL, PROTOTYPE, TARGET)},
        "tables": {
            f"{task}, {condition}": _table(settings, results, task, condition)
            for task, condition in itertools.product(settings["tasks"], settings["conditions"])
        },
    }


def values_of(
    settings: dict[str, Any], results: Results, task: str, kind: str, field: str | int, condition: str = ""
) -> np.ndarray:
    """One number of every architecture with every seed, `(S, N)`; infinite where a training diverged.

    Args:
      field: a number of steps for the loss after them, or the name of what was measured.
    """

    def value(seed: int, architecture: int) -> float:
        result = results[Measurement(task, kind, architecture, condition, seed)]
        number = result["losses"][str(field)] if isinstance(field, int) else result[field]
        return np.inf if number is None else number

    seeds = [0] if kind == COST else settings["seeds"]
    return np.array([[value(seed, i) for i in range(settings["architectures"])] for seed in seeds])


def _cpu_s(results: Results, kind: str) -> float:
    """The mean of the first seed, which compiles."""
    own = {what: result["cpu_s"] for what, result in results.items() if what.kind == kind}
    first = min(what.seed for what in own)
    return float(np.mean([seconds for what, seconds in own.items() if what.seed == first]))


def _table(settings: dict[str, Any], results: Results, task: str, condition: str) -> dict[str, Any]:
    targets = values_of(settings, results, task, TARGET, settings["target_steps"], condition)  # (S, N)
    target = targets.mean(axis=0)
    steps = settings["prototype_steps"]
    measures = {  # the smaller, the better the architecture is taken to be
        f"prototype, {part} steps": values_of(settings, results, task, PROTOTYPE, part, condition)
        for part in (steps, steps // 2, steps // 4)
    }
    measures |= {
        name: -values_of(settings, results, task, kind, name)
        for kind, name in ((INITIAL, "synflow"), (INITIAL, "grad_norm"), (COST, "params"), (COST, "flops"))
    }
    reference = next(iter(measures.values()))
    return {
        "target_loss": {"best": float(target.min()), "worst": float(target.max())},
        "target_between_seeds": _between_seeds(targets),
        "measures": {name: _measure(values, reference, target) for name, values in measures.items()},
    }


def _measure(values: np.ndarray, reference: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """How one measure, `(S, N)`, ranks the targets, `(N,)`, and how far it is behind the reference, `(S, N)`."""
    drawn = resamples(len(target))
    there = {name: of_seeds(f, values, target) for name, f in (("spearman", spearman), ("kendall", kendall))}
    resampled = {
        name: of_seeds(f, values[:, drawn], target[drawn]) for name, f in (("spearman", spearman), ("kendall", kendall))
    }
    behind = of_seeds(spearman, reference[:, drawn], target[drawn]) - resampled["spearman"]
    picked = [target[np.argmin(own)] for own in values]
    return {
        **{name: _with_interval(there[name], resampled[name]) for name in there},
        "behind_prototype": _with_interval(of_seeds(spearman, reference, target) - there["spearman"], behind),
        "between_seeds": _between_seeds(values) if len(values) > 1 else None,
        "excess_of_its_choice": float(np.mean(picked) / target.min() - 1),
    }


def _with_interval(value: Any, resampled: np.ndarray) -> dict[str, float]:
    low, high = interval(resampled)
    return {"value": float(value), "low": low, "high": high}


def _between_seeds(values: np.ndarray) -> float:
    """Spearman's correlation of the first two seeds: what the best of measures could not do much better."""
    return float(spearman(values[0], values[1]))
