"""Codes for tests and counts, without an autoencoder: some of the pixels."""

import functools
import tempfile
from pathlib import Path

import numpy as np

from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.data import codes_of, load_dataset, save_npz
from metagen_jax.spec import ModelSpec


def few_pixels(images: np.ndarray, count: int) -> np.ndarray:
    """`(N, H, W, C)` uint8 to `(N, count)` float32: the first of a row of pixels through the middle."""
    row, left = images.shape[1] // 2, images.shape[2] // 4
    return images[:, row, left : left + count, 0].astype(np.float32) / 255


def prepare_any(spec: ModelSpec, length: int = 5) -> Prepared:
    """What `prepare` gives, with such codes, of so many numbers, where the spec names an autoencoder."""
    if spec.data.autoencoder is None:
        return prepare(spec)
    with tempfile.TemporaryDirectory() as folder:
        codes = Path(folder) / "codes.npz"
        save_npz(codes_of(load_dataset(spec), functools.partial(few_pixels, count=length)), codes)
        return prepare(spec, codes=codes)
