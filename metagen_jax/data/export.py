"""A dataset as one `.npz` file with the same bytes every time."""

import functools
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import (
    SPLITS,
    AudioDataset,
    AudioTokenDataset,
    CaptionedImageDataset,
    CodeDataset,
    Dataset,
    ImageDataset,
    LabelledDataset,
    LabelledTextDataset,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
)


@functools.singledispatch
def dataset_arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    """Returns the arrays by which a dataset is written to a file, in the order of the file.

    Images: `train_images`, `train_labels`, the same for `validation` and `test`, and `class_names` as text.
    Codes of images: `train_codes`, `train_labels`, the same for the other splits, `class_names`, `image_shape`,
      `code_mean` and `code_deviation`.
    Images without labels: `train_images`, `validation_images`, `test_images`.
    Text: `train_tokens`, `validation_tokens`, `test_tokens`, and `vocabulary`, one string.
    Labelled texts: `train_tokens`, `train_labels`, the same for the other splits, `class_names` and `vocabulary`.
    Images with texts: `train_images`, `train_tokens`, the same for the other splits, and `vocabulary`.
    Clips of sound: `train_audio`, `train_labels`, the same for the other splits, `class_names` and `sample_rate`.
    Clips of video: `train_video`, `train_labels`, the same for the other splits, and `class_names`.
    Sound as tokens: `train_tokens`, `validation_tokens`, `test_tokens`, `example_audio`, and what `codec_arrays` gives.
    """
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@dataset_arrays.register
def _(dataset: ImageDataset) -> dict[str, np.ndarray]:
    return labelled_arrays(dataset, "images") | {"class_names": np.array(dataset.class_names)}


@dataset_arrays.register
def _(dataset: CodeDataset) -> dict[str, np.ndarray]:
    scale = {"code_mean": dataset.mean, "code_deviation": dataset.deviation}
    names = {"class_names": np.array(dataset.class_names), "image_shape": np.array(dataset.image_shape)}
    return labelled_arrays(dataset, "codes") | names | scale


@dataset_arrays.register
def _(dataset: UnlabelledImageDataset) -> dict[str, np.ndarray]:
    return {f"{split}_images": getattr(dataset, split) for split in SPLITS}


@dataset_arrays.register
def _(dataset: TextDataset) -> dict[str, np.ndarray]:
    tokens = {f"{split}_tokens": getattr(dataset, split) for split in SPLITS}
    return tokens | {"vocabulary": np.array(dataset.vocabulary)}


@dataset_arrays.register
def _(dataset: LabelledTextDataset) -> dict[str, np.ndarray]:
    names = {"class_names": np.array(dataset.class_names), "vocabulary": np.array(dataset.vocabulary)}
    return labelled_arrays(dataset, "tokens") | names


@dataset_arrays.register
def _(dataset: AudioDataset) -> dict[str, np.ndarray]:
    names = {"class_names": np.array(dataset.class_names), "sample_rate": np.array(dataset.sample_rate)}
    return labelled_arrays(dataset, "audio") | names


@dataset_arrays.register
def _(dataset: VideoDataset) -> dict[str, np.ndarray]:
    return labelled_arrays(dataset, "video") | {"class_names": np.array(dataset.class_names)}


@dataset_arrays.register
def _(dataset: CaptionedImageDataset) -> dict[str, np.ndarray]:
    return split_arrays(dataset, "images", "tokens") | {"vocabulary": np.array(dataset.vocabulary)}


@dataset_arrays.register
def _(dataset: AudioTokenDataset) -> dict[str, np.ndarray]:
    tokens = {f"{split}_tokens": getattr(dataset, split) for split in SPLITS}
    return tokens | {"example_audio": dataset.examples} | codec_arrays(dataset)


def codec_arrays(dataset: AudioTokenDataset) -> dict[str, np.ndarray]:
    """What it takes to read and write tokens: `codebooks`, `sample_rate` and `clip_tokens`."""
    numbers = {"sample_rate": np.array(dataset.sample_rate), "clip_tokens": np.array(dataset.clip_tokens)}
    return {"codebooks": dataset.codebooks} | numbers


def labelled_arrays(dataset: LabelledDataset, inputs: str) -> dict[str, np.ndarray]:
    """What goes in and the labels of every split, one after the other."""
    return split_arrays(dataset, inputs, "labels")


def split_arrays(dataset: LabelledDataset | CaptionedImageDataset, *names: str) -> dict[str, np.ndarray]:
    """The arrays of these names of every split, one split after the other."""
    return {f"{split}_{name}": getattr(getattr(dataset, split), name) for split in SPLITS for name in names}


def save_npz(dataset: Dataset, path: str | Path) -> None:
    """Writes a dataset so that `numpy.load(path, allow_pickle=False)` reads it back."""
    write_npz(dataset_arrays(dataset), path)


def write_npz(arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Writes named arrays, compressed; the same arrays give the same bytes, whenever and wherever that is done."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))  # no clock
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every operating system
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getvalue())


def sha256(dataset: Dataset) -> str:
    """Returns the fingerprint of everything that training and scoring can see of a dataset; not of its name."""
    digest = hashlib.sha256()
    for name, array in dataset_arrays(dataset).items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())  # in C order, whatever the order in memory
    return digest.hexdigest()
