"""One plain text file, read as characters."""

import codecs
from collections.abc import Mapping, Sequence
from pathlib import Path

from metagen_jax.data.characters import encode, find_vocabulary
from metagen_jax.data.datasets import HubOrigin, TextDataset
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text_file(request: DataRequest) -> TextDataset:
    """Reads UTF-8; the beginning is for training, then comes validation, and the end is the test."""
    text, notes = read_text(request.path)
    return divided(request, {"train": text}, notes)


def divided(
    request: DataRequest, given: Mapping[str, str], notes: Sequence[str], origin: HubOrigin | None = None
) -> TextDataset:
    """A dataset of the user's own text; splits that are not given are cut off the end of "train".

    Raises:
      DataError: there is no text, or nothing to be learnt of it.
    """
    text = "".join(given.values())
    if not given["train"]:
        raise DataError(f"{request.path}: there is no text in it\n  Write some, or name another file.")
    vocabulary = find_vocabulary(text)
    if len(vocabulary) < 2:
        raise DataError(
            f"{request.path}: only one character, {vocabulary!r}, again and again\n  Nothing can be learned."
        )
    if len(vocabulary) > 2**16:
        found = f"{len(vocabulary):,} different characters, at most 65,536 are possible"
        raise DataError(f"{request.path}: {found}\n  Is it a text? If so, shorten it.")
    tokens = {split: encode(part, vocabulary) for split, part in given.items()}
    train = tokens["train"]
    end_of_validation = len(train) - (0 if "test" in given else round(len(train) * request.test_fraction))
    held_out = 0 if "validation" in given else round(len(train) * request.validation_fraction)
    end_of_train = end_of_validation - held_out
    cut = ["split by position: the beginning is for training, the end is the test"] if end_of_train < len(train) else []
    return TextDataset(
        name=request.path.stem,
        vocabulary=vocabulary,
        train=train[: min(end_of_train, request.max_examples or end_of_train)],
        validation=tokens.get("validation", train[end_of_train:end_of_validation]),
        test=tokens.get("test", train[end_of_validation:]),
        notes=(*notes, *cut),
        origin=origin,
    )


def read_text(path: Path) -> tuple[str, list[str]]:
    """Returns the text with `\\n` as line ends and no byte order mark, and notes on what was changed."""
    if not path.is_file():
        raise DataError(f"{path}: no such file\n  data.path has to name a text file.")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
        raise DataError(f"{path}: not UTF-8 ({found})\n  Save the file as UTF-8 text{_how(error.object)}.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})\n  Check its permissions.") from error
    if "\0" in text:
        found = f"a NUL character at offset {text.index(chr(0))}, which no text has"
        raise DataError(f"{path}: {found}\n  Take it out; if it is UTF-16, save it as UTF-8{_how(UTF_16[0])}.")
    notes = []
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append("the byte order mark was dropped")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("line ends were turned into single newlines")
    return text, notes


def _how(content: bytes) -> str:
    """How a text becomes UTF-8, as far as its first bytes tell what it is."""
    encoding = "UTF-16" if content.startswith(UTF_16) else "ISO-8859-1"
    return f", such as by iconv -f {encoding} -t UTF-8 OLD > NEW"
