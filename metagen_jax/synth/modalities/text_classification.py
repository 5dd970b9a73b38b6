"""Texts in, one label out."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import LabelledTextDataset, majority_accuracy, naive_bayes_accuracy
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

STRIDES = (1, 2, 4, 8, 16)
USUAL_POSITIONS = 64  # that a text is read at, as nearly as can be, if the spec does not say
CHARACTER_WIDTH = 16

ENCODER_TRANSFORMER = Family(
    name="encoder_transformer",
    title="transformer encoder",
    model_class="EncoderTransformer",
    dimensions=(Dimension("stride", STRUCTURE, STRIDES, "characters from one position to the next"), *DIMENSIONS),
    fragments=(
        *BLOCK_FRAGMENTS,
        "fragments/embeddings/look_up.py.j2",
        "fragments/embeddings/characters.py.j2",
        "fragments/encoders/encoder_transformer.py.j2",
    ),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    anchors=ANCHORS,
    masked=True,
)


class TextClassification(Modality):
    """Names what kind a text is of, from its characters."""

    name = "text_classification"
    inputs = ("text",)
    outputs = ("label",)
    task_type = "classification"
    families: ClassVar = {"encoder_transformer": with_grouped_queries(ENCODER_TRANSFORMER)}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/classification.py.j2",
        "fragments/data/labelled_text_batches.py.j2",
    )
    recipe_words: ClassVar = {"inputs": "tokens", "shape": "(B, T)", "read": "tokens", "one": "text"}
    evaluation_batch_size = 64
    try_it = "python infer.py example.txt"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, LabelledTextDataset)
        context = spec.constraints.context_window
        assert context is not None
        return (
            Field("vocabulary", dataset.num_tokens, "different tokens: padding, unknown, characters"),
            Field("context", context, "characters that it can look at"),
            Field("character_width", CHARACTER_WIDTH, "numbers that stand for a character"),
            Field("num_classes", dataset.num_classes, "labels"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        return family.dimensions

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        if dimension.name != "stride":
            return dimension.values
        return (min(STRIDES, key=lambda stride: abs(fixed["context"] / stride - USUAL_POSITIONS)),)

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        tokens = Array((batch_size, fixed["context"]), np.dtype(np.int32))
        return tokens, Array((batch_size,), np.dtype(np.int32))

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return (Array((1, fixed["context"]), np.dtype(np.int32)),)

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, LabelledTextDataset)
        return dataset.train.tokens, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.tokens[:, : fixed["context"]].astype(np.int32), examples.labels

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "accuracy")}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, LabelledTextDataset)
        return {
            MAJORITY: {"accuracy": majority_accuracy(dataset)},
            "naive Bayes on pairs of characters": {"accuracy": naive_bayes_accuracy(dataset)},
        }
