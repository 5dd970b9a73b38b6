"""Images and texts in, embeddings out: of an image and of what it shows, close to each other."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import CaptionedImageDataset, chance_recall, nearest_colours_recall
from metagen_jax.synth.modalities.base import SIZE, STRUCTURE, Dataset, Dimension, Family
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

WORD_LENGTHS = (4, 6, 8, 12, 16)
USUAL_WORD_LENGTH = 8  # if the spec does not say
BEST = 10  # as in fragments/losses/contrastive.py.j2

DUAL_ENCODER = Family(
    name="dual_encoder",
    title="dual encoder",
    model_class="DualEncoder",
    dimensions=(
        PATCH_SIZE,
        Dimension("word_length", STRUCTURE, WORD_LENGTHS, "characters that are read of a word"),
        *OF_BLOCKS,
        *LAYERS,
        Dimension("embedding", SIZE, (16, 24, 32, 48, 64, 96), "width of an embedding"),
    ),
    fragments=(
        *BLOCK_FRAGMENTS,
        *PATCH_FRAGMENTS,
        "fragments/embeddings/look_up.py.j2",
        "fragments/embeddings/words.py.j2",
        "fragments/heads/projection.py.j2",
        "fragments/encoders/dual_encoder.py.j2",
    ),
    width=WIDTH,
    parameter=PARAMETER,
    parallel=PARALLEL,
    # Embeddings as with ViT-B/32 and ViT-L/14 (Radford et al., 2021), whose text towers are narrower.
    anchors=tuple(anchor | {"embedding": width} for anchor, width in zip(ANCHORS, (512, 768), strict=True)),
    masked=True,
    grid=GRID,
)


class ImageTextContrastive(OfCaptionedImages):
    """Embeds images and texts so that what belongs together is close.

    A pair is scored among all pairs of its split: which those are decides how hard that is. So a split is one group, the
    first axis of what is scored counts groups, and no score depends on how examples are cut into batches.
    """

    name = "image_text_contrastive"
    inputs = ("image", "text")
    outputs = ("embedding",)
    task_type = "contrastive"
    families: ClassVar = {"dual_encoder": with_grouped_queries(DUAL_ENCODER)}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/contrastive.py.j2",
        "fragments/data/captioned_image_batches.py.j2",
    )
    recipe_words: ClassVar = {"grouped": True}
    evaluation_batch_size = 1  # group
    try_it = "python infer.py example.png --text 'a cat' --text 'a dog'"
    search_examples = None

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        if dimension.name == "word_length":
            return (USUAL_WORD_LENGTH,)
        return super().default_structure(family, fixed, dimension)

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        return tuple(array[None] for array in super().evaluation_arrays(dataset, split, fixed))

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "recall_at_10")}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, CaptionedImageDataset)
        return {
            "chance": {"loss": float(np.log(len(dataset.validation))), "recall_at_10": chance_recall(dataset, BEST)},
            "words of images with like colours": {"recall_at_10": nearest_colours_recall(dataset, BEST)},
        }
