"""What there is to say of pictures, wherever they lie."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metagen_jax.data import pixels


class Seen(NamedTuple):
    """Of a picture that could be read: its height and width, whether it is gray, and what tells it from others."""

    shape: tuple[int, int]
    is_gray: bool
    digest: str


def look_at(path: Path, content: bytes | None = None) -> Seen:
    """Opens a picture; see `pixels.read_picture`.

    Raises:
      DataError: it cannot be read.
    """
    is_gray = pixels.is_gray(path, content)
    image = pixels.read_picture(path, 3, None, content)
    digest = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
    return Seen(image.shape[:2], is_gray, digest)


def sizes_of(pictures: Sequence[Seen]) -> Counter[tuple[int, int]]:
    """How many pictures have each height and width."""
    return Counter(picture.shape for picture in pictures)


def sizes_line(pictures: Sequence[Seen]) -> str:
    """A sentence about colours and sizes."""
    sizes, is_gray = sizes_of(pictures), all(picture.is_gray for picture in pictures)
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return f"all {'gray' if is_gray else 'in colour'}, {width} x {height}"
    heights, widths = zip(*sizes, strict=True)
    span = f"{min(widths)} to {max(widths)} wide and {min(heights)} to {max(heights)} high"
    return f"{'all gray' if is_gray else 'in colour'}, {span}; most often {width} x {height}"
