"""The standalone project of one network: readable source, data and documents; its weights are added by the caller."""

import dataclasses
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from metagen_jax.data import Dataset, ImageDataset, TextDataset
from metagen_jax.synth import codegen
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.documents import (
    LARGEST_DATA_BYTES,
    METRIC_TITLES,
    PACKAGES,
    PICTURE_MODES,
    data_card,
    example_counts,
    example_file,
    is_included,
    listed,
    provenance,
    quoted_prompt,
    recipe_line,
    versions_line,
    wrapped,
    write_data,
    write_json,
    write_text,
)
from metagen_jax.synth.markdown import fence, inline
from metagen_jax.synth.modalities import lengths_of
from metagen_jax.synth.space import SearchSpace

TOLERANCE = {
    "float32": 1e-3,
    "tensorfloat32": 1e-2,
    "bfloat16": 5e-2,
}  # of `train.py --prototype-mode`, by the precision of products
SHARED = ("model.py", "checkpoint.py", "evaluate.py", "requirements.txt", "ruff.toml")
OWN = ("train.py", "data.py", "infer.py", "test_project.py")  # each modality has its own
DOCUMENTS = ("README.md", "MODEL_CARD.md")
PICTURE_KINDS = {"L": "grey", "LA": "grey with transparency", "RGB": "colour", "RGBA": "colour with transparency"}
DARK = 85  # mean of the training images, of 255, below which they are called light on dark


