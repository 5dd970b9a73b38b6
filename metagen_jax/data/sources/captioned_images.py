"""Images with texts: the user's own, named in a table, and the emoji that ship with the package."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, CaptionedImageDataset, CaptionedImageSplit
from metagen_jax.data.sources.padded_texts import padded_texts
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.text_table import passed_over, read_numbered_table
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError

COLUMNS = ("image", "text")
Read = TypeVar("Read")


class Pair(NamedTuple):
    """A row of a table: the line of the file that it ends in, the path of an image as it stands there, and its text."""

    line: int
    image: str
    text: str


def read_caption_table(request: DataRequest) -> CaptionedImageDataset:
    """Reads a CSV file in UTF-8 with the columns `image`, a path relative to the file, and `text`.

    Other columns are passed over. An image may have several rows; all of them are in one split. A tenth of the images,
    or what the request says, goes to validation and as much to the test, by a fixed shuffle.

    Raises:
      DataError: a column is missing, a row has no text, a picture is missing, broken or of another size than the others,
        or a split is left without images; the message names file and line.
    """
    rows, notes = read_rows(request.path)
    of_image: dict[str, list[Pair]] = {}
    for row in rows:
        of_image.setdefault(row.image, []).append(row)
    names = list(of_image)
    assigned = assign_splits(
        {"train": np.zeros(len(names), np.int32)},
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=None,
    )
    chosen = {split: [row for i in indices for row in of_image[names[i]]] for split, (_, indices) in assigned.items()}
    chosen["train"] = chosen["train"][: request.max_examples]
    for split in SPLITS:
        if not chosen[split]:
            raise DataError(f"{request.path}: no images for {split}\n  Add rows: three images at least.")
    channels = request.channels or choose_channels(request.path, rows)
    images = read_pictures(request, channels, [row for split in SPLITS for row in chosen[split]])
    return make_dataset(
        request.path,
        {split: np.stack([images[row.image] for row in chosen[split]]) for split in SPLITS},
        {split: [row.text for row in chosen[split]] for split in SPLITS},
        request.context_window,
        (pixels.conversion_note(channels, request.image_size), *notes),
    )


def read_rows(table: Path) -> tuple[list[Pair], list[str]]:
    """Returns image and text of every row, and notes on what was changed or passed over.

    Raises:
      DataError: a column or a cell is missing, or a path leads to no file.
    """
    columns, numbered, notes = read_numbered_table(table, COLUMNS)
    rows = [Pair(line, *((row[column] or "").strip() for column in COLUMNS)) for line, row in numbered]
    if not rows:
        raise DataError(f"{table}: no rows\n  Write one row for each image and what it shows.")
    for row in rows:
        if not row.image or not row.text:
            missing = "text" if row.image else "image"
            raise DataError(f"{table}, line {row.line}: no {missing}\n  Fill it in, or remove the row.")
        if not (table.parent / row.image).is_file():
            remedy = f"Paths are relative to the folder of the table, {table.parent}."
            raise DataError(f"{table}, line {row.line}: there is no file '{row.image}'\n  {remedy}")
    return rows, [*notes, *passed_over(columns, COLUMNS)]


def choose_channels(table: Path, rows: Sequence[Pair]) -> int:
    """Gray if every picture is, else RGB."""
    return 1 if all(_of_row(table, row, pixels.is_gray) for row in rows) else 3


def read_pictures(request: DataRequest, channels: int, rows: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Returns the pictures of the rows by their names in the table, each `(H, W, channels)` uint8."""
    images: dict[str, np.ndarray] = {}
    for row in rows:
        name = row.image
        if name in images:
            continue
        images[name] = _of_row(request.path, row, lambda path: pixels.read_picture(path, channels, request.image_size))
        (height, width, _), wanted = images[name].shape, images[rows[0].image].shape
        if (height, width) != wanted[:2]:
            sizes = f"'{name}' is {width} x {height}, but '{rows[0].image}' is {wanted[1]} x {wanted[0]}"
            remedy = "Set data.image_size to bring all pictures to one size."
            raise DataError(f"{request.path}, line {row.line}: {sizes}\n  {remedy}")
    return images


def _of_row(table: Path, row: Pair, read: Callable[[Path], Read]) -> Read:
    try:
        return read(table.parent / row.image)
    except DataError as error:
        raise DataError(f"{table}, line {row.line}: {error}") from error


def read_emoji(path: Path, length: int, max_examples: int | None, with_words: bool) -> CaptionedImageDataset:
    """Reads the pictures that ship with the package and their names, each followed by the words to find it by, if asked.

    Their order is shuffled.
    """
    with np.load(path) as arrays:
        most = dict.fromkeys(SPLITS) | {"train": max_examples}
        images = {split: arrays[f"{split}_images"][: most[split]] for split in SPLITS}
        texts = {split: arrays[f"{split}_captions"][: most[split]].tolist() for split in SPLITS}
        words = {split: arrays[f"{split}_words"][: most[split]].tolist() for split in SPLITS}
    if with_words:
        texts = {
            split: [f"{name} {more}" for name, more in zip(texts[split], words[split], strict=True)] for split in SPLITS
        }
    return make_dataset(path, images, texts, length)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def make_dataset(
    path: Path,
    images: Mapping[str, np.ndarray],
    texts: Mapping[str, Sequence[str]],
    length: int,
    notes: Sequence[str] = (),
) -> CaptionedImageDataset:
    """Puts images and texts of three splits together; each text becomes a row of `length` tokens.

    What parts words becomes one space, which is the first character of the vocabulary, so that its token is known.
    """
    padded = padded_texts(path, {split: [_one_line(text) for text in texts[split]] for split in SPLITS}, length, " ")
    splits = {split: CaptionedImageSplit(images[split], padded.tokens[split]) for split in SPLITS}
    return CaptionedImageDataset(path.stem, padded.vocabulary, notes=(*notes, *padded.notes), **splits)
