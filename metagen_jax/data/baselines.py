"""What a trained network has to beat."""

import numpy as np

from metagen_jax.data.datasets import ImageDataset, TextDataset


def bigram_bits_per_character(dataset: TextDataset, split: str = "validation") -> float:
    """Scores the next character from the current one alone, by add-one smoothed counts of the training split.

    The probability of b after a is `(n(a, b) + 1) / (n(a) + V)` for a vocabulary of V characters. The first
    character of the split has no predecessor and is not scored.

    Returns:
      Bits per character on the named split; lower is better, `log2(V)` is guessing.
    """
    vocabulary_size = len(dataset.vocabulary)
    first_counts = np.bincount(dataset.train[:-1], minlength=vocabulary_size)  # (V,)
    pairs, counts = np.unique(_pair_codes(dataset.train, vocabulary_size), return_counts=True)
    scored, times = np.unique(_pair_codes(getattr(dataset, split), vocabulary_size), return_counts=True)
    seen = np.zeros(len(scored), np.int64)  # n(a, b) of the scored pairs
    _, in_scored, in_pairs = np.intersect1d(scored, pairs, assume_unique=True, return_indices=True)
    seen[in_scored] = counts[in_pairs]
    probability = (seen + 1) / (first_counts[scored // vocabulary_size] + vocabulary_size)
    return float(-(times * np.log2(probability)).sum() / times.sum())


def _pair_codes(tokens: np.ndarray, vocabulary_size: int) -> np.ndarray:
    return tokens[:-1].astype(np.int64) * vocabulary_size + tokens[1:]  # (T - 1,)


def majority_accuracy(dataset: ImageDataset, split: str = "validation") -> float:
    """Returns the accuracy of always answering the most frequent class of the training split."""
    majority = np.argmax(np.bincount(dataset.train.labels))
    return float((getattr(dataset, split).labels == majority).mean())
