"""Text to tokens, one a character, and back."""

import sys
from collections.abc import Sequence

import numpy as np

PADDING, UNKNOWN = 0, 1  # tokens of texts that are padded to one length; characters come after them
NUM_SPECIAL = 2
MOST_CHARACTERS = 2**16 - NUM_SPECIAL  # of a vocabulary, so that a token fits into 16 bits


def find_vocabulary(text: str) -> str:
    """Returns the different characters of a text in sorted order.

    Examples:
      >>> find_vocabulary("hello")
      'ehlo'
    """
    return "".join(sorted(set(text)))


def encode(text: str, vocabulary: str) -> np.ndarray:
    """Returns `(len(text),)` positions in the vocabulary, uint8, or uint16 for more than 256 characters.

    Raises:
      ValueError: a character is not in the vocabulary.

    Examples:
      >>> encode("hello", "ehlo").tolist()
      [1, 0, 2, 2, 3]
    """
    foreign = set(text) - set(vocabulary)
    if foreign:
        raise ValueError(f"characters outside of the vocabulary: {sorted(foreign)}")
    if not text:
        return np.zeros(0, np.uint8)
    codes = _code_points(vocabulary)  # sorted, because the vocabulary is
    tokens = np.zeros(int(codes.max()) + 1, np.uint8 if len(vocabulary) <= 256 else np.uint16)
    tokens[codes] = np.arange(len(vocabulary))
    return tokens[_code_points(text)]


def decode(tokens: np.ndarray, vocabulary: str) -> str:
    """Returns the text of some tokens.

    Examples:
      >>> decode(np.array([1, 0, 2, 2, 3]), "ehlo")
      'hello'
    """
    return "".join(vocabulary[token] for token in tokens.tolist())


def encode_padded(texts: Sequence[str], vocabulary: str, length: int) -> np.ndarray:
    """Returns texts as rows of one length: what is longer is cut, what is shorter is filled up with `PADDING`.

    Args:
      texts: N of them.
      vocabulary: sorted characters; the token of a character is its position plus `NUM_SPECIAL`, any other is `UNKNOWN`.
      length: of the rows.
    Returns:
      `(N, length)` uint8, or uint16 where the tokens do not fit into that.

    Examples:
      >>> encode_padded(["hello", "oh!"], "ehlo", 4).tolist()
      [[3, 2, 4, 4], [5, 3, 1, 0]]
    """
    dtype = np.uint8 if len(vocabulary) + NUM_SPECIAL <= 256 else np.uint16
    token_of = np.full(sys.maxunicode + 1, UNKNOWN, dtype)
    token_of[_code_points(vocabulary)] = np.arange(len(vocabulary)) + NUM_SPECIAL
    rows = np.full((len(texts), length), PADDING, dtype)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = token_of[_code_points(text[:length])]
    return rows


def decode_padded(tokens: np.ndarray, vocabulary: str) -> str:
    """Returns the text of one row, in which `UNKNOWN` is shown as the Unicode replacement character.

    Examples:
      >>> decode_padded(np.array([3, 2, 4, 1, 0, 0]), "ehlo")
      'hel\ufffd'
    """
    return decode(tokens[tokens != PADDING] - UNKNOWN, "\ufffd" + vocabulary)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
