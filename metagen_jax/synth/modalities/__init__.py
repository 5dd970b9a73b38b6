"""The registry of modalities: a new one is one file here and one entry below."""

from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.audio_classification import AudioClassification
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
from metagen_jax.synth.modalities.image_classification import ImageClassification
from metagen_jax.synth.modalities.image_generation import ImageGeneration
from metagen_jax.synth.modalities.image_reconstruction import ImageReconstruction
from metagen_jax.synth.modalities.text_classification import TextClassification
from metagen_jax.synth.modalities.text_generation import TextGeneration

MODALITIES: tuple[Modality, ...] = (
    ImageClassification(),
    ImageReconstruction(),
    ImageGeneration(),
    TextClassification(),
    AudioClassification(),
    TextGeneration(),
)

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
]


def modality_of(spec: ModelSpec) -> Modality:
    """Returns the handler for a spec's inputs, outputs and task.

    Raises:
      SpecError: no handler takes this combination; the message lists those that exist.
    """
    for modality in MODALITIES:
        wanted = (spec.modality.inputs, spec.modality.outputs, spec.task.type)
        if wanted == (modality.inputs, modality.outputs, modality.task_type):
            return modality
    known = "; ".join(f"{', '.join(m.inputs)} to {', '.join(m.outputs)} ({m.task_type})" for m in MODALITIES)
    raise spec.error("modality", "no architecture takes these inputs and outputs for this task", f"Known: {known}.")
