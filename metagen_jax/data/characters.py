"""Text to tokens, one a character, and back."""

import numpy as np


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


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
