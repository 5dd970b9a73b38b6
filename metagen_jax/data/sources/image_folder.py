"""A folder with one folder of pictures for each class."""

from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, ImageDataset, ImageSplit
from metagen_jax.data.sources.class_folders import FileKind, divide_files
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError

PICTURES = FileKind(
    "picture",
    "pictures",
    frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")),
)


def read_image_folder(request: DataRequest) -> ImageDataset:
    """Reads `<class>/<picture>`, or `train/`, `validation/`, `test/` with such folders inside.

    Classes are sorted by name. Hidden files are passed over. A split that has no folder is cut out of the training
    pictures, class by class, by a fixed shuffle.
    """
    divided = divide_files(request, PICTURES)
    channels, images = read_pictures(request, divided.files)
    splits = {split: ImageSplit(np.stack(images[split]), divided.labels[split]) for split in SPLITS}
    return ImageDataset(
        request.path.name,
        divided.class_names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        notes=(pixels.conversion_note(channels, request.image_size), *divided.notes),
    )


def read_pictures(request: DataRequest, chosen: dict[str, list[Path]]) -> tuple[int, dict[str, list[np.ndarray]]]:
    """Reads the pictures of three splits, all of one size: returns how many channels they have, and `(H, W, C)` uint8 each."""
    channels = request.channels or choose_channels(chosen)
    images = {
        split: [pixels.read_picture(path, channels, request.image_size) for path in chosen[split]] for split in SPLITS
    }
    check_one_size(chosen, images)
    return channels, images


def choose_channels(chosen: dict[str, list[Path]]) -> int:
    """Gray if every picture is, else RGB."""
    return 1 if all(pixels.is_gray(path) for paths in chosen.values() for path in paths) else 3


def check_one_size(chosen: dict[str, list[Path]], images: dict[str, list[np.ndarray]]) -> None:
    first, shape = chosen["train"][0], images["train"][0].shape
    for split in SPLITS:
        for path, image in zip(chosen[split], images[split], strict=True):
            if image.shape != shape:
                sizes = f"{image.shape[1]} x {image.shape[0]}, but {first.name} is {shape[1]} x {shape[0]}"
                raise DataError(f"{path}: {sizes}\n  Set data.image_size to bring all pictures to one size.")
