"""A folder of pictures: every one is opened."""

import dataclasses
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example, duplicates
from metagen_jax.data.inspection.findings import Findings, balance, division, image_proposal
from metagen_jax.data.inspection.image_shape import proposed_size
from metagen_jax.data.sources.class_folders import list_splits, passed_over
from metagen_jax.data.sources.image_folder import PICTURES
from metagen_jax.errors import DataError


@dataclasses.dataclass(frozen=True)
class _Picture:
    """One that could be read: where it belongs, its height and width, and what tells it from others."""

    path: Path
    split: str
    label: str
    shape: tuple[int, int]
    is_gray: bool
    digest: str


def inspect_image_folder(path: Path) -> Findings:
    """Looks at `<class>/<picture>`, or at such folders inside of `train/`, `validation/` and `test/`."""
    try:
        listed = list_splits(path, PICTURES)
    except DataError as error:
        return Findings((), problems=(str(error),))
    pictures, problems = [], []
    for split in SPLITS:
        for file, label in listed.get(split, ()):
            try:
                pictures.append(_read(file, split, label))
            except DataError as error:
                problems.append(str(error).splitlines()[0])
    if not pictures:
        return Findings((), problems=tuple(problems))
    is_gray = all(picture.is_gray for picture in pictures)
    counts = Counter(picture.label for picture in pictures if picture.split == "train")
    classes, remarks = balance(dict(sorted(counts.items())))
    sizes = Counter(picture.shape for picture in pictures)
    found = (
        division((picture.split for picture in pictures), "pictures"),
        _sizes(sizes, is_gray),
        *classes,
        *passed_over(path, listed, PICTURES),
    )
    proposal = image_proposal(len(counts), sum(counts.values()), proposed_size(sizes))
    return Findings(
        found, (*remarks, *duplicates(_examples(path, pictures), "picture", "pictures")), tuple(problems), proposal
    )


def _read(file: Path, split: str, label: str) -> _Picture:
    is_gray = pixels.is_gray(file)
    image = pixels.read_picture(file, 3, None)
    digest = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
    return _Picture(file, split, label, image.shape[:2], is_gray, digest)


def _sizes(sizes: Counter[tuple[int, int]], is_gray: bool) -> str:
    kind = "gray" if is_gray else "in colour"
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return f"all {kind}, {width} x {height}"
    heights, widths = zip(*sizes, strict=True)
    span = f"{min(widths)} to {max(widths)} wide and {min(heights)} to {max(heights)} high"
    return f"{'all gray' if is_gray else 'in colour'}, {span}; most often {width} x {height}"


def _examples(root: Path, pictures: list[_Picture]) -> list[Example]:
    return [Example(str(each.path.relative_to(root)), each.split, each.label, each.digest) for each in pictures]
