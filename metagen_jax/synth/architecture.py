"""The Blueprint: one concrete network with its training hyperparameters."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any


def by_name(sizes: Mapping[str, int]) -> dict[str, str]:
    """Lengths of axes as text; those that each level has of its own stand side by side.

    Examples:
      >>> by_name({"width_1": 12, "hidden_1": 8, "width_2": 24, "hidden_2": 16})
      {'width': '12-24', 'hidden': '8-16'}
    """
    lengths: dict[str, list[str]] = {}
    for axis, length in sizes.items():
        lengths.setdefault(axis.rstrip("_0123456789"), []).append(str(length))
    return {name: "-".join(of_levels) for name, of_levels in lengths.items()}


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """One concrete network: what its text says, how large it is, how it is trained.

    Attributes:
      family: name of the family, for example `"vit"`.
      structure: choices that change the text of the program (patch size, norm, activation).
      sizes: length of each searched axis (`d_model`, `num_layers`, ...).
      hyperparameters: numbers of the training (`learning_rate`, `weight_decay`, `warmup_steps`).

    Examples:
      >>> tiny = Blueprint("vit", {"norm": "rms"}, {"d_model": 16}, {"learning_rate": 0.01})
      >>> Blueprint.from_json(tiny.to_json()) == tiny
      True
      >>> tiny.id == Blueprint("vit", {"norm": "rms"}, {"d_model": 24}, {"learning_rate": 0.01}).id
      False
    """

    family: str
    structure: Mapping[str, Any]
    sizes: Mapping[str, int]
    hyperparameters: Mapping[str, float]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no white space; equal blueprints give equal text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Blueprint":
        return cls(**json.loads(text))

    @property
    def id(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    @property
    def structure_key(self) -> str:
        """Blueprints with the same key share a program."""
        return json.dumps([self.family, dict(self.structure)], sort_keys=True)

    @property
    def network_key(self) -> str:
        """Blueprints with the same key are the same network, however it is trained."""
        return self.structure_key + repr(sorted(self.sizes.items()))
