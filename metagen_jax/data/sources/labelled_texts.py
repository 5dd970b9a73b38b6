"""From texts and the names of their labels to a dataset: classes, splits, characters, one length."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import SPLITS, HubOrigin, LabelledTextDataset, LabelledTextSplit
from metagen_jax.data.sources.padded_texts import padded_texts
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError

Labelled = Sequence[tuple[str, str]]  # text, name of its class


def divided(
    request: DataRequest, given: Mapping[str, Labelled], notes: Sequence[str], origin: HubOrigin | None = None
) -> LabelledTextDataset:
    """A dataset of the user's own texts; splits that are not given are cut out of "train", class by class.

    Raises:
      DataError: there is one label only, or a split is left without texts.
    """
    class_names = class_names_of(name for _, name in given["train"])
    check_labels(request.path, class_names)
    labels = {split: numbered(request.path, [name for _, name in texts], class_names) for split, texts in given.items()}
    assigned = assign_splits(
        labels,
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=request.max_examples,
    )
    chosen = {split: [given[origin][i] for i in indices] for split, (origin, indices) in assigned.items()}
    for split in SPLITS:
        if not chosen[split]:
            raise DataError(f"{request.path}: no texts for {split}\n  Add texts: three of a class at least.")
    return make_dataset(request.path, class_names, chosen, request.context_window, notes, origin)


def class_names_of(labels: Iterable[str]) -> tuple[str, ...]:
    """Each label once, sorted."""
    return tuple(sorted(set(labels)))


def check_labels(path: Path, class_names: Sequence[str]) -> None:
    """Refuses data with one label only, or with none."""
    if not class_names:
        raise DataError(f"{path}: no training examples\n  Add some, three of each label at least.")
    if len(class_names) < 2:
        raise DataError(f"{path}: one label only, '{class_names[0]}'\n  To classify, it takes two labels or more.")


def numbered(path: Path, labels: Sequence[str], class_names: Sequence[str]) -> np.ndarray:
    """Returns the positions of labels in `class_names`, `(N,)` int32.

    Raises:
      DataError: one is not among them.
    """
    number = {name: i for i, name in enumerate(class_names)}
    unknown = next((name for name in labels if name not in number), None)
    if unknown is not None:
        remedy = "Add training examples with it, or remove the others."
        raise DataError(f"{path}: label '{unknown}' does not occur among the training examples\n  {remedy}")
    return np.array([number[name] for name in labels], np.int32)


def make_dataset(
    path: Path,
    class_names: tuple[str, ...],
    splits: Mapping[str, Labelled],
    length: int,
    notes: Sequence[str] = (),
    origin: HubOrigin | None = None,
) -> LabelledTextDataset:
    """Encodes the texts of three splits by the characters of the training texts, each as a row of `length` tokens."""
    padded = padded_texts(path, {split: [text for text, _ in texts] for split, texts in splits.items()}, length)
    encoded = {
        split: LabelledTextSplit(padded.tokens[split], numbered(path, [name for _, name in texts], class_names))
        for split, texts in splits.items()
    }
    return LabelledTextDataset(
        name=path.stem,
        class_names=class_names,
        vocabulary=padded.vocabulary,
        notes=(*notes, *padded.notes),
        origin=origin,
        **encoded,
    )
