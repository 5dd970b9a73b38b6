"""Codes of images: scaled, kept in a file, and read for the images that they were made of only."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.data import CodeDataset, ImageDataset, ImageSplit, codes_of, describe, read_codes, save_npz, sha256
from metagen_jax.errors import DataError

SPLITS = {"train": 60, "validation": 20, "test": 10}


def split(seed: int, count: int) -> ImageSplit:
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 3
    return ImageSplit(random.integers(0, 256, (count, 4, 4, 1), np.uint8), labels)


IMAGES = ImageDataset(
    "squares", ("a", "b", "c"), **{name: split(seed, count) for seed, (name, count) in enumerate(SPLITS.items())}
)


def encode(images: np.ndarray) -> np.ndarray:
    """Two pixels and a number that is always the same."""
    pixels = images[:, 0, :2, 0].astype(np.float32)
    return np.concatenate([pixels, np.full((len(images), 1), 7, np.float32)], axis=1)


@pytest.fixture(scope="module")
def codes() -> CodeDataset:
    return codes_of(IMAGES, encode)


def test_training_codes_have_mean_0_and_variance_1_and_what_never_changes_is_0(codes: CodeDataset):
    np.testing.assert_allclose(codes.train.codes.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(codes.train.codes.std(axis=0), [1, 1, 0], atol=1e-6)
    assert codes.train.codes.dtype == np.float32


def test_the_scale_gives_back_what_the_autoencoder_said(codes: CodeDataset):
    for name in SPLITS:
        own = getattr(codes, name)
        np.testing.assert_allclose(own.codes * codes.deviation + codes.mean, encode(getattr(IMAGES, name).images), 1e-4)
        np.testing.assert_array_equal(own.labels, getattr(IMAGES, name).labels)
    assert (codes.code_length, codes.num_classes, codes.image_shape) == (3, 3, (4, 4, 1))
    assert describe(codes)[0] == "codes of squares: 3 numbers each; train 60, validation 20, test 10"


def test_a_file_of_codes_is_read_as_it_was_written(codes: CodeDataset, tmp_path: Path):
    save_npz(codes, tmp_path / "codes.npz")
    again = read_codes(tmp_path / "codes.npz", IMAGES)
    assert sha256(again) == sha256(codes)
    assert (again.name, again.class_names) == (codes.name, codes.class_names)


def test_a_broken_file_and_other_images_are_refused(codes: CodeDataset, tmp_path: Path):
    file = tmp_path / "codes.npz"
    with pytest.raises(DataError, match="no codes"):
        read_codes(file, IMAGES)
    file.write_bytes(b"PK\x03\x04 and nothing")
    with pytest.raises(DataError, match="no codes"):
        read_codes(file, IMAGES)
    save_npz(codes, file)
    with pytest.raises(DataError, match="the codes are of other images than squares has now"):
        read_codes(file, dataclasses.replace(IMAGES, train=split(0, 61)))
