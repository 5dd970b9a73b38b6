"""Labelled images in one `.npz` file."""

from collections import Counter
from pathlib import Path

import numpy as np

from metagen_jax.data.inspection.findings import Findings, balance, image_proposal
from metagen_jax.data.inspection.image_shape import proposed_size
from metagen_jax.data.loading import describe
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError


def inspect_npz_file(path: Path) -> Findings:
    """Reads the arrays as a run would; those that hold Python objects are refused unread."""
    try:
        dataset = read_npz_file(DataRequest(path))
    except DataError as error:
        return Findings((), problems=(str(error),))
    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
    problems = []
    if dataset.num_classes < 2:
        problems.append(f"{path}: one class only\n  To classify, it takes two or more.")
    classes, remarks = balance(dict(zip(dataset.class_names, counts.tolist(), strict=True)))
    images, _, *notes = describe(dataset)
    height, width, channels = dataset.image_shape
    image_size = proposed_size(Counter({(height, width): 1}))
    if image_size is not None and channels not in (1, 3, 4):
        told = f"{path}: images of {channels} channels are {width} x {height} and cannot be resized"
        problems.append(f"{told}\n  Save gray or RGB images, or square ones of an even size.")
    proposal = image_proposal(dataset.num_classes, len(dataset.train), image_size)
    return Findings((images, *classes, *notes), tuple(remarks), tuple(problems), (proposal,))
