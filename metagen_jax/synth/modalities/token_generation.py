"""Tokens in, what follows them out: what text and sound share."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import AudioTokenDataset, TextDataset
from metagen_jax.errors import DataError
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Array, Dataset, Dimension, Family, Field, Modality
from metagen_jax.synth.modalities.transformer import (
    ANCHORS,
    BLOCK_FRAGMENTS,
    DIMENSIONS,
    PARALLEL,
    PARAMETER,
    WIDTH,
    with_grouped_queries,
)

DECODER_TRANSFORMER = Family(
    name="decoder_transformer",
    title="decoder-only transformer",
    model_class="DecoderTransformer",
    dimensions=DIMENSIONS,
    fragments=(*BLOCK_FRAGMENTS, "fragments/embeddings/token.py.j2", "fragments/decoders/decoder_transformer.py.j2"),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    anchors=ANCHORS,
    causal=True,
)


class TokenGeneration(Modality):
    """Continues one row of tokens."""

    task_type = "generation"
    families: ClassVar = {"decoder_transformer": with_grouped_queries(DECODER_TRANSFORMER)}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/language_model.py.j2",
        "fragments/data/text_batches.py.j2",
    )
    evaluation_batch_size = 32
    search_examples = 128  # windows; the finalists are scored on all of them
    token: ClassVar[str]  # what one is called
    bits: ClassVar[str]  # the name of its cross-entropy in bits

    def token_fields(self, spec: ModelSpec, dataset: Dataset, vocabulary: int) -> tuple[Field, ...]:
        """The sizes of a decoder for so many different tokens.

        Raises:
          DataError: a split does not fill one window.
        """
        assert isinstance(dataset, TextDataset | AudioTokenDataset)
        context = spec.constraints.context_window
        assert context is not None
        for split in ("train", "validation", "test"):
            length = len(getattr(dataset, split))
            if length <= context:
                raise DataError(
                    f"{dataset.name}: the {split} split has {length} {self.token}s, "
                    f"which is not more than constraints.context_window = {context}.\n"
                    "  Use more data or a shorter context window."
                )
        return (
            Field("vocabulary", vocabulary, f"different {self.token}s"),
            Field("context", context, f"{self.token}s that it can look at"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        return family.dimensions

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        return dimension.values

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        window = Array((batch_size, fixed["context"]), np.dtype(np.int32))
        return window, window

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return (Array((1, fixed["context"]), np.dtype(np.int32)),)

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, TextDataset | AudioTokenDataset)
        return (dataset.train,)

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        tokens, context = getattr(dataset, split), fixed["context"]
        count = (len(tokens) - 1) // context
        inputs = tokens[: count * context].reshape(count, context).astype(np.int32)
        targets = tokens[1 : count * context + 1].reshape(count, context).astype(np.int32)
        return inputs, targets

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        loss, accuracy = scores["loss"], scores["accuracy"]
        return {"loss": loss, self.bits: loss / math.log(2), "accuracy": accuracy}
