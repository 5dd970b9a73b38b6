"""What tasks have in common that learn from images with texts: their sizes, their batches, how they read images."""

from collections.abc import Mapping

import numpy as np

from metagen_jax.data import CaptionedImageDataset
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import SIZE, STRUCTURE, Array, Dataset, Dimension, Field, Grid
from metagen_jax.synth.modalities.images import OfImages, image_shape
from metagen_jax.synth.modalities.text_classification import CHARACTER_WIDTH
from metagen_jax.synth.modalities.transformer import DIMENSIONS

STEM_WIDTH = 32
GRID = Grid("patch_size", smallest=2, fewest=2, usual=4)
PATCH_SIZE = Dimension("patch_size", STRUCTURE, (), "pixels along each side of a patch")
OF_BLOCKS = tuple(dimension for dimension in DIMENSIONS if dimension.name != "num_layers")
LAYERS = (
    Dimension("image_layers", SIZE, (1, 2, 3, 4), "number of blocks of the image tower"),
    Dimension("text_layers", SIZE, (1, 2, 3, 4), "number of blocks of the text tower"),
)
# Widths of ViT-B and ViT-L (Dosovitskiy et al., 2021), and texts of 12 layers.
ANCHORS = (
    {"d_model": 768, "num_heads": 12, "head_dim": 64, "d_ff": 3072, "image_layers": 12, "text_layers": 12},
    {"d_model": 1024, "num_heads": 16, "head_dim": 64, "d_ff": 4096, "image_layers": 24, "text_layers": 12},
)
PATCH_FRAGMENTS = (
    "fragments/embeddings/space_to_depth.py.j2",
    "fragments/blocks/convolution.py.j2",
    "fragments/embeddings/convolved_patch.py.j2",
)


class OfCaptionedImages(OfImages):
    """A task that learns from images and from texts which say what they show."""

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, CaptionedImageDataset)
        context = spec.constraints.context_window
        assert context is not None
        return (
            *super().fixed_fields(spec, dataset),
            Field("stem_width", STEM_WIDTH, "channels of the convolution before the patches"),
            Field("vocabulary", dataset.num_tokens, "different tokens: padding, unknown, characters"),
            Field("context", context, "characters that it can look at"),
            Field("character_width", CHARACTER_WIDTH, "numbers that stand for a character"),
        )

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        images = Array((batch_size, *image_shape(fixed)), np.dtype(np.uint8))
        return images, Array((batch_size, fixed["context"]), np.dtype(np.int32))

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return *super().abstract_example(fixed), Array((1, fixed["context"]), np.dtype(np.int32))

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, CaptionedImageDataset)
        return dataset.train.images, dataset.train.tokens

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        pairs = getattr(dataset, split)
        return pairs.images, pairs.tokens[:, : fixed["context"]].astype(np.int32)
