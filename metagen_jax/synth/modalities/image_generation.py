"""Labels in, images out: drawn from noise, by a network that tells noise from images."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metagen_jax.data import ImageDataset, mean_image_mse
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Array, Dataset, Field
from metagen_jax.synth.modalities.images import OfImages, image_shape
from metagen_jax.synth.modalities.unet import TIME_FEATURES, UNET


class ImageGeneration(OfImages):
    """Draws images of a label, out of noise.

    An example has a seed, from which its time and its noise are drawn. So a training step gives the same numbers
    whatever else is trained beside it, and validation looks at the same noise at the same times, evenly spread, every
    time.
    """

    name = "image_generation"
    inputs = ("label",)
    outputs = ("image",)
    task_type = "generation"
    families: ClassVar = {"unet": UNET}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/denoising.py.j2",
        "fragments/data/image_batches.py.j2",
    )
    recipe_words: ClassVar = {"labelled": True, "has_seeds": True, "example": "image"}
    recipe_imports = ("signal_and_noise",)
    evaluation_batch_size = 128
    try_it = "python infer.py"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, ImageDataset)
        return *super().fixed_fields(spec, dataset), Field("num_classes", dataset.num_classes, "labels")

    def inner_lengths(self, fixed: Mapping[str, int]) -> tuple[int, ...]:
        return TIME_FEATURES, fixed["num_classes"] + 1  # and no label

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        return (
            Array((batch_size, *image_shape(fixed)), np.dtype(np.uint8)),
            Array((batch_size,), np.dtype(np.int32)),
            Array((batch_size,), np.dtype(np.uint32)),
        )

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        """Noise, its time and its label: the network is asked once for each step of an image."""
        return *super().abstract_example(fixed), Array((1,), np.dtype(np.float32)), Array((1,), np.dtype(np.int32))

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, ImageDataset)
        return dataset.train.images, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.images, examples.labels, np.arange(len(examples), dtype=np.uint32)

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {"loss": scores["loss"]}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, ImageDataset)
        # Of a velocity, signal^2 + noise^2 * 4 * error of a pixel in 0..1; either square is 1/2 on average.
        error = 4 * mean_image_mse(dataset.without_labels())
        return {"the best constant at each time": {"loss": (1 + error) / 2}}
