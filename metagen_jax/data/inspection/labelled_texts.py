"""Texts with labels, in a folder with one folder for each class or in a table: every one is read."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example, duplicates
from metagen_jax.data.inspection.findings import Findings, Proposal, balance, division
from metagen_jax.data.sources.class_folders import list_splits, passed_over
from metagen_jax.data.sources.text_folder import TEXTS, read_example
from metagen_jax.data.sources.text_table import read_rows
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
                problems.append(str(error).splitlines()[0])
                continue
            read.append((_example(str(file.relative_to(path)), split, label, text), text))
            notes += changes
    return _findings(read, [*dict.fromkeys(notes), *passed_over(path, listed, TEXTS)], problems)


def inspect_text_table(path: Path) -> Findings:
    """Looks at the columns `text` and `label` of a CSV file."""
    try:
        rows, notes = read_rows(path)
    except DataError as error:
        return Findings((), problems=(str(error),))
    read = [(_example(f"row {i}", "train", label, text), text) for i, (text, label) in enumerate(rows, start=1)]
    return _findings(read, notes, [])


def _example(name: str, split: str, label: str, text: str) -> Example:
    return Example(name, split, label, hashlib.sha256(text.encode()).hexdigest())


def _findings(read: Sequence[Read], notes: Sequence[str], problems: Sequence[str]) -> Findings:
    if not read:
        return Findings((), problems=tuple(problems))
    examples = [example for example, _ in read]
    lengths = sorted(len(text) for _, text in read)
    counts = Counter(example.label for example in examples if example.split == "train")
    classes, remarks = balance(dict(sorted(counts.items())))
    window = _window(lengths)
    found = (
        division((example.split for example in examples), "texts"),
        f"texts of {lengths[0]:,} to {lengths[-1]:,} characters, half of them up to {lengths[len(lengths) // 2]:,}",
        *classes,
        *notes,
    )
    longer = sum(length > window for length in lengths)
    if longer:
        told = f"{longer} texts are longer than the proposed context_window of {window}"
        remarks.append(f"{told}: only their beginning is read")
    proposal = Proposal(
        *("text", "label", "classification", "encoder_transformer", ("accuracy", "loss")),
        num_classes=len(counts),
        constraints={"context_window": window},
        batch_size=min(32, max(1, sum(counts.values()) // 2)),
    )
    return Findings(found, (*remarks, *duplicates(examples, "text", "texts")), tuple(problems), proposal)


def _window(lengths: Sequence[int]) -> int:
    """The smallest power of two that holds most texts in full, within bounds; `lengths` ascend."""
    wanted, window = lengths[int(COVERED * (len(lengths) - 1))], SMALLEST_WINDOW
    while window < min(wanted, LARGEST_WINDOW):
        window *= 2
    return window
