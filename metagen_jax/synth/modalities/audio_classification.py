"""Recordings in, one label out."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import AudioDataset, majority_accuracy, nearest_spectrum_accuracy
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import STRUCTURE, Array, Dataset, Dimension, Family, Field, Modality
from metagen_jax.synth.modalities.parts import MAJORITY
from metagen_jax.synth.modalities.transformer import (
    ANCHORS,
    BLOCK_FRAGMENTS,
    DIMENSIONS,
    PARALLEL,
    PARAMETER,
    WIDTH,
    with_grouped_queries,
)

HOP_SECONDS = 0.016  # from one frame to the next; a frame is twice as long
MEL_BANDS = 32
STEM_WIDTH = 32
STRIDES = (1, 2, 4, 8)
USUAL_POSITIONS = 32  # that a clip is read at, as nearly as can be, if the spec does not say

SPECTROGRAM_TRANSFORMER = Family(
    name="spectrogram_transformer",
    title="spectrogram transformer",
    model_class="SpectrogramTransformer",
    dimensions=(Dimension("stride", STRUCTURE, STRIDES, "frames from one position to the next"), *DIMENSIONS),
    fragments=(
        *BLOCK_FRAGMENTS,
        "fragments/embeddings/log_mel.py.j2",
        "fragments/embeddings/audio.py.j2",
        "fragments/encoders/spectrogram_transformer.py.j2",
    ),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    anchors=ANCHORS,
)


class AudioClassification(Modality):
    """Names what is to be heard in a clip of sound."""

    name = "audio_classification"
    inputs = ("audio",)
    outputs = ("label",)
    task_type = "classification"
    families: ClassVar = {"spectrogram_transformer": with_grouped_queries(SPECTROGRAM_TRANSFORMER)}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/classification.py.j2",
        "fragments/data/clip_batches.py.j2",
    )
    recipe_words: ClassVar = {"inputs": "audio", "shape": "(B, T) int16", "read": "audio / 32768.0", "one": "clip"}
    evaluation_batch_size = 64
    try_it = "python infer.py example.wav"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, AudioDataset)
        return (
            Field("sample_rate", dataset.sample_rate, "samples a second"),
            Field("clip_length", dataset.clip_length, "samples of a clip"),
            Field("frame_length", 2 * round(HOP_SECONDS * dataset.sample_rate), "samples of a frame"),
            Field("mel_bands", MEL_BANDS, "bands of the spectrogram"),
            Field("stem_width", STEM_WIDTH, "channels between the two convolutions"),
            Field("num_classes", dataset.num_classes, "labels"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        return family.dimensions

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        if dimension.name != "stride":
            return dimension.values
        frames = num_frames(fixed)
        return (min(STRIDES, key=lambda stride: abs(frames / stride - USUAL_POSITIONS)),)

    def inner_lengths(self, fixed: Mapping[str, int]) -> tuple[int, ...]:
        frames, frequencies = num_frames(fixed), fixed["frame_length"] // 2 + 1
        positions = [-(-frames // stride) for stride in STRIDES]
        padded = [frames + 1, frames + 2, *(number + 1 for number in positions)]
        return frequencies, frames, *positions, *padded

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        clips = Array((batch_size, fixed["clip_length"]), np.dtype(np.int16))
        return clips, Array((batch_size,), np.dtype(np.int32))

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return (Array((1, fixed["clip_length"]), np.dtype(np.float32)),)

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, AudioDataset)
        return dataset.train.audio, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.audio, examples.labels

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "accuracy")}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, AudioDataset)
        return {
            MAJORITY: {"accuracy": majority_accuracy(dataset)},
            "the class with the nearest mean spectrum": {"accuracy": nearest_spectrum_accuracy(dataset)},
        }


def num_frames(fixed: Mapping[str, int]) -> int:
    """How many frames a clip has; the last one is filled up with silence."""
    return -(-fixed["clip_length"] // (fixed["frame_length"] // 2)) - 1
