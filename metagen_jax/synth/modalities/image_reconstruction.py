"""Images in, the same images out, by way of a short code; from random codes, new ones."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from metagen_jax.data import UnlabelledImageDataset, mean_image_mse, pca_mse
from metagen_jax.synth.modalities.base import Array, Dataset
from metagen_jax.synth.modalities.images import OfImages, image_shape
from metagen_jax.synth.modalities.vae import VAE

METRICS = ("loss", "mse", "reconstruction", "kl")


class ImageReconstruction(OfImages):
    """Puts an image into a short code and draws it again from that.

    An example has a seed, from which all that is random about it is drawn. So a training step gives the same numbers
    whatever else is trained beside it, and validation looks at the same draws every time.
    """

    name = "image_reconstruction"
    inputs = ("image",)
    outputs = ("image",)
    task_type = "reconstruction"
    families: ClassVar = {"vae": VAE}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/seeded_normal.py.j2",
        "fragments/losses/elbo.py.j2",
        "fragments/data/image_batches.py.j2",
    )
    recipe_words: ClassVar = {"labelled": False, "has_seeds": True}
    evaluation_batch_size = 128
    try_it = "python infer.py example.png"
    search_examples = None

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        images = Array((batch_size, *image_shape(fixed)), np.dtype(np.uint8))
        return images, Array((batch_size,), np.dtype(np.uint32))

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, UnlabelledImageDataset)
        return (dataset.train,)

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        images = getattr(dataset, split)
        return images, np.arange(len(images), dtype=np.uint32)

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in METRICS}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, UnlabelledImageDataset)
        latent = sizes["latent"]
        return {
            "the mean image": {"mse": mean_image_mse(dataset)},
            f"{latent} principal components": {"mse": pca_mse(dataset, latent)},
        }
