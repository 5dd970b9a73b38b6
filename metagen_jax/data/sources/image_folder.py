"""A folder with one folder of pictures for each class."""

from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, ImageDataset, ImageSplit
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError

PICTURES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"))
SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
Pictures = list[tuple[Path, str]]  # file, class


def read_image_folder(request: DataRequest) -> ImageDataset:
    """Reads `<class>/<picture>`, or `train/`, `validation/`, `test/` with such folders inside.

    Classes are sorted by name. Hidden files are passed over. A split that has no folder is cut out of the training
    pictures, class by class, by a fixed shuffle.
    """
    given = {split: list_pictures(folder) for split, folder in split_folders(request.path).items()}
    class_names = sorted({name for _, name in given["train"]})
    check_classes(request.path, class_names, given)
    labels = {split: np.array([class_names.index(name) for _, name in given[split]], np.int32) for split in given}
    assigned = assign_splits(
        labels,
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=request.max_examples,
    )
    chosen = {split: [given[origin][i][0] for i in indices] for split, (origin, indices) in assigned.items()}
    for split in SPLITS:
        if not chosen[split]:
            raise DataError(f"{request.path}: no pictures for {split}\n  Add pictures, or a folder {split}/.")
    channels = request.channels or choose_channels(chosen)
    images = {
        split: [pixels.read_picture(path, channels, request.image_size) for path in chosen[split]] for split in SPLITS
    }
    check_one_size(chosen, images)
    splits = {
        split: ImageSplit(np.stack(images[split]), labels[origin][indices])
        for split, (origin, indices) in assigned.items()
    }
    return ImageDataset(
        name=request.path.name,
        class_names=tuple(class_names),
        notes=folder_notes(request, given, channels),
        **splits,
    )


def split_folders(root: Path) -> dict[str, Path]:
    """Returns the folder of each split that the data come divided into; of "train" alone if they do not."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder\n  data.path has to name a folder with one folder for each class.")
    folders = [folder for folder in visible(root) if folder.is_dir()]
    if "train" not in {folder.name for folder in folders}:
        return {"train": root}
    splits: dict[str, Path] = {}
    for folder in folders:
        if folder.name not in SPLIT_FOLDERS:
            raise DataError(f"{folder}: a folder beside train/ has to be validation/ or test/\n  Move it elsewhere.")
        split = SPLIT_FOLDERS[folder.name]
        if split in splits:
            raise DataError(f"{folder}: a second folder for {split}, beside {splits[split].name}/\n  Keep one of them.")
        splits[split] = folder
    return splits


def visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def list_pictures(folder: Path) -> Pictures:
    """Lists the pictures of every class, sorted by class and path."""
    pictures: Pictures = []
    for class_folder in visible(folder):
        if class_folder.is_dir():
            files = sorted(path for path in class_folder.rglob("*") if is_picture(path, class_folder))
            if not files:
                raise DataError(f"{class_folder}: no pictures in it\n  Add pictures ({known()}), or remove the folder.")
            pictures += [(path, class_folder.name) for path in files]
        elif is_picture(class_folder, folder):
            raise DataError(f"{class_folder}: a picture outside of a class\n  Put it into a folder named as its class.")
    if not pictures:
        raise DataError(f"{folder}: no pictures in it\n  Expected {folder.name}/<class>/<picture> ({known()}).")
    return pictures


def is_picture(path: Path, below: Path) -> bool:
    return path.suffix.lower() in PICTURES and not is_hidden(path, below) and path.is_file()


def is_hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)


def known() -> str:
    return ", ".join(sorted(PICTURES))


def check_classes(root: Path, class_names: list[str], given: dict[str, Pictures]) -> None:
    if len(class_names) < 2:
        raise DataError(f"{root}: one class only, '{class_names[0]}'\n  To classify, it takes two folders or more.")
    for split, pictures in given.items():
        for path, name in pictures:
            if name not in class_names:
                raise DataError(f"{path.parent}: class '{name}' of {split} is not among the training classes")


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


def folder_notes(request: DataRequest, given: dict[str, Pictures], channels: int) -> tuple[str, ...]:
    notes = [pixels.conversion_note(channels, request.image_size)]
    pictures = {path for split in given for path, _ in given[split]}
    files = (path for path in request.path.rglob("*") if path.is_file() and not is_hidden(path, request.path))
    others = sorted(path for path in files if path not in pictures)
    if others:
        notes.append(f"files passed over because they are no pictures: {len(others)}, such as {others[0].name}")
    return tuple(notes)
