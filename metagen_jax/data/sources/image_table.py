"""Images and their labels, in the rows of tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, ImageDataset, ImageSplit
from metagen_jax.data.sources.labelled_texts import check_labels, class_names_of, numbered
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.rows import read_rows
from metagen_jax.data.sources.tables import Row, of_row
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError
from metagen_jax.spec.tasks import COLUMNS_OF_TABLES


def read_image_table(request: DataRequest) -> ImageDataset:
    """Reads the columns `image`, a path relative to the file or the bytes of one, and `label`; others are passed over.

    A split that is not given is cut out of the training rows, class by class, by a fixed shuffle.

    Raises:
      DataError: something is missing or broken, or a split is left without images; the message names file and row.
    """
    given = read_rows(request, COLUMNS_OF_TABLES["image_table"])
    class_names = class_names_of(row.label for row in given.rows["train"])
    check_labels(request.path, class_names)
    labels = {
        split: numbered(request.path, [row.label for row in rows], class_names) for split, rows in given.rows.items()
    }
    assigned = assign_splits(
        labels,
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=request.max_examples,
    )
    chosen = {split: [given.rows[origin][i] for i in indices] for split, (origin, indices) in assigned.items()}
    for split in SPLITS:
        if not chosen[split]:
            raise DataError(f"{request.path}: no images for {split}\n  Add rows: three of a class at least.")
    channels, images = read_pictures(request, chosen)
    return ImageDataset(
        name=request.path.stem,
        class_names=class_names,
        notes=(pixels.conversion_note(channels, request.image_size), *given.notes),
        origin=given.origin,
        **{split: ImageSplit(images[split], labels[origin][i]) for split, (origin, i) in assigned.items()},
    )


def read_pictures(request: DataRequest, chosen: Mapping[str, Sequence[Row]]) -> tuple[int, dict[str, np.ndarray]]:
    """Reads the pictures of the rows of three splits, each picture once.

    Returns:
      How many channels they have, and `(N, H, W, C)` uint8 for each split.
    Raises:
      DataError: one is broken, or of another size than the others; the message names its row.
    """
    rows = [row for split in SPLITS for row in chosen[split]]
    channels = request.channels or choose_channels(request.path, rows)
    read: dict[str, np.ndarray] = {}
    for row in rows:
        name = row.picture.identity
        if name in read:
            continue
        read[name] = of_row(request.path, row, lambda picture: picture.read(channels, request.image_size))
        (height, width, _), wanted = read[name].shape, next(iter(read.values())).shape
        if (height, width) != wanted[:2]:
            first = f"'{rows[0].picture.name}' is {wanted[1]} x {wanted[0]}"
            remedy = "Set data.image_size to bring all pictures to one size."
            found = f"'{row.picture.name}' is {width} x {height}, but {first}"
            raise DataError(f"{request.path}, {row.place}: {found}\n  {remedy}")
    return channels, {split: np.stack([read[row.picture.identity] for row in chosen[split]]) for split in SPLITS}


def choose_channels(table: Path, rows: Sequence[Row]) -> int:
    """Gray if every picture is, else RGB."""
    return 1 if all(of_row(table, row, lambda picture: picture.is_gray) for row in rows) else 3
