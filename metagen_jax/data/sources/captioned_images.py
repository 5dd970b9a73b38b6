"""Images with texts: the user's own, named in a table, and the emoji that ship with the package."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, CaptionedImageDataset, CaptionedImageSplit, HubOrigin
from metagen_jax.data.sources.image_table import read_pictures
from metagen_jax.data.sources.padded_texts import padded_texts
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.rows import read_rows
from metagen_jax.data.sources.tables import Row
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError
from metagen_jax.spec.tasks import COLUMNS_OF_TABLES


def read_caption_table(request: DataRequest) -> CaptionedImageDataset:
    """Reads the columns `image`, a path relative to the file or the bytes of one, and `text`; others are passed over.

    An image may have several rows; all of them are in one split. Of a split that is not given, a tenth of the images or
    what the request says is taken out of the training images, by a fixed shuffle.

    Raises:
      DataError: a column is missing, a row has no text, a picture is missing, broken or of another size than the others,
        or a split is left without images; the message names file and row.
    """
    given = read_rows(request, COLUMNS_OF_TABLES["caption_table"])
    of_images = {split: by_image(rows) for split, rows in given.rows.items()}
    assigned = assign_splits(
        {split: np.zeros(len(images), np.int32) for split, images in of_images.items()},
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=None,
    )
    chosen = {
        split: [row for i in indices for row in of_images[origin][i]] for split, (origin, indices) in assigned.items()
    }
    chosen["train"] = chosen["train"][: request.max_examples]
    for split in SPLITS:
        if not chosen[split]:
            raise DataError(f"{request.path}: no images for {split}\n  Add rows: three images at least.")
    channels, images = read_pictures(request, chosen)
    return make_dataset(
        request.path,
        images,
        {split: [row.text for row in chosen[split]] for split in SPLITS},
        request.context_window,
        (pixels.conversion_note(channels, request.image_size), *given.notes),
        given.origin,
    )


def by_image(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each image, in the order in which the images come."""
    of_image: dict[str, list[Row]] = {}
    for row in rows:
        of_image.setdefault(row.picture.identity, []).append(row)
    return list(of_image.values())


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
    origin: HubOrigin | None = None,
) -> CaptionedImageDataset:
    """Puts images and texts of three splits together; each text becomes a row of `length` tokens.

    What parts words becomes one space, which is the first character of the vocabulary, so that its token is known.
    """
    padded = padded_texts(path, {split: [_one_line(text) for text in texts[split]] for split in SPLITS}, length, " ")
    splits = {split: CaptionedImageSplit(images[split], padded.tokens[split]) for split in SPLITS}
    return CaptionedImageDataset(path.stem, padded.vocabulary, notes=(*notes, *padded.notes), origin=origin, **splits)
