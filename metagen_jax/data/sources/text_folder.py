"""A folder with one folder of text files for each class."""

from pathlib import Path

from metagen_jax.data.datasets import LabelledTextDataset
from metagen_jax.data.sources.class_folders import FileKind, list_splits, passed_over
from metagen_jax.data.sources.labelled_texts import divided
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.text_file import read_text
from metagen_jax.errors import DataError

TEXTS = FileKind("text file", "text files", frozenset((".txt", ".text", ".md", "")))


def read_text_folder(request: DataRequest) -> LabelledTextDataset:
    """Reads `<class>/<text file>`, or `train/`, `validation/`, `test/` with such folders inside; UTF-8.

    Each file is one text, without white space at both ends. Classes are sorted by name. Hidden files are passed over. A
    split that has no folder is cut out of the training texts, class by class, by a fixed shuffle.
    """
    listed = list_splits(request.path, TEXTS)
    notes: list[str] = passed_over(request.path, listed, TEXTS)
    given = {}
    for split, files in listed.items():
        read = [(read_example(path), name) for path, name in files]
        given[split] = [(text, name) for (text, _), name in read]
        notes += [note for (_, changes), _ in read for note in changes]
    return divided(request, given, list(dict.fromkeys(notes)))


def read_example(path: Path) -> tuple[str, list[str]]:
    """Returns the text of a file, and notes on what was changed.

    Raises:
      DataError: it is not UTF-8, or there is nothing but white space in it.
    """
    text, notes = read_text(path)
    if not text.strip():
        raise DataError(f"{path}: there is no text in it\n  Write some, or remove the file.")
    return text.strip(), notes
