"""Images in, what they show out, in words."""

import math
from collections.abc import Mapping
from typing import ClassVar

from metagen_jax.data import CaptionedImageDataset, caption_bits_per_character
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Dataset, Family, Field
from metagen_jax.synth.modalities.captioned_images import (
    ANCHORS,
    GRID,
    LAYERS,
    OF_BLOCKS,
    PATCH_FRAGMENTS,
    PATCH_SIZE,
    OfCaptionedImages,
)
from metagen_jax.synth.modalities.transformer import BLOCK_FRAGMENTS, PARALLEL, PARAMETER, WIDTH, with_grouped_queries

REACH = 4

CAPTIONER = Family(
    name="captioner",
    title="captioner",
    model_class="Captioner",
    dimensions=(PATCH_SIZE, *OF_BLOCKS, *LAYERS),
    fragments=(
        *BLOCK_FRAGMENTS,
        "fragments/fusion/cross_attention.py.j2",
        "fragments/blocks/decoder_block.py.j2",
        *PATCH_FRAGMENTS,
        "fragments/embeddings/look_up.py.j2",
        "fragments/embeddings/recent_characters.py.j2",
        "fragments/decoders/captioner.py.j2",
    ),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    anchors=ANCHORS,  # as in BLIP (Li et al., 2022), whose decoders are 768 wide
    masked=True,
    grid=GRID,
)


class ImageCaptioning(OfCaptionedImages):
    """Says in words what an image shows, character by character."""

    name = "image_captioning"
    inputs = ("image",)
    outputs = ("text",)
    task_type = "captioning"
    families: ClassVar = {"captioner": with_grouped_queries(CAPTIONER)}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/captions.py.j2",
        "fragments/data/captioned_image_batches.py.j2",
    )
    recipe_words: ClassVar = {"grouped": False}
    evaluation_batch_size = 50
    try_it = "python infer.py example.png"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        reach = Field("reach", REACH, "characters in a row that a position begins with")
        return *super().fixed_fields(spec, dataset), reach

    def inner_lengths(self, fixed: Mapping[str, int]) -> tuple[int, ...]:
        return fixed["context"] + 1, fixed["context"] + REACH - 1  # a caption and what is before it

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {"loss": scores["loss"], "bits_per_character": scores["loss"] / math.log(2)}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, CaptionedImageDataset)
        seen = {"counts of characters": 0, "counts of pairs": 1, "counts of five in a row": 4}
        return {
            name: {"bits_per_character": caption_bits_per_character(dataset, before)} for name, before in seen.items()
        }
