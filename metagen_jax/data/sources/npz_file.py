"""Labelled images in the arrays of one `.npz` file."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, ImageDataset, ImageSplit
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError

# What numpy raises on files that are damaged, hold Python objects or claim an impossible size.
BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError, NotImplementedError)


def read_npz_file(request: DataRequest) -> ImageDataset:
    """Reads `images` and `labels`, or `train_images`, `train_labels` and the same for validation and test.

    Images are `(N, H, W)` or `(N, H, W, C)`, whole numbers in 0..255 or fractions in 0..1. Labels are whole numbers
    from 0, named by an optional array `class_names`, or the names themselves. A split that the file does not have is
    cut out of the training images, class by class, by a fixed shuffle.
    """
    path = request.path
    arrays = load_arrays(path)
    prefixes = given_splits(path, arrays)
    raw_labels = {split: take(path, arrays, f"{prefix}labels") for split, prefix in prefixes.items()}
    class_names, labels = read_labels(path, raw_labels, arrays.get("class_names"))
    notes: list[str] = []
    images = {}
    for split, prefix in prefixes.items():
        images[split] = read_images(path, f"{prefix}images", take(path, arrays, f"{prefix}images"), notes)
        check_lengths(path, prefix, images[split], labels[split])
    assigned = assign_splits(
        labels,
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=request.max_examples,
    )
    splits = {}
    for split in SPLITS:
        origin, indices = assigned[split]
        if len(indices) == 0:
            raise DataError(f"{path}: no images are left for {split}\n  Add images, or arrays {split}_images, _labels.")
        chosen = fit_to_request(request, images[origin][indices], notes)
        splits[split] = ImageSplit(chosen, labels[origin][indices])
    check_same_shape(path, splits)
    # A note that holds for three splits is one note.
    return ImageDataset(
        path.stem,
        class_names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        notes=tuple(dict.fromkeys(notes)),
    )


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads every array; objects, which could run code when they are read, are refused."""
    if not path.is_file():
        raise DataError(f"{path}: no such file\n  data.path has to name an .npz file.")
    try:
        with path.open("rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise DataError(f"{path}: one array, not an .npz archive\n  Write it with numpy.savez.")
        with zipfile.ZipFile(path):  # before numpy tries whether it is a pickle
            pass
        with np.load(path, allow_pickle=False) as archive:
            return {name: _array(path, archive, name) for name in archive.files}
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read as .npz ({error})\n  Write it again with numpy.savez.") from error


def _array(path: Path, archive: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        found = f"'{name}' cannot be read as .npz: it holds Python objects, which are never unpickled"
        raise DataError(f"{path}: {found}\n  Save arrays of numbers or of text with numpy.savez.") from error


def given_splits(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """Returns the prefix of the array names for each split in the file."""
    if "images" in arrays and "train_images" in arrays:
        raise DataError(f"{path}: both 'images' and 'train_images'\n  Keep one of them.")
    if "images" in arrays:
        return {"train": ""}
    if "train_images" not in arrays:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path}: no array 'images' or 'train_images'; found {found}\n  Name the array of images so.")
    return {split: f"{split}_" for split in SPLITS if f"{split}_images" in arrays}


def take(path: Path, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise DataError(f"{path}: no array '{name}'; found {', '.join(sorted(arrays))}\n  Add it.")
    return arrays[name]


def read_labels(
    path: Path, raw: dict[str, np.ndarray], names: np.ndarray | None
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Returns the class names, and the labels of each split as int32 positions in them."""
    for labels in raw.values():
        if labels.ndim != 1:
            raise DataError(
                f"{path}: labels have shape {labels.shape}, expected (N,)\n  For one-hot use argmax(axis=1)."
            )
        if labels.dtype.kind not in "iuU":
            raise DataError(f"{path}: labels are {labels.dtype}, expected whole numbers or text\n  Convert them.")
    if any(labels.dtype.kind == "U" for labels in raw.values()):
        return read_text_labels(path, raw, names)
    class_names = read_class_names(path, names, raw)
    for labels in raw.values():
        outside = labels[(labels < 0) | (labels >= len(class_names))]
        if outside.size:
            raise DataError(
                f"{path}: label {outside[0]} is outside 0..{len(class_names) - 1}\n  Number classes from 0."
            )
    return class_names, {split: labels.astype(np.int32) for split, labels in raw.items()}


def read_class_names(path: Path, names: np.ndarray | None, raw: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Returns the array `class_names`, or the numbers that are the labels."""
    if names is None:
        present = np.unique(np.concatenate(list(raw.values())))  # sorted
        missing = np.flatnonzero(present != np.arange(len(present)))
        if len(missing):
            found = f"label {present[missing[0]]} occurs, but {missing[0]} does not"
            raise DataError(f"{path}: {found}\n  Number the classes 0, 1, 2, ..., or add an array class_names.")
        return tuple(str(number) for number in present)
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) != len(names):
        raise DataError(
            f"{path}: class_names has to be one row of different texts\n  For example np.array(['cat', 'dog'])."
        )
    return tuple(names.tolist())


def read_text_labels(
    path: Path, raw: dict[str, np.ndarray], names: np.ndarray | None
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Numbers the names in the order of `class_names`, or in sorted order."""
    training = raw["train"]
    class_names = tuple(sorted(set(training.tolist()))) if names is None else read_class_names(path, names, raw)
    number = {name: i for i, name in enumerate(class_names)}
    for labels in raw.values():
        unknown = sorted({str(label) for label in labels.tolist()} - set(number))
        if unknown:
            problem = f"label '{unknown[0]}' is not among the classes {', '.join(class_names)}"
            raise DataError(f"{path}: {problem}\n  Add training images with it, or remove the others.")
    return class_names, {split: np.array([number[n] for n in raw[split].tolist()], np.int32) for split in raw}


def read_images(path: Path, name: str, images: np.ndarray, notes: list[str]) -> np.ndarray:
    """Returns `(N, H, W, C)` uint8; says in `notes` what it took."""
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.size == 0:
        raise DataError(f"{path}: {name} has shape {images.shape}, expected (N, H, W) or (N, H, W, C)\n  Reshape it.")
    if images.dtype.kind not in "iufb":
        raise DataError(f"{path}: {name} is {images.dtype}, expected uint8 or float\n  Convert it.")
    if images.dtype.kind == "f":
        return from_fractions(path, name, images, notes)
    if images.dtype == np.uint8:
        return images
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > 255:
        raise DataError(
            f"{path}: {name} has values in {low}..{high}, expected 0..255\n  Scale it and save it as uint8."
        )
    notes.append(f"whole numbers of type {images.dtype} are taken as 0..255")
    return images.astype(np.uint8)


def from_fractions(path: Path, name: str, images: np.ndarray, notes: list[str]) -> np.ndarray:
    bad = np.argwhere(~np.isfinite(images))
    if len(bad):
        place = ", ".join(map(str, bad[0].tolist()))
        raise DataError(f"{path}: {name}[{place}] is {images[tuple(bad[0])]}\n  Replace values that are not numbers.")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        remedy = "Divide by 255, or save whole numbers as uint8."
        raise DataError(f"{path}: {name} has values in {low:g}..{high:g}, expected 0..1 for floats\n  {remedy}")
    notes.append("fractions 0..1 are rounded to whole numbers 0..255")
    return np.rint(images * 255).astype(np.uint8)


def check_lengths(path: Path, prefix: str, images: np.ndarray, labels: np.ndarray) -> None:
    if len(images) != len(labels):
        counts = f"{len(images)} in {prefix}images, but {len(labels)} in {prefix}labels"
        raise DataError(f"{path}: {counts}\n  Every image needs one label.")


def fit_to_request(request: DataRequest, images: np.ndarray, notes: list[str]) -> np.ndarray:
    """Resizes and converts the images where the spec asks for what they are not."""
    _, height, width, channels = images.shape
    wanted_channels = request.channels or channels
    wanted_size = request.image_size if request.image_size and (height, width) != (request.image_size,) * 2 else None
    if wanted_size is None and wanted_channels == channels:
        return images
    if channels not in (1, 3, 4) or wanted_channels not in pixels.MODE_OF_CHANNELS:
        remedy = "Leave out data.image_size and data.channels, or save gray or RGB images."
        raise DataError(f"{request.path}: images of {channels} channels cannot be converted\n  {remedy}")
    notes.append(pixels.conversion_note(wanted_channels, wanted_size))
    return pixels.convert_array(images, wanted_channels, wanted_size, request.path)


def check_same_shape(path: Path, splits: dict[str, ImageSplit]) -> None:
    shapes = {name: split.images.shape[1:] for name, split in splits.items()}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise DataError(f"{path}: splits differ in shape: {found}\n  Set data.image_size and data.channels.")
