"""From a spec to its dataset, checked against what the spec says about it."""

from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import SPLITS, Dataset, ImageDataset, TextDataset
from metagen_jax.data.sources import SOURCES
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError
from metagen_jax.spec import ModelSpec


def load_dataset(spec: ModelSpec) -> Dataset:
    """Reads the data that a spec names.

    Returns:
      An `ImageDataset` for image inputs, a `TextDataset` for text.
    Raises:
      DataError: something is missing, broken or not what the spec says; the message names the file.
    """
    request = make_request(spec)
    if spec.data.source is None and not request.path.exists():
        raise DataError(f"{request.path}: no such file or folder\n  data.path is relative to the folder of the spec.")
    dataset = SOURCES[spec.data.format or "embedded"](request)
    if isinstance(dataset, ImageDataset):
        check_images(dataset, request.path, spec.task.num_classes)
    else:
        check_text(dataset, request.path, request.context_window)
    return dataset


def make_request(spec: ModelSpec) -> DataRequest:
    """Gathers what a source has to know."""
    return DataRequest(
        path=Path(spec.data.source or spec.data.path or ""),
        image_size=spec.data.image_size,
        channels=spec.data.channels,
        validation_fraction=spec.data.validation_fraction,
        test_fraction=spec.data.test_fraction,
        max_examples=spec.data.max_examples,
        context_window=spec.constraints.context_window or 1,
    )


def check_images(dataset: ImageDataset, path: Path, num_classes: int | None) -> None:
    """Refuses images that no classifier of the spec could learn from."""
    height, width, _ = dataset.image_shape
    if height != width:
        raise DataError(f"{path}: images are {width} x {height}, not square\n  Set data.image_size to stretch them.")
    if len(np.unique(dataset.train.labels)) < 2:
        raise DataError(f"{path}: one class only among the training images\n  To classify, it takes two or more.")
    if num_classes is not None and num_classes != dataset.num_classes:
        counts = f"task.num_classes is {num_classes}, but the data have {dataset.num_classes} classes"
        raise DataError(f"{path}: {counts} ({shorten(dataset.class_names)})\n  Change one of them.")


def check_text(dataset: TextDataset, path: Path, context_window: int) -> None:
    """Refuses texts that do not fill one window in every split."""
    for split in SPLITS:
        length = len(getattr(dataset, split))
        if length < context_window + 1:
            needed = f"{split} has {length} characters, a window of {context_window} and its next character need more"
            raise DataError(f"{path}: {needed}\n  Give a longer text, or lower constraints.context_window.")


def shorten(names: tuple[str, ...]) -> str:
    return ", ".join(names if len(names) <= 12 else (*names[:10], "...", names[-1]))


def describe(dataset: Dataset) -> list[str]:
    """Returns what a user wants to know of a dataset, as lines for the console."""
    sizes = ", ".join(f"{split} {len(getattr(dataset, split)):,}" for split in SPLITS)
    if isinstance(dataset, ImageDataset):
        height, width, channels = dataset.image_shape
        kind = {1: "gray", 3: "RGB"}.get(channels, f"{channels} channels")
        lines = [
            f"{dataset.name}: images of {width} x {height} ({kind}); {sizes}",
            f"{dataset.num_classes} classes: {shorten(dataset.class_names)}",
        ]
    else:
        lines = [
            f"{dataset.name}: text; characters for {sizes}",
            f"vocabulary of {len(dataset.vocabulary)} characters: {shorten_vocabulary(dataset.vocabulary)}",
        ]
    return lines + list(dataset.notes)


def shorten_vocabulary(vocabulary: str) -> str:
    """Shows characters as they would be written in Python, without the quotes."""
    shown = repr(vocabulary[:100])[1:-1]
    return shown if len(vocabulary) <= 100 else f"{shown}..."
