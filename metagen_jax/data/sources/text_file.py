"""One plain text file, read as characters."""

from pathlib import Path

from metagen_jax.data.characters import encode, find_vocabulary
from metagen_jax.data.datasets import TextDataset
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError


def read_text_file(request: DataRequest) -> TextDataset:
    """Reads UTF-8; the beginning is for training, then comes validation, and the end is the test."""
    text, notes = read_text(request.path)
    if not text:
        raise DataError(f"{request.path}: the file is empty")
    vocabulary = find_vocabulary(text)
    if len(vocabulary) < 2:
        raise DataError(
            f"{request.path}: only one character, {vocabulary!r}, again and again\n  Nothing can be learned."
        )
    if len(vocabulary) > 2**16:
        raise DataError(f"{request.path}: {len(vocabulary):,} different characters, at most 65,536 are possible")
    tokens = encode(text, vocabulary)
    end_of_test = len(tokens)
    end_of_validation = end_of_test - round(end_of_test * request.test_fraction)
    end_of_train = end_of_validation - round(end_of_test * request.validation_fraction)
    return TextDataset(
        name=request.path.stem,
        vocabulary=vocabulary,
        train=tokens[: min(end_of_train, request.max_examples or end_of_train)],
        validation=tokens[end_of_train:end_of_validation],
        test=tokens[end_of_validation:],
        notes=(*notes, "split by position: the beginning is for training, the end is the test"),
    )


def read_text(path: Path) -> tuple[str, list[str]]:
    """Returns the text with `\\n` as line ends and no byte order mark, and notes on what was changed."""
    if not path.is_file():
        raise DataError(f"{path}: no such file\n  data.path has to name a text file.")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
        raise DataError(f"{path}: not UTF-8 ({found})\n  Save the file as UTF-8 text.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    notes = []
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append("the byte order mark was dropped")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("line ends were turned into single newlines")
    return text, notes
