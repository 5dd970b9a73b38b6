"""The project of a network that is too large to be trained here: sharded, untrained, beside its prototype's project."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from metagen_jax.data import (
    AudioDataset,
    AudioTokenDataset,
    CaptionedImageDataset,
    Dataset,
    DescribedImageDataset,
    DrawnImageDataset,
    ImageDataset,
    LabelledTextDataset,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
)
from metagen_jax.spec import Training
from metagen_jax.synth import codegen
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.documents import (
    EXAMPLE_CLIP,
    EXAMPLE_TEXT,
    EXAMPLE_WAVE,
    LARGEST_DATA_BYTES,
    LOSSES_IN_NATS,
    PACKAGES,
    example_file,
    is_included,
    listed,
    provenance,
    quoted_prompt,
    versions_line,
    wrapped,
    write_data,
    write_text,
)
from metagen_jax.synth.markdown import inline
from metagen_jax.synth.modalities import Family, Field, Modality, lengths_of

TOLERANCE = {
    "float32": 1e-4,
    "tensorfloat32": 2e-3,
    "bfloat16": 1e-2,
}  # of losses on different meshes, by the precision of products
TOKENS_PER_PARAMETER = 20  # Hoffmann et al., Training Compute-Optimal Large Language Models, 2022
AS_EVERY_PROJECT = ("model.py", "requirements.txt", "ruff.toml")
SHARED = (
    "sizes.py",
    "recipe.py",
    "sharding.py",
    "step.py",
    "train.py",
    "dry_run.py",
    "memory.py",
    "checkpoint.py",
    "evaluate.py",
)
OWN = ("data.py", "infer.py")  # each modality has its own
LAST = ("test_project.py", "README.md")


@dataclasses.dataclass(frozen=True)
class Scale:
    """One of the two networks of a project: the target, or the prototype that was trained in its place.

    Attributes:
      blueprint: structure, sizes and the numbers of its training.
      fixed: sizes that data and spec decide.
      training: the rest of its training.
    """

    blueprint: Blueprint
    fixed: tuple[Field, ...]
    training: Training

    @property
    def lengths(self) -> dict[str, int]:
        """The length of each fixed axis."""
        return lengths_of(self.fixed)


@dataclasses.dataclass(frozen=True)
class TargetFacts:
    """What is known of a target when its project is written.

    Attributes:
      spec_name, spec_hash, seed, description: of the spec.
      versions: of `metagen_jax`, `python`, and every package in `documents.PACKAGES`.
      params: number of parameters, exact; the project checks it.
      flops: of a forward pass over one example.
      weight_bytes: of the weights.
      memory_bytes: of a training step, estimated.
      cache_bytes: of the keys and values of a whole context; None if nothing is generated.
      prototype_params: number of parameters of the prototype.
      factors: what each axis of the target was divided by for the prototype.
      validation: metrics of the trained prototype, by name.
      num_candidates: prototypes that the search trained.
      transfer: a paragraph on how the target's hyperparameters come from the prototype's.
    """

    spec_name: str
    spec_hash: str
    seed: int
    description: str
    versions: Mapping[str, str]
    params: int
    flops: float
    weight_bytes: int
    memory_bytes: float
    cache_bytes: int | None
    prototype_params: int
    factors: Mapping[str, float]
    validation: Mapping[str, float]
    num_candidates: int
    transfer: str


class Number(NamedTuple):
    """A field of `Size` in `sizes.py`."""

    name: str
    kind: str
    comment: str


def write_target_project(
    folder: Path,
    *,
    modality: Modality,
    target: Scale,
    prototype: Scale,
    seed: int,
    dataset: Dataset,
    facts: TargetFacts,
) -> None:
    """Writes the project of a target; the caller adds `prototype/`, the project of the trained prototype.

    Text that a user wrote goes into Markdown, JSON and `data.npz` only, never into Python. The same arguments give the
    same bytes.

    Args:
      folder: must not exist yet.
      modality: handler of inputs and outputs; it has the family of both networks.
      target: the network that the project is for.
      prototype: the network that was trained in its place.
      seed: of the initial weights and the batches.
      dataset: what the prototype was trained on; written as `data.npz` unless larger than `LARGEST_DATA_BYTES`.
      facts: what the documents say.
    Raises:
      FileExistsError: there is something at `folder`.
      ValueError: target and prototype differ in more than numbers, so that one text cannot be both.
    """
    _check_one_text(target, prototype)
    family = modality.families[target.blueprint.family].form_of(target.blueprint.sizes)
    context = _context(modality, family, target, prototype, seed, facts)
    context |= _data_context(dataset, target, prototype, facts)
    context["files"] = _files(context["data_files"])
    context["requirements"] = [*((name, facts.versions[name]) for name in PACKAGES), *context["further_packages"]]
    context["own_data"] = codegen.render(f"target/{modality.name}/own_data.md.j2", context)
    folder.mkdir(parents=True)
    write_data(folder, dataset)
    for name in AS_EVERY_PROJECT:
        write_text(folder / name, codegen.render(f"project/{name}.j2", context))
    for name in (*SHARED, *LAST):
        write_text(folder / name, codegen.render(f"target/{name}.j2", context))
    for name in OWN:
        write_text(folder / name, codegen.render(f"target/{modality.name}/{name}.j2", context))


def _check_one_text(target: Scale, prototype: Scale) -> None:
    def words(scale: Scale) -> dict[str, Any]:
        numbers = {"steps", "batch_size"}
        training = {name: value for name, value in vars(scale.training).items() if name not in numbers}
        structure = {name: value for name, value in scale.blueprint.structure.items() if isinstance(value, str)}
        return {"family": scale.blueprint.family} | structure | training

    of_target, of_prototype = words(target), words(prototype)
    for name in of_target.keys() | of_prototype.keys():
        if of_target.get(name) != of_prototype.get(name):
            raise ValueError(
                f"{name}: {of_target.get(name)!r} of the target is not {of_prototype.get(name)!r} of the prototype. "
                "Only numbers may differ, because both are the same model.py."
            )


def _context(
    modality: Modality, family: Family, target: Scale, prototype: Scale, seed: int, facts: TargetFacts
) -> dict[str, Any]:
    """What the templates read; nothing in it that goes into Python was written by a user."""
    both = (target, prototype)
    recipes = [codegen.recipe_context(modality, scale.training, seed, scale.lengths) for scale in both]
    values = [_values(scale, recipe["constants"]) for scale, recipe in zip(both, recipes, strict=True)]
    models = [_model_context(family, scale) for scale in both]
    numbers = [_number(family, name, value) for name, value in values[0].items()]
    rules = dict.fromkeys(family.widths, "fsdp") | dict.fromkeys(family.parallel, "tensor")
    if "vocabulary" in target.lengths:
        rules["vocabulary"] = "tensor"
    tensor_axes = [f"`{axis}`" for axis, mesh_axis in rules.items() if mesh_axis == "tensor"]
    return {
        **models[0],
        **recipes[0],
        "recipe_imports": modality.recipe_imports,
        "has_seeds": modality.recipe_words.get("has_seeds", False),
        "loss_unit": " nats" if target.training.objective in LOSSES_IN_NATS else "",
        "title": family.title,
        "seed": seed,
        "numbers": numbers,
        "target_values": values[0],
        "prototype_values": values[1],
        "prototype_fields": models[1]["config_fields"],
        "rules": rules | dict.fromkeys(family.parallel_fallback, "tensor"),
        "fallback_axes": listed([f"`{axis}`" for axis in family.parallel_fallback]),
        "fsdp_axes": listed([f"`{axis}`" for axis in family.widths]),
        "tensor_axes": listed(tensor_axes),
        **_example_meshes(target, prototype),
        "eval_examples": modality.search_examples,
        "tolerance": TOLERANCE[target.training.precision],
        "bfloat16": target.training.precision == "bfloat16",
        "provenance": provenance(facts),
        "versions": versions_line(facts),
        "facts": facts,
        "description": inline(facts.description),
        "scores": ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in facts.validation.items()),
        "found": _found(facts),
        "size_rows": _size_rows(models, values, numbers, facts),
        "cost_rows": _cost_rows(target, facts),
    }


def _model_context(family: Family, scale: Scale) -> dict[str, Any]:
    blueprint = scale.blueprint
    return codegen.model_context(family, blueprint.structure, blueprint.sizes, scale.fixed, scale.training.precision)


def _values(scale: Scale, constants: Mapping[str, int]) -> dict[str, int | float]:
    """The numbers that a network is trained with."""
    values = {**scale.blueprint.hyperparameters, "steps": scale.training.steps, "batch_size": scale.training.batch_size}
    return values | ({"max_shift": constants["MAX_SHIFT"]} if "MAX_SHIFT" in constants else {})


def _number(family: Family, name: str, value: int | float) -> Number:
    comments = {dimension.name: dimension.comment for dimension in family.dimensions} | {
        "steps": "of training",
        "batch_size": "examples in a step",
        "max_shift": "pixels that an image is moved by at most",
    }
    return Number(name, "int" if isinstance(value, int) else "float", comments[name])


def _size_rows(
    models: list[dict[str, Any]], values: list[dict[str, int | float]], numbers: list[Number], facts: TargetFacts
) -> list[tuple[str, str, str, str]]:
    """What it is, of the prototype, of the target, what the one was divided by for the other."""
    fields = zip(models[0]["config_fields"], models[1]["config_fields"], strict=True)
    rows = [("parameters", f"{facts.prototype_params:,}", f"{facts.params:,}", "")]
    for large, small in fields:
        factor = facts.factors.get(large.name)
        divided = "" if factor is None else f"{factor:g}"
        rows.append((f"`{large.name}`: {large.comment}", f"{small.value:,}", f"{large.value:,}", divided))
    for name, _, comment in numbers:
        rows.append((f"`{name}`: {comment}", _shown(values[1][name]), _shown(values[0][name]), ""))
    return rows


def _shown(number: int | float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def _example_meshes(target: Scale, prototype: Scale) -> dict[str, Any]:
    """Meshes for the documents, of 64 devices at most and of 8, that the batches can be handed out on."""
    fsdp = math.gcd(target.training.batch_size, 8)
    trial = {4: "2,2,2", 2: "1,2,4", 1: "1,1,8"}[math.gcd(prototype.training.batch_size, 4)]
    return {"mesh": f"1,{fsdp},8", "num_devices": 8 * fsdp, "trial_mesh": trial}


def _cost_rows(target: Scale, facts: TargetFacts) -> list[tuple[str, str]]:
    batch = target.training.batch_size
    rows = [
        ("weights, in float32", _size(facts.weight_bytes)),
        (f"a training step of {batch} examples, estimated", _size(facts.memory_bytes)),
        ("FLOPs of a forward pass over one example", f"{facts.flops:.3g}"),
    ]
    if facts.cache_bytes is not None:
        rows.append(("keys and values of a whole context, where they are kept", _size(facts.cache_bytes)))
    return rows


def _size(num_bytes: float) -> str:
    return f"{num_bytes / 1e6:,.1f} MB" if num_bytes < 1e9 else f"{num_bytes / 1e9:,.1f} GB"


def _found(facts: TargetFacts) -> str:
    origin = f"the spec `{facts.spec_name}` (hash `{facts.spec_hash}`, seed {facts.seed})"
    return wrapped(
        f"`metagen_jax` divided each network that {origin} allows by the same factors, trained {facts.num_candidates} of "
        "these prototypes, and took the best of them on the validation data. The same spec, seed and versions give the "
        "same project."
    )


# -- the data ----------------------------------------------------------------------------------------------------------


def _data_context(dataset: Dataset, target: Scale, prototype: Scale, facts: TargetFacts) -> dict[str, Any]:
    by_data = {name: length for name, length in prototype.lengths.items() if name != "context"}
    target_fits = by_data.items() <= target.lengths.items()
    return {
        **target.lengths,
        "data_included": is_included(dataset),
        "data_limit": LARGEST_DATA_BYTES // 1_000_000,
        "target_fits": target_fits,
        "fitting": '("target", "prototype")' if target_fits else '("prototype",)',
        "parts": 2,  # that the test takes a batch in
        **target_data_context(dataset, target, facts),
    }


@functools.singledispatch
def target_data_context(dataset: Dataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    """What the templates of a target's project read of a kind of dataset."""
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@target_data_context.register
def _(dataset: ImageDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    example = example_file(dataset.image_shape[-1])
    return {
        "further_packages": [("pillow", metadata.version("pillow"))],
        "label_bound": "SIZE.config.num_classes",
        "infer_command": f"python infer.py --run trial {example}",
        "data_files": [
            ("labels.json", "the names of the labels of `data.npz`"),
            (example, "the first image of its test data, to try `infer.py` with"),
        ],
    }


@target_data_context.register
def _(dataset: DrawnImageDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return {
        "further_packages": [("pillow", metadata.version("pillow"))],
        "label_bound": "SIZE.config.num_classes",
        "infer_command": "python infer.py --run trial 0 1 --samples 2",
        "data_files": [("labels.json", "the names of the labels of `data.npz`")],
    }


@target_data_context.register
def _(dataset: UnlabelledImageDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    example = example_file(dataset.image_shape[-1])
    return {
        "further_packages": [("pillow", metadata.version("pillow"))],
        "label_bound": "256",  # here of pixels and seeds
        "infer_command": f"python infer.py --run trial {example}",
        "data_files": [(example, "the first image of the test data, to try `infer.py` with")],
    }


@target_data_context.register
def _(dataset: LabelledTextDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return {
        "further_packages": [],
        "label_bound": "SIZE.config.num_classes",
        "infer_command": f"python infer.py --run trial {EXAMPLE_TEXT}",
        "data_files": [
            ("labels.json", "the names of the labels of `data.npz`"),
            ("vocabulary.json", "the characters of `data.npz`; the token of each is its position plus 2"),
            (EXAMPLE_TEXT, "the first text of its test data, to try `infer.py` with"),
        ],
    }


@target_data_context.register
def _(dataset: CaptionedImageDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    of_pairs = _pairs_context(dataset)
    return {
        **of_pairs,
        "parts": 1,  # a pair is told from the others of its part, so parts change the loss
        "infer_command": f'{of_pairs["infer_command"]} --text "a text" --text "another"',
    }


@target_data_context.register
def _(dataset: DescribedImageDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return _pairs_context(dataset)


def _pairs_context(dataset: CaptionedImageDataset) -> dict[str, Any]:
    """What the templates read of images with texts, whichever goes in."""
    example = example_file(dataset.image_shape[-1])
    return {
        "further_packages": [("pillow", metadata.version("pillow"))],
        "label_bound": "SIZE.config.vocabulary",  # here of pixels and tokens
        "infer_command": f"python infer.py --run trial {example}",
        "data_files": [
            ("vocabulary.json", "the characters of `data.npz`; the token of each is its position plus 2"),
            (example, "the first image of the test data, to try `infer.py` with"),
        ],
    }


@target_data_context.register
def _(dataset: AudioDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return {
        "further_packages": [("scipy", metadata.version("scipy"))],
        "label_bound": "SIZE.config.num_classes",
        "infer_command": f"python infer.py --run trial {EXAMPLE_WAVE}",
        "data_files": [
            ("labels.json", "the names of the labels of `data.npz`"),
            (EXAMPLE_WAVE, "the first clip of its test data, to try `infer.py` with"),
        ],
    }


@target_data_context.register
def _(dataset: VideoDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return {
        "further_packages": [("pillow", metadata.version("pillow"))],
        "label_bound": "SIZE.config.num_classes",
        "infer_command": f"python infer.py --run trial {EXAMPLE_CLIP}",
        "data_files": [
            ("labels.json", "the names of the labels of `data.npz`"),
            (f"{EXAMPLE_CLIP}/", "the first clip of its test data, to try `infer.py` with"),
        ],
    }


@target_data_context.register
def _(dataset: TextDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return {
        "further_packages": [],
        "infer_command": f"python infer.py --run trial --prompt {quoted_prompt(dataset)}",
        "data_files": [("vocabulary.json", "the characters of `data.npz`; the position of each is its token")],
        **_token_context(target, facts),
    }


@target_data_context.register
def _(dataset: AudioTokenDataset, target: Scale, facts: TargetFacts) -> dict[str, Any]:
    return {
        "further_packages": [("scipy", metadata.version("scipy"))],
        "infer_command": f"python infer.py --run trial --continue {EXAMPLE_WAVE}",
        "data_files": [
            ("codec.py", "turns sound into tokens and back"),
            ("codec.npz", "its codebooks, and the rate and the length of clips"),
            (EXAMPLE_WAVE, "the first clip of the test data, to try `infer.py` with"),
        ],
        "sample_rate": dataset.sample_rate,
        "example_file": EXAMPLE_WAVE,
        **_token_context(target, facts),
    }


def _token_context(target: Scale, facts: TargetFacts) -> dict[str, Any]:
    """What follows from examples that are windows of tokens."""
    tokens_a_step = target.training.batch_size * target.lengths["context"]
    wanted = TOKENS_PER_PARAMETER * facts.params
    return {
        "label_bound": "SIZE.config.vocabulary",
        "tokens_per_parameter": TOKENS_PER_PARAMETER,
        "tokens_planned": f"{target.training.steps * tokens_a_step:,}",
        "tokens_wanted": f"{wanted:,}",
        "steps_wanted": math.ceil(wanted / tokens_a_step),
    }


def _files(data_files: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        ("model.py", "the network; `Config` has the sizes of the target"),
        ("sizes.py", "target and prototype: their sizes, and the numbers that they are trained with"),
        ("recipe.py", "optimiser, loss, score, batches"),
        ("sharding.py", "what divides what over a mesh of devices"),
        ("step.py", "a step of training on a mesh"),
        ("train.py", "trains, and goes on with a training"),
        ("dry_run.py", "what a training would take"),
        ("memory.py", "what of a device it would take, and whether there is as much"),
        ("evaluate.py", "scores what was trained"),
        ("infer.py", "uses it"),
        ("checkpoint.py", "reads and writes checkpoints"),
        ("data.py", "reads the data, and says what yours has to look like"),
        ("test_project.py", "checks that all of this works together"),
        ("prototype/", "the trained prototype, a project of its own"),
        ("data.npz", "what the prototype was trained on, and its validation and test data"),
        *data_files,
        ("requirements.txt", "the versions that it was made with"),
        ("ruff.toml", "how the code is formatted"),
    ]
