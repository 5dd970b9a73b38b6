"""The registry of modalities: a new one is one file here and one entry below.

Extensions call `register_modality`, or `register_family` for a family of a modality that is there.
"""

from metagen_jax.errors import ExtensionError, did_you_mean
from metagen_jax.spec import ModelSpec
from metagen_jax.spec.tasks import arrow, task_of
from metagen_jax.synth.modalities.audio_classification import AudioClassification
from metagen_jax.synth.modalities.audio_generation import AudioGeneration
from metagen_jax.synth.modalities.base import (
    HYPERPARAMETER,
    SIZE,
    STRUCTURE,
    Dimension,
    Family,
    Field,
    Modality,
    lengths_of,
)
from metagen_jax.synth.modalities.image_captioning import ImageCaptioning
from metagen_jax.synth.modalities.image_classification import ImageClassification
from metagen_jax.synth.modalities.image_generation import ImageGeneration
from metagen_jax.synth.modalities.image_reconstruction import ImageReconstruction
from metagen_jax.synth.modalities.image_text_contrastive import ImageTextContrastive
from metagen_jax.synth.modalities.latent_image_generation import LatentImageGeneration
from metagen_jax.synth.modalities.text_classification import TextClassification
from metagen_jax.synth.modalities.text_generation import TextGeneration
from metagen_jax.synth.modalities.video_classification import VideoClassification

MODALITIES: list[Modality] = [
    ImageClassification(),
    ImageReconstruction(),
    ImageGeneration(),
    LatentImageGeneration(),
    TextClassification(),
    AudioClassification(),
    VideoClassification(),
    TextGeneration(),
    AudioGeneration(),
    ImageTextContrastive(),
    ImageCaptioning(),
]

NEEDED_DIMENSIONS = {  # which the rendering of every model and the optimiser read
    "norm": STRUCTURE,
    "activation": STRUCTURE,
    "learning_rate": HYPERPARAMETER,
    "weight_decay": HYPERPARAMETER,
    "warmup_steps": HYPERPARAMETER,
}

__all__ = [
    "HYPERPARAMETER",
    "MODALITIES",
    "SIZE",
    "STRUCTURE",
    "Dimension",
    "Family",
    "Field",
    "Modality",
    "lengths_of",
    "modality_of",
    "register_family",
    "register_modality",
]


def register_modality(modality: Modality) -> None:
    """Adds the handler of a task, which `metagen_jax.spec.tasks.register_task` has been told of before.

    Raises:
      ExtensionError: there is no such task, it has a handler, another handler has the name, or the handler lacks something.
    """
    if not isinstance(modality, Modality):
        raise ExtensionError(f"{modality!r} is no handler\n  Hand over an instance of a class below Modality.")
    missing = [name for name in Modality.__annotations__ if not hasattr(modality, name)]
    if missing:
        raise ExtensionError(f"{type(modality).__name__} does not say {', '.join(missing)}\n  Set it in the class.")
    task = task_of(modality.inputs, modality.outputs)
    if task is None or task.type != modality.task_type:
        wanted = f"{arrow(modality.inputs, modality.outputs)} ({modality.task_type})"
        raise ExtensionError(f"there is no task {wanted} for '{modality.name}'\n  Call register_task first.")
    for other in MODALITIES:
        words = other.inputs, other.outputs
        if other.name == modality.name or words == (modality.inputs, modality.outputs):
            raise ExtensionError(
                f"'{other.name}' handles {arrow(*words)} ({other.task_type}) already\n"
                "  Give yours another name and a task of its own, or add a family with register_family."
            )
    if not modality.families:
        raise ExtensionError(f"'{modality.name}' has no families\n  Add one.")
    for name, family in modality.families.items():
        _check_family(name, family)
    MODALITIES.append(modality)


def register_family(modality_name: str, family: Family) -> None:
    """Adds a family to a modality that is there.

    Its fixed sizes, batches and structural defaults are the modality's: `Modality.default_structure` says which values
    of a structural dimension are searched.

    Raises:
      ExtensionError: there is no such modality, it has a family of this name, or the family is malformed.
    """
    by_name = {modality.name: modality for modality in MODALITIES}
    if modality_name not in by_name:
        raise ExtensionError(f"there is no modality '{modality_name}'\n  {did_you_mean(modality_name, by_name)}")
    _check_family(getattr(family, "name", ""), family)
    handler = type(by_name[modality_name])
    if family.name in handler.families:
        raise ExtensionError(f"'{modality_name}' has a family '{family.name}' already\n  Call yours otherwise.")
    handler.families = {**handler.families, family.name: family}


def _check_family(name: str, family: Family) -> None:
    if not isinstance(family, Family):
        raise ExtensionError(f"{family!r} is no family\n  Hand over a metagen_jax.synth.modalities.Family.")
    if name != family.name:
        raise ExtensionError(f"family '{family.name}' is listed as '{name}'\n  List it under its own name.")
    for form in family.forms:
        dimensions = {dimension.name: dimension.kind for dimension in form.dimensions}
        for needed, kind in NEEDED_DIMENSIONS.items():
            if dimensions.get(needed) != kind:
                raise ExtensionError(f"family '{name}' has no dimension '{needed}' of kind {kind}\n  Add it.")
        for axis in (*form.widths, *form.parallel, *form.parallel_fallback):
            if dimensions.get(axis) != SIZE:
                raise ExtensionError(
                    f"family '{name}' has no dimension '{axis}' of kind {SIZE}\n  Add it, or name another."
                )


def modality_of(spec: ModelSpec) -> Modality:
    """Returns the handler for a spec's inputs, outputs and task.

    Raises:
      SpecError: no handler takes this combination; the message lists those that exist.
    """
    for modality in MODALITIES:
        if modality.takes(spec):
            return modality
    known = "; ".join(f"{', '.join(m.inputs)} to {', '.join(m.outputs)} ({m.task_type})" for m in MODALITIES)
    raise spec.error("modality", "no architecture takes these inputs and outputs for this task", f"Known: {known}.")
