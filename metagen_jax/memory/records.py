"""What is remembered: runs, and in each the candidates that it finished."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from metagen_jax.synth.architecture import Blueprint


@dataclasses.dataclass(frozen=True)
class Measured:
    """One candidate of a run.

    Attributes:
      number: its position in the run.
      blueprint: what it is, as `synth.architecture.Blueprint.to_json` writes it.
      costs: `params`, `flops`, `memory_bytes` and `latency_ms`, as they were predicted.
      status: `"trained"`, `"stopped"` or `"failed"`.
      reason: why it failed, in words.
      place: 0 for the best of the run by its first objective, and so on; None where it was stopped early, failed, or was not
        trained in the search.
      measurements: of each fidelity: `stage`, training steps as `step`, and `metrics` by their names.
      initial_key: seed and number whose key its initial weights were drawn from; None where that is not known.
    """

    number: int
    blueprint: str
    costs: Mapping[str, float]
    status: str
    reason: str
    place: int | None
    measurements: tuple[Mapping[str, Any], ...]
    initial_key: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One finished run.

    Attributes:
      name: that of its spec.
      date: the day on which it ended, such as `2026-11-27`.
      task: inputs and outputs in words, such as `image -> label`.
      spec: its resolved text, YAML.
      features: numbers that tell how similar two runs are, as `features_of` takes them.
      objectives: of each its `metric` and its `direction`.
      versions: of the packages that the numbers depend on.
      candidates: those that were finished.
      space: what could be chosen, the values of each dimension by its name; empty where that is not known.
    """

    name: str
    date: str
    task: str
    spec: str
    features: Mapping[str, float]
    objectives: tuple[Mapping[str, str], ...]
    versions: Mapping[str, str]
    candidates: tuple[Measured, ...]
    space: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of what the run is: done again, or further, it has the same.

        Examples:
          >>> run = RunRecord("digits", "2026-11-27", "image -> label", "seed: 0", {}, (), {}, ())
          >>> run.id == dataclasses.replace(run, date="2026-11-28").id
          True
          >>> run.id == dataclasses.replace(run, spec="seed: 1").id
          False
        """
        content = json.dumps([self.name, self.spec, dict(self.versions)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """All of it in one line, keys sorted."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """What `to_json` has written.

        Raises:
          ValueError, TypeError, KeyError, AttributeError: the text is something else, or a candidate could not be built.
        """
        content = json.loads(text)
        candidates = tuple(map(_measured, content["candidates"]))
        return cls(**{**content, "objectives": tuple(content["objectives"]), "candidates": candidates})


def _measured(content: Mapping[str, Any]) -> Measured:
    key = content.get("initial_key")
    own = {"measurements": tuple(content["measurements"]), "initial_key": key and _key(*key)}
    measured = Measured(**{**content, **own})
    Blueprint.from_json(measured.blueprint)
    if not isinstance(measured.costs["params"], int | float):
        raise TypeError(f"candidate {measured.number} has no number of parameters")
    return measured


def _key(seed: int, number: int) -> tuple[int, int]:
    if not isinstance(seed, int) or not isinstance(number, int):
        raise TypeError(f"a key of initial weights is a seed and a number, got {seed!r} and {number!r}")
    return seed, number
