"""Random specs: narrowed choices that many of them share, and limits that each has for itself."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[2]
SPECS = {"vit": "image_digits_demo", "cnn": "image_digits_cnn", "decoder_transformer": "text_char_lm"}
AXES = {  # of each family, with the longest length
    "vit": {"d_model": 160, "num_layers": 24, "num_heads": 32, "head_dim": 64, "d_ff": 400},
    "cnn": {"width": 400, "num_layers": 24, "hidden": 400},
    "decoder_transformer": {"d_model": 160, "num_layers": 24, "num_heads": 32, "head_dim": 64, "d_ff": 400},
}
SHORTEST = {"num_layers": 1, "num_heads": 1}
NETWORKS = {"small": 100, "medium": 20_000, "large": 1_500_000}  # about; a large space is one that is not enumerated
SHARE_LARGE = 0.1  # of the specs: there every question is answered by a search
PARAMS_MIN, PARAMS_MAX, MEMORY, ANSWERING, LATENCY, THROUGHPUT = KINDS = (
    "parameter_budget.min",
    "parameter_budget.max",
    "memory_budget",
    "inference_memory",
    "latency",
    "throughput",
)
LOWEST = {PARAMS_MIN: 1, PARAMS_MAX: 1, MEMORY: 10**6, ANSWERING: 10**3, LATENCY: 0.001, THROUGHPUT: 0.001}
UPPER = {kind: kind not in (PARAMS_MIN, THROUGHPUT) for kind in KINDS}

Limits = dict[str, float]  # by kind, as the spec has them


@dataclasses.dataclass(frozen=True)
class Group:
    """A family with narrowed choices.

    Attributes:
      family: the kind of network.
      size: of its space, a key of `NETWORKS`.
      choices: as a spec has them.
    """

    family: str
    size: str
    choices: dict[str, Any]

    def text(self, limits: Limits) -> str:
        """A spec with these choices and limits."""
        tree = yaml.safe_load((ROOT / "specs" / f"{SPECS[self.family]}.yaml").read_text(encoding="utf-8"))
        window = {"context_window": 16} if self.family == "decoder_transformer" else {}
        tree["constraints"] = {**window, **written(limits)}
        tree["architecture"] = {"family": self.family, "choices": self.choices}
        return yaml.safe_dump(tree, sort_keys=False)


def written(limits: Limits) -> dict[str, Any]:
    """The section `constraints` of a spec."""
    budget = {kind.split(".")[1]: int(limits[kind]) for kind in (PARAMS_MIN, PARAMS_MAX) if kind in limits}
    section: dict[str, Any] = {"parameter_budget": budget} if budget else {}
    section |= {kind: f"{int(limits[kind])}B" for kind in (MEMORY, ANSWERING) if kind in limits}
    section |= {kind: f"{limits[kind]:.6f}ms" for kind in (LATENCY,) if kind in limits}
    return section | {kind: f"{limits[kind]:.6f}/s" for kind in (THROUGHPUT,) if kind in limits}


def draw_groups(rng: np.random.Generator) -> list[Group]:
    """One group for each family and size of space; no list of lengths that a spec may have makes a `cnn` space large."""
    kinds = [(family, size) for size in NETWORKS for family in SPECS if (family, size) != ("cnn", "large")]
    return [Group(family, size, _choices(rng, family, size)) for family, size in kinds]


def _choices(rng: np.random.Generator, family: str, size: str) -> dict[str, Any]:
    axes = AXES[family]
    choices: dict[str, Any] = {"norm": ["rms", "layer"], "activation": "gelu"}
    left, remaining = NETWORKS[size] / 2, len(axes)
    for axis, longest in sorted(axes.items(), key=lambda item: item[1]):
        shortest = SHORTEST.get(axis, 4)
        count = min(round(left ** (1 / remaining)) + 1, longest - shortest + 1)
        lengths = rng.choice(np.arange(shortest, longest + 1), size=count, replace=False)
        choices[axis] = sorted(lengths.tolist())
        left, remaining = left / count, remaining - 1
    if size == "small":  # so that a strategy sees the whole space at once
        choices |= {"learning_rate": [0.001, 0.01], "weight_decay": 0.1, "warmup_steps": 5}
    return choices | ({"patch_size": 2} if family == "vit" else {"stride": 1} if family == "cnn" else {})


def draw_limits(rng: np.random.Generator, measured: dict[str, np.ndarray]) -> tuple[Limits, bool]:
    """Limits of random kinds.

    Args:
      measured: what networks of the space have of each kind, `(N,)` each, as a spec would limit it.
    Returns:
      The limits, and whether a network is known that keeps them.
    """
    kinds = [kind for kind in KINDS if rng.random() < 0.5] or [str(rng.choice(KINDS))]
    how = rng.choice(["around one network", "independent", "beyond the space"], p=[0.5, 0.35, 0.15])
    one = int(rng.integers(len(measured[PARAMS_MAX])))
    limits: Limits = {}
    for kind in kinds:
        values = measured[kind]
        if how == "around one network":
            slack = 1 + 10.0 ** rng.uniform(-4, 0)
            limits[kind] = values[one] * slack if UPPER[kind] else values[one] / slack
        else:
            limits[kind] = float(rng.choice(values)) * 10.0 ** rng.uniform(-0.1, 0.1)
    if how == "beyond the space":
        kind = str(rng.choice(kinds))
        limits[kind] = measured[kind].min() * rng.uniform(0.3, 0.99) if UPPER[kind] else measured[kind].max() * 1.5
    limits = {kind: max(bound, LOWEST[kind]) for kind, bound in limits.items()}
    return {kind: _as_written(kind, bound) for kind, bound in limits.items()}, how == "around one network"


def _as_written(kind: str, bound: float) -> float:
    if kind in (LATENCY, THROUGHPUT):
        return round(float(bound), 6)
    return math.ceil(bound) if UPPER[kind] else int(bound)
