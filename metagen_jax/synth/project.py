"""The standalone project of one network: readable source, data and documents; its weights are added by the caller."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metagen_jax.data import Dataset
from metagen_jax.synth import codegen
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.documents import (
    LARGEST_DATA_BYTES,
    LOSSES_IN_NATS,
    PACKAGES,
    is_included,
    listed,
    metric_titles,
    provenance,
    recipe_line,
    versions_line,
    wrapped,
    write_data,
    write_json,
    write_text,
)
from metagen_jax.synth.markdown import inline
from metagen_jax.synth.modalities import lengths_of
from metagen_jax.synth.project_data import data_context
from metagen_jax.synth.space import SearchSpace

TOLERANCE = {
    "float32": 1e-3,
    "tensorfloat32": 1e-2,
    "bfloat16": 5e-2,
}  # of `train.py --prototype-mode`, by the precision of products
SHARED = ("model.py", "checkpoint.py", "evaluate.py", "requirements.txt", "ruff.toml")
OWN = ("train.py", "data.py", "infer.py", "test_project.py")  # each modality has its own
DOCUMENTS = ("README.md", "MODEL_CARD.md")


@dataclasses.dataclass(frozen=True)
class ProjectFacts:
    """What is known of a network when its project is written.

    Attributes:
      spec_name, spec_hash, seed, description, domain: of the spec.
      versions: of `metagen_jax`, `python`, and every package in `PACKAGES`.
      params: number of parameters.
      flops: of a forward pass over one example.
      validation, test: metrics of the trained weights, by name.
      baselines: the validation metrics of the simplest things that work, by name.
      prototype_steps: length of the training in the search.
      prototype_losses: the loss of every step of it.
      training_steps: length of the training that gave the trained weights.
      num_candidates: networks that the search trained; 1 if there was no search.
      samples: inputs and answers, as text.
    """

    spec_name: str
    spec_hash: str
    seed: int
    description: str
    domain: str
    versions: Mapping[str, str]
    params: int
    flops: float
    validation: Mapping[str, float]
    test: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    prototype_steps: int
    prototype_losses: tuple[float, ...]
    training_steps: int
    num_candidates: int
    samples: tuple[tuple[str, str], ...]


class Setting(NamedTuple):
    """One line of the settings at the head of `train.py`."""

    name: str
    value: str
    comment: str


def write_project(
    folder: Path, *, space: SearchSpace, blueprint: Blueprint, dataset: Dataset, facts: ProjectFacts
) -> None:
    """Writes everything of a project but its weights.

    The caller adds `checkpoint/` (trained) and `initial_weights/` with `population.checkpoints.save_weights`. Text that
    a user wrote goes into Markdown, JSON and `data.npz` only, never into Python. The same arguments give the same bytes.

    Args:
      folder: must not exist yet.
      space: the search space that the network is from.
      blueprint: the network.
      dataset: what it was trained on; written as `data.npz` unless larger than `LARGEST_DATA_BYTES`.
      facts: what the documents say about it.
    Raises:
      FileExistsError: there is something at `folder`.
    """
    of_data = data_context(dataset, lengths_of(space.fixed), facts.samples)
    context = _context(space, blueprint, facts, is_included(dataset)) | of_data
    context["files"] = _files(context["data_files"])
    context["requirements"] = [*((name, facts.versions[name]) for name in PACKAGES), *context["further_packages"]]
    folder.mkdir(parents=True)
    write_data(folder, dataset)
    curve = {"steps": facts.prototype_steps, "losses": [float(loss) for loss in facts.prototype_losses]}
    write_json(folder / "prototype_curve.json", curve)
    for name in SHARED:
        write_text(folder / name, codegen.render(f"project/{name}.j2", context))
    for name in OWN:
        write_text(folder / name, codegen.render(f"project/{space.modality.name}/{name}.j2", context))
    parts = {
        "metrics": codegen.render("project/metrics.md.j2", context),
        "usage": codegen.render(f"project/{space.modality.name}/usage.md.j2", context),
        "examples": codegen.render(f"project/{space.modality.name}/samples.md.j2", context),
    }
    for name in DOCUMENTS:
        write_text(folder / name, codegen.render(f"project/{name}.j2", context | parts))


# -- what the templates read -------------------------------------------------------------------------------------------


def _context(space: SearchSpace, blueprint: Blueprint, facts: ProjectFacts, data_included: bool) -> dict[str, Any]:
    """What the templates of every modality read; nothing in it that goes into Python was written by a user."""
    lengths = lengths_of(space.fixed)
    precision = space.spec.training.precision
    recipe = codegen.recipe_context(space.modality, space.spec.training, space.spec.seed, lengths)
    settings = _settings(space, blueprint, facts, recipe["constants"])
    return {
        **codegen.model_context(space.family, blueprint.structure, blueprint.sizes, space.fixed, precision),
        "recipe_fragments": recipe["recipe_fragments"],
        "settings": settings,
        "recipe_line": recipe_line(space.spec.training, blueprint.hyperparameters, facts.training_steps),
        "recipe_imports": "".join(f", {name}" for name in space.modality.recipe_imports),
        "title": space.family.title,
        "parameter": space.family.parameter,
        "parallel": listed([f"`{axis}`" for axis in space.family.parallel]),
        "facts": facts,
        "params": int(facts.params),
        "flops": f"{int(facts.flops):,}",
        "description": inline(facts.description),
        "domain": inline(facts.domain),
        "provenance": provenance(facts),
        "expected": _expected(facts),
        "versions": versions_line(facts),
        "found": _found(space, facts),
        "tolerance": TOLERANCE[precision],
        "bfloat16": precision == "bfloat16",
        "precision": precision,
        "data_included": data_included,
        "of_codes": space.modality.of_codes,
        "data_limit": LARGEST_DATA_BYTES // 1_000_000,
        **_metrics(facts, metric_titles(space.spec.training.objective)),
    }


def _settings(
    space: SearchSpace, blueprint: Blueprint, facts: ProjectFacts, constants: Mapping[str, Any]
) -> list[Setting]:
    comments = {dimension.name: dimension.comment for dimension in space.family.dimensions}
    of_batches = {
        "SEED": Setting("SEED", repr(constants["SEED"]), "of the batches"),
        "BATCH_SIZE": Setting("BATCH_SIZE", repr(constants["BATCH_SIZE"]), "examples in a training step"),
        "MAX_SHIFT": Setting("MAX_SHIFT", repr(constants.get("MAX_SHIFT")), "pixels that an image is moved by at most"),
        "CONTEXT": Setting("CONTEXT", "Config.context", "tokens in a window"),
    }
    in_nats = "in nats, " if space.spec.training.objective in LOSSES_IN_NATS else ""
    of_optimizer = [
        Setting(name.upper(), repr(value), comments[name]) for name, value in blueprint.hyperparameters.items()
    ]
    rest = [
        Setting("STEPS", repr(facts.training_steps), "of training"),
        Setting("PROTOTYPE_STEPS", repr(facts.prototype_steps), "that it was trained for in the search"),
        Setting(
            "TOLERANCE", repr(TOLERANCE[space.spec.training.precision]), f"{in_nats}of a loss when that is repeated"
        ),
        Setting("EVAL_EVERY", repr(max(1, facts.training_steps // 10)), "steps"),
        Setting("EVAL_BATCH_SIZE", repr(space.modality.evaluation_batch_size), "examples"),
    ]
    if space.modality.search_examples is not None:
        rest.append(Setting("EVAL_WINDOWS", repr(space.modality.search_examples), "looked at while it trains"))
    return [*(of_batches[name] for name in constants), *of_optimizer, *rest]


def _expected(facts: ProjectFacts) -> str:
    scores = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in facts.validation.items())
    return wrapped(f"Expected on the validation data: {scores}.")


def _metrics(facts: ProjectFacts, titles: Mapping[str, str]) -> dict[str, Any]:
    baselines = {f"baseline: {name}": metrics for name, metrics in facts.baselines.items()}
    columns = {"validation": facts.validation, "test": facts.test} | baselines
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    return {
        "metric_columns": list(columns),
        "metric_rows": [
            [
                titles.get(name, name),
                *(f"{values[name]:.4f}" if name in values else "" for values in columns.values()),
            ]
            for name in names
        ],
        "metrics_note": (
            "A baseline is the simplest thing that works, scored on the validation data. Choices were made by "
            "validation data alone; the test data was scored once, at the end."
        ),
    }


def _found(space: SearchSpace, facts: ProjectFacts) -> str:
    search = space.spec.search
    origin = f"the spec `{facts.spec_name}` (hash `{facts.spec_hash}`, seed {facts.seed})"
    again = "The same spec, seed and versions give the same project."
    if facts.num_candidates <= 1:
        return wrapped(f"`metagen_jax` chose it for {origin} without a search and trained it. {again}")
    goals = " and ".join(f"{o.metric.replace('_', ' ')} ({o.direction}d)" for o in search.objectives)
    rounds = f"{search.rounds} rounds" if search.rounds > 1 else "one round"
    return wrapped(
        f"`metagen_jax` searched the {space.size:,} combinations of sizes and training settings that {origin} leaves open, "
        f"by the strategy `{search.strategy}` in {rounds}. It trained {facts.num_candidates} of them for {facts.prototype_steps} steps each and "
        f"compared {goals}. The most promising were trained on, and this one was the best of them on the validation "
        f"data. {again}"
    )


def _files(data_files: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        ("model.py", "the network"),
        ("train.py", "how it is trained: settings, loss, optimiser, batches, loop"),
        ("infer.py", "uses it"),
        ("evaluate.py", "scores weights on the validation and test data"),
        ("data.py", "reads the data"),
        ("checkpoint.py", "reads and writes weights"),
        ("test_project.py", "checks that all of this works together"),
        ("checkpoint/", "the trained weights, written by orbax"),
        ("initial_weights/", "the weights before training"),
        ("prototype_curve.json", "the losses that the search recorded"),
        ("data.npz", "what it was trained on, and the validation and test data"),
        *data_files,
        ("requirements.txt", "the versions that it was made with"),
        ("ruff.toml", "how the code is formatted"),
        ("MODEL_CARD.md", "what it is for, what it was trained on, where it fails"),
    ]
