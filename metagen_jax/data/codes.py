"""Codes of images in the place of the images: made once by an autoencoder, kept in a file."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import SPLITS, CodeDataset, CodeSplit, ImageDataset
from metagen_jax.errors import DataError

SMALLEST_DEVIATION = 1e-6  # of a number that is the same in all codes, which would be divided by 0
BROKEN = (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile)  # what reading may raise


def codes_of(images: ImageDataset, encode: Callable[[np.ndarray], np.ndarray]) -> CodeDataset:
    """Replaces images by their codes, scaled by the mean and the standard deviation of the training codes.

    Args:
      encode: `(N, H, W, C)` uint8 to `(N, L)` float32, for all images of a split.

    Examples:
      >>> from metagen_jax.data.datasets import ImageSplit
      >>> split = ImageSplit(np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1), np.arange(2, dtype=np.int32))
      >>> images = ImageDataset("few", ("a", "b"), split, split, split)
      >>> codes_of(images, lambda each: each[:, 0, :, 0].astype(np.float32)).train.codes.tolist()
      [[-1.0, -1.0], [1.0, 1.0]]
    """
    codes = {split: encode(getattr(images, split).images) for split in SPLITS}
    mean = codes["train"].mean(axis=0, dtype=np.float64)
    deviation = np.maximum(codes["train"].std(axis=0, dtype=np.float64), SMALLEST_DEVIATION)
    scaled = {
        split: CodeSplit(((own - mean) / deviation).astype(np.float32), getattr(images, split).labels)
        for split, own in codes.items()
    }
    return _coded(images, scaled, mean.astype(np.float32), deviation.astype(np.float32))


def read_codes(path: Path, images: ImageDataset) -> CodeDataset:
    """Reads the codes of images that `save_npz` wrote.

    Raises:
      DataError: the file is broken, or was made from other images than these.
    """
    remedy = "Add --fresh to train the autoencoder again."
    try:
        with np.load(path, allow_pickle=False) as arrays:
            splits = {split: CodeSplit(arrays[f"{split}_codes"], arrays[f"{split}_labels"]) for split in SPLITS}
            mean, deviation = arrays["code_mean"], arrays["code_deviation"]
    except BROKEN as error:
        raise DataError(f"{path}: no codes: {error}\n  {remedy}") from None
    if any(not np.array_equal(splits[split].labels, getattr(images, split).labels) for split in SPLITS):
        raise DataError(f"{path}: the codes are of other images than {images.name} has now\n  {remedy}")
    return _coded(images, splits, mean, deviation)


def _coded(images: ImageDataset, splits: dict[str, CodeSplit], mean: np.ndarray, deviation: np.ndarray) -> CodeDataset:
    return CodeDataset(
        name=f"codes of {images.name}",
        class_names=images.class_names,
        image_shape=images.image_shape,
        mean=mean,
        deviation=deviation,
        **splits,
        notes=images.notes,
        origin=images.origin,
    )
