"""From texts and the names of their labels to a dataset: classes, splits, characters, one length."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import SPLITS, LabelledTextDataset, LabelledTextSplit
from metagen_jax.data.sources.padded_texts import padded_texts
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError

Labelled = Sequence[tuple[str, str]]  # text, name of its class


def divided(request: DataRequest, given: Mapping[str, Labelled], notes: Sequence[str]) -> LabelledTextDataset:
    """A dataset of the user's own texts; splits that are not given are cut out of "train", class by class.

    Raises:
      DataError: a split is left without texts.
    """
    class_names = tuple(sorted({name for _, name in given["train"]}))
    labels = {split: _numbered(texts, class_names) for split, texts in given.items()}
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
    return make_dataset(request.path, class_names, chosen, request.context_window, notes)


def make_dataset(
    path: Path, class_names: tuple[str, ...], splits: Mapping[str, Labelled], length: int, notes: Sequence[str] = ()
) -> LabelledTextDataset:
    """Encodes the texts of three splits by the characters of the training texts, each as a row of `length` tokens."""
    padded = padded_texts(path, {split: [text for text, _ in texts] for split, texts in splits.items()}, length)
    encoded = {
        split: LabelledTextSplit(padded.tokens[split], _numbered(texts, class_names)) for split, texts in splits.items()
    }
    return LabelledTextDataset(
        name=path.stem,
        class_names=class_names,
        vocabulary=padded.vocabulary,
        notes=(*notes, *padded.notes),
        **encoded,
    )


def _numbered(texts: Labelled, class_names: Sequence[str]) -> np.ndarray:
    number = {name: i for i, name in enumerate(class_names)}
    return np.array([number[name] for _, name in texts], np.int32)
