"""The spec once read: frozen dataclasses of plain numbers, with every default resolved."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from metagen_jax.errors import SpecError
from metagen_jax.spec import units
from metagen_jax.spec.devices import kind_of
from metagen_jax.spec.locations import Locations
from metagen_jax.spec.yaml_source import dump


@dataclass(frozen=True)
class Modality:
    """What goes in and what comes out: words such as "image", "text", "label"."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What is learnt, as `metagen_jax.spec.tasks` calls it; a "classification" has `num_classes`."""

    type: str
    domain: str
    num_classes: int | None


@dataclass(frozen=True)
class Hub:
    """A data set of the Hugging Face Hub: owner and name; None for both others: what is usual there.

    Attributes:
      commit: is read in the place of `revision` where a run is done again. Not part of equality or hash.
    """

    name: str
    config: str | None = None
    revision: str | None = None
    commit: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class DataSpec:
    """What is learnt from: exactly one of `source` (embedded), `path` and `hub` is not None.

    Attributes:
      path: absolute; a relative one was resolved against the folder of the spec file. Not part of equality or hash.
      written_path: the path as the spec has it.
      format: how the path is read, such as "npz" or "text_folder", that of a table for `hub`; None for embedded data.
      validation_fraction, test_fraction: not for embedded data, whose splits are fixed.
      hub: the data set of the Hugging Face Hub.
      columns: what columns of tables are called, by what they hold, where that differs.
      autoencoder: whose codes are learnt from in the place of the images; None: the images themselves are.
      written_autoencoder: the path of its spec as the spec has it. Not part of equality or hash.
    """

    source: str | None
    path: str | None = field(compare=False)
    written_path: str | None
    format: str | None
    image_size: int | None
    channels: int | None
    sample_rate: int | None
    clip_seconds: float | None
    frames: int | None
    validation_fraction: float
    test_fraction: float
    max_examples: int | None
    hub: Hub | None = None
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    autoencoder: "ModelSpec | None" = None
    written_autoencoder: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Constraints:
    """Upper limits (None: no limit); `min_params` and `throughput_per_s` are lower limits, `context_window` is exact.

    Attributes:
      memory_bytes: of training.
      inference_memory_bytes: of one answer; that of the device class where the spec does not say.
      context_window: tokens; None unless text goes in or sound comes out.
      device: "cpu", "gpu", "tpu" or the name of a class in `spec/devices.py`.
    """

    min_params: int
    max_params: int | None
    memory_bytes: int | None
    inference_memory_bytes: int | None
    latency_ms: float | None
    throughput_per_s: float | None
    context_window: int | None
    device: str

    @property
    def device_kind(self) -> str:
        """The kind of the device: "cpu", "gpu" or "tpu"."""
        return kind_of(self.device)


@dataclass(frozen=True)
class Target:
    """What the model that comes out is built for; None: as the data.

    Attributes:
      vocabulary: tokens; None unless text goes in.
      image_size, channels: pixels a side, values of a pixel; None unless images go in or come out.
      num_classes: labels; None unless labels go in or come out.
    """

    vocabulary: int | None = None
    image_size: int | None = None
    channels: int | None = None
    num_classes: int | None = None


@dataclass(frozen=True)
class Training:
    """How candidates and the winner learn; `steps` are the finalists', `precision` is that of products."""

    objective: str
    schedule: str
    steps: int
    batch_size: int
    label_smoothing: float
    augmentation: str
    precision: str


@dataclass(frozen=True)
class Choice:
    """What the spec leaves of one choice of the search space.

    Attributes:
      values: the values that are allowed, one or several; None where a range is given.
      min, max: bounds of an ordered choice, each may be None.
    """

    values: tuple[int | float | str, ...] | None = None
    min: int | float | None = None
    max: int | float | None = None


@dataclass(frozen=True)
class Architecture:
    """Which networks are searched; no families means the usual one."""

    families: tuple[str, ...]
    choices: Mapping[str, Choice] = field(hash=False)


@dataclass(frozen=True)
class Objective:
    """One thing that the search improves; `direction` is "minimize" or "maximize"."""

    metric: str
    direction: str


@dataclass(frozen=True)
class Search:
    """How architectures are looked for; `budget` counts trained candidates, over all rounds.

    `patience` is the number of rounds without gain that end the search, or None: all rounds. `proxy` is "none" or the cost
    of which more is guessed to be better, in the first round; `proxies` are what is measured to rank and chooses one of
    `oversampling` proposals in later ones. A network of more than `prototype_params` parameters is scaled down before it
    is trained.
    """

    strategy: str
    proxy: str
    proxies: tuple[str, ...]
    oversampling: int
    objectives: tuple[Objective, ...]
    budget: int
    rounds: int
    patience: int | None
    prototype_steps: int
    prototype_params: int
    rungs: int
    reduction_factor: int
    finalists: int

    @property
    def round_size(self) -> int:
        """How many candidates a round proposes; the last one may have fewer."""
        return math.ceil(self.budget / self.rounds)


