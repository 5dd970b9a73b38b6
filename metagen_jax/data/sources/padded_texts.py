"""The texts of three splits as rows of tokens, by the characters of the training texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metagen_jax.data.characters import MOST_CHARACTERS, UNKNOWN, encode_padded, find_vocabulary
from metagen_jax.errors import DataError


class PaddedTexts(NamedTuple):
    """Texts of one length.

    Attributes:
      vocabulary: the characters of the training texts in sorted order.
      tokens: of each split, `(N, length)`, as `characters.encode_padded` gives them.
      notes: on what was lost on the way from text to tokens.
    """

    vocabulary: str
    tokens: dict[str, np.ndarray]
    notes: list[str]


def padded_texts(path: Path, splits: Mapping[str, Sequence[str]], length: int, always: str = "") -> PaddedTexts:
    """Encodes the texts of three splits, each as a row of `length` tokens.

    Args:
      path: for messages.
      splits: the texts.
      length: of the rows.
      always: characters that the vocabulary has whether they occur or not.
    Raises:
      DataError: there are more different characters than tokens can be.
    """
    vocabulary = find_vocabulary("".join((always, *splits["train"])))
    if len(vocabulary) > MOST_CHARACTERS:
        found = f"{len(vocabulary):,} different characters, at most {MOST_CHARACTERS:,} are possible"
        raise DataError(f"{path}: {found}\n  Are they texts? If so, use fewer.")
    tokens = {split: encode_padded(texts, vocabulary, length) for split, texts in splits.items()}
    return PaddedTexts(vocabulary, tokens, _notes(splits, tokens, length))


def _notes(splits: Mapping[str, Sequence[str]], tokens: Mapping[str, np.ndarray], length: int) -> list[str]:
    notes = []
    texts = [text for split in splits.values() for text in split]
    longer = sum(len(text) > length for text in texts)
    if longer:
        notes.append(f"of {longer:,} of {len(texts):,} texts only the first {length} characters are read")
    unknown = sum(int((rows == UNKNOWN).sum()) for rows in tokens.values())
    if unknown:
        notes.append(f"{unknown:,} characters of validation and test do not occur in training: read as unknown")
    return notes
