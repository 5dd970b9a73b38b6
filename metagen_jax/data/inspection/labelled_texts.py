"""Texts with labels, in a folder with one folder for each class: every one is read."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example, duplicates
from metagen_jax.data.inspection.findings import Findings, Proposal, balance, division, held_out, training_counts
from metagen_jax.data.sources.class_folders import list_splits, passed_over
from metagen_jax.data.sources.text_folder import TEXTS, read_example
from metagen_jax.errors import DataError

SMALLEST_WINDOW, LARGEST_WINDOW = 16, 256
COVERED = 0.9  # of the texts, that a proposed window holds in full

Read = tuple[Example, str]  # an example, and its text


def inspect_text_folder(path: Path) -> Findings:
    """Looks at `<class>/<text file>`, or at such folders inside of `train/`, `validation/` and `test/`."""
    try:
        listed = list_splits(path, TEXTS)
    except DataError as error:
        return Findings((), problems=(str(error),))
    read: list[Read] = []
    problems, notes = [], []
    for split in SPLITS:
        for file, label in listed.get(split, ()):
            try:
                text, changes = read_example(file)
            except DataError as error:
                problems.append(str(error))
                continue
            read.append((_example(str(file.relative_to(path)), split, label, text), text))
            notes += changes
    return labelled_texts(path, read, [*dict.fromkeys(notes), *passed_over(path, listed, TEXTS)], problems)


def _example(name: str, split: str, label: str, text: str) -> Example:
    return Example(name, split, label, hashlib.sha256(text.encode()).hexdigest())


def labelled_texts(
    path: Path,
    read: Sequence[Read],
    notes: Sequence[str],
    problems: Sequence[str],
    data: Mapping[str, Any] = MappingProxyType({}),
) -> Findings:
    """What there is to say of texts with labels.

    Args:
      notes: on what was changed or passed over.
      problems: with others, that could not be read.
      data: keys of that section that it takes to read them.
    """
    if not read:
        return Findings((), problems=tuple(problems))
    examples = [example for example, _ in read]
    try:
        counts = training_counts(path, examples)
    except DataError as error:
        return Findings((), problems=(*problems, str(error)))
    lengths = sorted(len(text) for _, text in read)
    classes, remarks = balance(counts)
    window = window_for(lengths)
    found = (
        division((example.split for example in examples), "texts"),
        lengths_line(lengths),
        *classes,
        *notes,
    )
    remarks += window_remarks(lengths, window)
    refused = (*problems, *held_out(path, counts.elements(), (example.split for example in examples), "texts"))
    proposal = Proposal(
        *("text", "label", "classification", "encoder_transformer", ("accuracy", "loss")),
        num_classes=len(counts),
        data=dict(data),
        constraints={"context_window": window},
        batch_size=min(32, max(1, counts.total() // 2)),
    )
    return Findings(found, (*remarks, *duplicates(examples, "text", "texts")), refused, (proposal,))


def lengths_line(lengths: Sequence[int]) -> str:
    """A sentence about lengths in characters, which ascend."""
    return f"texts of {lengths[0]:,} to {lengths[-1]:,} characters, half of them up to {lengths[len(lengths) // 2]:,}"


def window_remarks(lengths: Sequence[int], window: int) -> list[str]:
    """A remark on texts that a window cuts; none if it cuts none."""
    longer = sum(length > window for length in lengths)
    if not longer:
        return []
    return [f"{longer} texts are longer than the proposed context_window of {window}: only their beginning is read"]


def window_for(lengths: Sequence[int]) -> int:
    """The smallest power of two that holds most texts in full, within bounds; `lengths` ascend."""
    wanted, window = lengths[int(COVERED * (len(lengths) - 1))], SMALLEST_WINDOW
    while window < min(wanted, LARGEST_WINDOW):
        window *= 2
    return window