@dataclass(frozen=True)
class Evaluation:
    """What is measured on the test data, once, for the winner."""

    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Outputs:
    """What is left in the run folder; `samples` counts example answers in the model card."""

    figures: bool
    project: bool
    samples: int


@dataclass(frozen=True)
class ModelSpec:
    """What the user wrote, resolved and frozen.

    Two specs are equal, and have the same hash, if they ask for the same; where they were read from does not count.
    """

    metagen_version: str
    name: str
    description: str
    modality: Modality
    task: Task
    data: DataSpec
    constraints: Constraints
    target: Target
    training: Training
    architecture: Architecture
    search: Search
    evaluation: Evaluation
    outputs: Outputs
    seed: int
    locations: Locations = field(compare=False, repr=False, default=Locations("spec"))

    @property
    def hash(self) -> str:
        """Eight hex characters that stand for everything the spec asks for."""
        tree = self.to_dict()
        if self.data.autoencoder is not None:
            tree["data"]["autoencoder"] = self.data.autoencoder.hash  # wherever it stands
        canonical = json.dumps(tree, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:8]

    def error(self, path: str, problem: str, remedy: str = "") -> SpecError:
        """Returns the error to raise for a value found wrong later, located at its line.

        Args:
          path: dotted path in the YAML file, such as "architecture.choices.d_model"; where the file does not have it,
            the nearest parent's line is named.
          problem: what is wrong, with the offending value.
          remedy: what to write instead.
        """
        return self.locations.error(path, problem, remedy)

    def with_data_at(self, path: str) -> "ModelSpec":
        """Returns the spec with the user's own data, those of its autoencoder too, looked for at an absolute path."""
        own = self.data.autoencoder
        autoencoder = None if own is None else own.with_data_at(path)
        return replace(self, data=replace(self.data, path=path, autoencoder=autoencoder))

    def with_commit(self, commit: str) -> "ModelSpec":
        """Returns the spec with its data set of the Hub, that of its autoencoder too, read as of a commit."""
        own, hub = self.data.autoencoder, self.data.hub
        assert hub is not None
        autoencoder = None if own is None else own.with_commit(commit)
        return replace(self, data=replace(self.data, hub=replace(hub, commit=commit), autoencoder=autoencoder))

    def to_dict(self) -> dict[str, Any]:
        """Returns the spec in the form of the YAML file, every default written out, quantities as exact text."""
        tree = {
            "metagen_version": self.metagen_version,
            "name": self.name,
            "description": self.description,
            "modality": {"inputs": list(self.modality.inputs), "outputs": list(self.modality.outputs)},
            "task": {"type": self.task.type, "domain": self.task.domain, "num_classes": self.task.num_classes},
            "data": self._data_dict(),
            "constraints": self._constraints_dict(),
            "target": {name: value for name, value in vars(self.target).items() if value is not None},
            "training": dict(vars(self.training)),
            "architecture": self._architecture_dict(),
            "search": self._search_dict(),
            "evaluation": {"metrics": list(self.evaluation.metrics)},
            "outputs": dict(vars(self.outputs)),
            "reproducibility": {"seed": self.seed},
        }
        return _without_none(tree)

    def to_yaml(self) -> str:
        """Returns canonical YAML; reading it gives an equal spec."""
        return dump(self.to_dict())

    def _search_dict(self) -> dict[str, Any]:
        own = {
            "objectives": [dict(vars(each)) for each in self.search.objectives],
            "proxies": list(self.search.proxies),
        }
        return dict(vars(self.search)) | own

    def _data_dict(self) -> dict[str, Any]:
        own = {"autoencoder": self.data.written_autoencoder}
        if self.data.source is not None:
            return own | {"source": self.data.source, "max_examples": self.data.max_examples}
        tree = dict(vars(self.data)) | {"path": self.data.written_path} | own
        del tree["written_path"], tree["written_autoencoder"]
        hub = self.data.hub
        if hub is not None:  # whose format follows from the task
            tree |= {"format": None, "hub": {"name": hub.name, "config": hub.config, "revision": hub.revision}}
        return tree | {"columns": dict(self.data.columns)}

    def _constraints_dict(self) -> dict[str, Any]:
        limits = self.constraints
        memory, answering = limits.memory_bytes, limits.inference_memory_bytes
        latency, rate = limits.latency_ms, limits.throughput_per_s
        return {
            "parameter_budget": {"min": limits.min_params, "max": limits.max_params},
            "memory_budget": None if memory is None else units.format_bytes(memory),
            "inference_memory": None if answering is None else units.format_bytes(answering),
            "latency": None if latency is None else units.format_duration_ms(latency),
            "throughput": None if rate is None else units.format_rate_per_s(rate),
            "context_window": limits.context_window,
            "device": limits.device,
        }

    def _architecture_dict(self) -> dict[str, Any]:
        choices = {
            name: {"min": choice.min, "max": choice.max} if choice.values is None else list(choice.values)
            for name, choice in sorted(self.architecture.choices.items())
        }
        tree: dict[str, Any] = {"family": list(self.architecture.families), "choices": choices}
        return {name: value for name, value in tree.items() if value}


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in tree.items()
        if value is not None and value != {}
    }
