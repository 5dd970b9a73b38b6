"""Labels in, images out, by way of codes: these are drawn from noise, and the images from them by an autoencoder."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import CodeDataset
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Array, Dataset, Dimension, Family, Field, Modality
from metagen_jax.synth.modalities.latent_denoiser import LATENT_DENOISER
from metagen_jax.synth.modalities.unet import TIME_FEATURES


class LatentImageGeneration(Modality):
    """Draws codes of images of a label, out of noise (Rombach et al., 2022).

    An example has a seed, from which its time and its noise are drawn, as in `ImageGeneration`.
    """

    name = "latent_image_generation"
    inputs = ("label",)
    outputs = ("image",)
    task_type = "generation"
    of_codes = True
    families: ClassVar = {"latent_denoiser": LATENT_DENOISER}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/denoising.py.j2",
        "fragments/data/code_batches.py.j2",
    )
    recipe_words: ClassVar = {"example": "code"}
    recipe_imports = ("signal_and_noise",)
    evaluation_batch_size = 512
    try_it = "python infer.py"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, CodeDataset)
        return (
            Field("latent", dataset.code_length, "numbers of a code"),
            Field("num_classes", dataset.num_classes, "labels"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        return family.dimensions

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        return dimension.values

    def inner_lengths(self, fixed: Mapping[str, int]) -> tuple[int, ...]:
        return TIME_FEATURES, fixed["num_classes"] + 1  # and no label

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        return (
            Array((batch_size, fixed["latent"]), np.dtype(np.float32)),
            Array((batch_size,), np.dtype(np.int32)),
            Array((batch_size,), np.dtype(np.uint32)),
        )

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        """Noise, its time and its label: the network is asked once for each step of a code."""
        one = np.dtype(np.float32)
        return Array((1, fixed["latent"]), one), Array((1,), one), Array((1,), np.dtype(np.int32))

    def train_arrays(self, dataset: Dataset) -> tuple[np.ndarray, ...]:
        assert isinstance(dataset, CodeDataset)
        return dataset.train.codes, dataset.train.labels

    def evaluation_arrays(self, dataset: Dataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        examples = getattr(dataset, split)
        return examples.codes, examples.labels, np.arange(len(examples), dtype=np.uint32)

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {"loss": scores["loss"]}

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, CodeDataset)
        # Of a velocity, signal^2 + noise^2 * error of a number; either square is 1/2 on average.
        error = float(np.mean(dataset.validation.codes.astype(np.float64) ** 2))  # the mean of training codes is 0
        return {"the best constant at each time": {"loss": round((1 + error) / 2, 6)}}
