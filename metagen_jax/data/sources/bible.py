"""The King James Bible as one text, or as passages labelled with the part of the Bible that they are from."""

import lzma
from pathlib import Path
from typing import NamedTuple

from metagen_jax.data.characters import encode, find_vocabulary
from metagen_jax.data.datasets import SPLITS, LabelledTextDataset, TextDataset
from metagen_jax.data.sources.labelled_texts import make_dataset
from metagen_jax.data.splits import shuffled

# Of every hundred chapters of the Bible, counted from 0 through all books.
VALIDATION_CHAPTERS = range(40, 45)
TEST_CHAPTERS = range(90, 95)


class BookGroup(NamedTuple):
    """Neighbouring books of a kind, with the number of chapters of each in canonical order."""

    name: str
    testament: str
    chapters: tuple[int, ...]


BOOK_GROUPS = (
    BookGroup("Law", "Old Testament", (50, 40, 27, 36, 34)),  # Genesis to Deuteronomy
    BookGroup("History", "Old Testament", (24, 21, 4, 31, 24, 22, 25, 29, 36, 10, 13, 10)),  # Joshua to Esther
    BookGroup("Wisdom", "Old Testament", (42, 150, 31, 12, 8)),  # Job to the Song of Solomon
    BookGroup(  # Isaiah to Malachi
        "Prophets", "Old Testament", (66, 52, 5, 48, 12, 14, 3, 9, 1, 4, 7, 3, 3, 3, 2, 14, 4)
    ),
    BookGroup("Gospels and Acts", "New Testament", (28, 16, 24, 21, 28)),  # Matthew to the Acts
    BookGroup(  # Romans to the Revelation, which opens as a letter too
        "Letters", "New Testament", (16, 16, 13, 6, 6, 4, 4, 5, 3, 6, 4, 3, 1, 13, 5, 5, 3, 5, 1, 1, 1, 22)
    ),
)


class Chapter(NamedTuple):
    """One chapter: its text without the title of a book, the split that it belongs to, and its part of the Bible."""

    text: str
    split: str
    group: BookGroup


def read_text(path: Path, max_examples: int | None) -> TextDataset:
    """The whole text, divided into blocks of chapters; of the training text at most so many characters."""
    text = lzma.decompress(path.read_bytes()).decode()
    vocabulary = find_vocabulary(text)
    parts: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for number, chapter in enumerate(_chapter_texts(text)):
        parts[split_of_chapter(number)].append(chapter)
    train, validation, test = (encode("\n\n".join(part) + "\n", vocabulary) for part in parts.values())
    return TextDataset(path.stem, vocabulary, train[:max_examples], validation, test)


def read_passages(path: Path, field: str, length: int, max_examples: int | None) -> LabelledTextDataset:
    """Every chapter cut into passages of at most `length` characters, which are in the chapter's split.

    Training passages are in shuffled order, the others in that of the text.

    Args:
      field: of `BookGroup`: what a passage is labelled with, "name" or "testament".
    """
    names = tuple(dict.fromkeys(getattr(group, field) for group in BOOK_GROUPS))
    splits: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    for chapter in read_chapters(path):
        label = getattr(chapter.group, field)
        splits[chapter.split] += [(passage, label) for passage in cut_into_passages(chapter.text, length)]
    splits["train"] = [splits["train"][i] for i in shuffled(len(splits["train"]))[:max_examples]]
    return make_dataset(path, names, splits, length)


def read_chapters(path: Path) -> list[Chapter]:
    """All chapters in canonical order."""
    texts = _chapter_texts(lzma.decompress(path.read_bytes()).decode())
    books = [(group, count) for group in BOOK_GROUPS for count in group.chapters]
    places = [(group, number) for group, count in books for number in range(count)]
    return [
        Chapter(text if number else text.partition("\n")[2], split_of_chapter(i), group)  # the title is the first line
        for i, (text, (group, number)) in enumerate(zip(texts, places, strict=True))
    ]


def cut_into_passages(text: str, length: int) -> list[str]:
    """Cuts a text between words into pieces of at most so many characters; a longer word is cut itself.

    Examples:
      >>> cut_into_passages("In the beginning God\\ncreated", 13)
      ['In the', 'beginning God', 'created']
    """
    text, passages = " ".join(text.split()), []
    while len(text) > length:
        space = text.rfind(" ", 0, length + 1)
        end = space if space > 0 else length
        passages.append(text[:end])
        text = text[end:].lstrip()
    return [*passages, text]


def split_of_chapter(number: int) -> str:
    """Returns the split of a chapter.

    Examples:
      >>> [split_of_chapter(number) for number in (0, 40, 90, 1140)]
      ['train', 'validation', 'test', 'validation']
    """
    if number % 100 in VALIDATION_CHAPTERS:
        return "validation"
    return "test" if number % 100 in TEST_CHAPTERS else "train"


def _chapter_texts(text: str) -> list[str]:
    """Chapters are separated by blank lines."""
    return text.removesuffix("\n").split("\n\n")