@dataclasses.dataclass(frozen=True)
class ProjectFacts:
    """What is known of a network when its project is written.

    Attributes:
      spec_name, spec_hash, seed, description, domain: of the spec.
      versions: of `metagen_jax`, `python`, and every package in `PACKAGES`.
      params: number of parameters.
      flops: of a forward pass over one example.
      validation, test: metrics of the trained weights, by name.
      baseline_name, baseline: the simplest thing that works, and its validation metrics.
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
    baseline_name: str
    baseline: Mapping[str, float]
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
    context = _context(space, blueprint, facts, is_included(dataset))
    folder.mkdir(parents=True)
    if isinstance(dataset, ImageDataset):
        context |= _image_context(space, dataset, facts)
    else:
        context |= _text_context(space, dataset, facts)
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
        "requirements": [(package, facts.versions[package]) for package in PACKAGES],
        "found": _found(space, facts),
        "tolerance": TOLERANCE[precision],
        "bfloat16": precision == "bfloat16",
        "precision": precision,
        "data_included": data_included,
        "data_limit": LARGEST_DATA_BYTES // 1_000_000,
        **_metrics(facts),
    }


def _settings(
    space: SearchSpace, blueprint: Blueprint, facts: ProjectFacts, constants: Mapping[str, Any]
) -> list[Setting]:
    comments = {dimension.name: dimension.comment for dimension in space.family.dimensions}
    of_batches = {
        "SEED": Setting("SEED", repr(constants["SEED"]), "of the batches"),
        "BATCH_SIZE": Setting("BATCH_SIZE", repr(constants["BATCH_SIZE"]), "examples in a training step"),
        "MAX_SHIFT": Setting("MAX_SHIFT", repr(constants.get("MAX_SHIFT")), "pixels that an image is moved by at most"),
        "CONTEXT": Setting("CONTEXT", "Config.context", "characters in a window"),
    }
    of_optimizer = [
        Setting(name.upper(), repr(value), comments[name]) for name, value in blueprint.hyperparameters.items()
    ]
    rest = [
        Setting("STEPS", repr(facts.training_steps), "of training"),
        Setting("PROTOTYPE_STEPS", repr(facts.prototype_steps), "that it was trained for in the search"),
        Setting(
            "TOLERANCE", repr(TOLERANCE[space.spec.training.precision]), "in nats, of a loss when that is repeated"
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


def _metrics(facts: ProjectFacts) -> dict[str, Any]:
    columns = {"validation": facts.validation, "test": facts.test, f"baseline: {facts.baseline_name}": facts.baseline}
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    return {
        "metric_columns": list(columns),
        "metric_rows": [
            [
                METRIC_TITLES.get(name, name),
                *(f"{values[name]:.4f}" if name in values else "" for values in columns.values()),
            ]
            for name in names
        ],
        "metrics_note": (
            "The baseline is the simplest thing that works, scored on the validation data. Choices were made by "
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


def _image_context(space: SearchSpace, dataset: ImageDataset, facts: ProjectFacts) -> dict[str, Any]:
    size, _, channels = dataset.image_shape
    mode = PICTURE_MODES.get(channels)
    example = example_file(channels)
    alpha = mode in ("LA", "RGBA")
    colours = dataset.train.images[..., :-1] if alpha else dataset.train.images
    names = ", ".join(inline(name) for name in dataset.class_names[:30])
    more = f" and {dataset.num_classes - 30} more" if dataset.num_classes > 30 else ""
    kind = PICTURE_KINDS[mode] if mode else f"{channels} values each"
    pillow = [("pillow", metadata.version("pillow"))] if mode else []
    return {
        "requirements": [*((package, facts.versions[package]) for package in PACKAGES), *pillow],
        "train_arguments": "images, labels",
        "train_values": "*train_data",
        "has_windows": False,
        "picture_mode": mode,
        "array_input": mode is None,
        "alpha": alpha,
        "dark": float(colours.mean()) < DARK,
        "image_size": size,
        "example_file": example,
        "example_noun": "image",
        "infer_command": f"python infer.py {example}",
        "samples": [(inline(question), inline(answer)) for question, answer in facts.samples],
        "data_arrays": "train_images and train_labels, the same for validation and test, and class_names",
        "data_card": data_card(
            dataset, f"{example_counts(dataset)} images. {size} x {size} pixels, {kind}. Labels: {names}{more}."
        ),
        "intended": (
            "For naming what an image of this kind shows, for learning how such a network works, and as a starting "
            "point for other data. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It always answers with one of its {dataset.num_classes} labels, also when the image shows something else.",
            f"It was trained on {len(dataset.train):,} images; others that differ in framing, background or lighting "
            "will be recognised less well.",
            "Its probabilities have not been calibrated, and it has not been examined for bias.",
        ],
        "files": _files(
            ("labels.json", "the names of the labels"), (example, "the first image of the test data, to try it with")
        ),
    }


def _text_context(space: SearchSpace, dataset: TextDataset, facts: ProjectFacts) -> dict[str, Any]:
    context = lengths_of(space.fixed)["context"]
    return {
        "train_arguments": "tokens",
        "train_values": "train_data",
        "has_windows": True,
        "context": context,
        "vocabulary_size": len(dataset.vocabulary),
        "example_noun": f"window of {context} characters",
        "infer_command": f"python infer.py --prompt {quoted_prompt(dataset)}",
        "fenced_samples": [(fence(prompt), fence(answer)) for prompt, answer in facts.samples],
        "data_arrays": "train_tokens, validation_tokens, test_tokens and vocabulary",
        "data_card": data_card(
            dataset, f"{example_counts(dataset)} characters, {len(dataset.vocabulary)} different ones."
        ),
        "intended": (
            "For continuing texts of this kind, for learning how a language model works, and as a starting point for "
            "other texts. Not a source of facts or advice."
        ),
        "limits": [
            f"It sees the last {context} characters and nothing before them, so it loses the thread.",
            "It imitates the training text, errors and prejudice included, and may repeat passages of it word for word.",
            "What it writes is not meant to be true.",
            f"It knows {len(dataset.vocabulary)} characters and refuses a prompt with any other.",
        ],
        "files": _files(("vocabulary.json", "the characters; the position of each is its token")),
    }


def _files(*own: tuple[str, str]) -> list[tuple[str, str]]:
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
        *own,
        ("requirements.txt", "the versions that it was made with"),
        ("ruff.toml", "how the code is formatted"),
        ("MODEL_CARD.md", "what it is for, what it was trained on, where it fails"),
    ]
