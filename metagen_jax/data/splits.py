"""Which examples are for training, which for validation, which for the test."""

from collections.abc import Callable, Mapping

import numpy as np

# Not the seed of the run: runs with different seeds are scored on the same test examples.
SPLIT_SEED = 0


def split_by_class(
    labels: np.ndarray, held_out: Callable[[int], tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shuffles N examples and divides every class between the three splits.

    Args:
      labels: `(N,)` integers.
      held_out: how many examples of a class go to validation and to test, given how many the class has.
    Returns:
      Indices for training, validation and test, each in shuffled order. They share nothing and cover everything.

    Examples:
      >>> train, validation, test = split_by_class(np.array([0, 0, 0, 1, 1, 1]), lambda count: (1, 1))
      >>> len(train), len(validation), len(test)
      (2, 2, 2)
    """
    # RandomState and not Generator: NumPy promises never to change its numbers, so a split outlives NumPy versions.
    random = np.random.RandomState(SPLIT_SEED)
    draw, order = random.permutation(len(labels)), random.permutation(len(labels))
    by_class = draw[np.argsort(labels[draw], kind="stable")]
    starts = np.flatnonzero(np.diff(labels[by_class])) + 1
    part = np.zeros(len(labels), np.int8)
    for members in np.split(by_class, starts):
        num_validation, num_test = held_out(len(members))
        part[members[:num_validation]] = 1
        part[members[num_validation : num_validation + num_test]] = 2
    # A second shuffle: in the order of the draw, the first training examples would be of classes that were drawn often.
    train, validation, test = (order[part[order] == number] for number in range(3))
    return train, validation, test


def shuffled(count: int) -> np.ndarray:
    """Returns a fixed order of so many examples, so that the first of them are like all."""
    return np.random.RandomState(SPLIT_SEED).permutation(count)


def share(count: int, fraction: float) -> int:
    """Returns the examples of a class that a fraction stands for: rounded, but one at least if the class has three.

    Examples:
      >>> share(100, 0.1), share(3, 0.1), share(2, 0.1), share(100, 0.0)
      (10, 1, 0, 0)
    """
    if fraction <= 0:
        return 0
    return max(round(count * fraction), 1 if count >= 3 else 0)


def assign_splits(
    labels: Mapping[str, np.ndarray], *, validation_fraction: float, test_fraction: float, max_examples: int | None
) -> dict[str, tuple[str, np.ndarray]]:
    """Decides where the examples of every split come from; splits that are not given are cut out of "train".

    Args:
      labels: of the given splits. "train" has to be there; alone, it stands for all examples.
      max_examples: keeps the first so many of the shuffled training examples.
    Returns:
      For each split the given split to take from, and the indices to take there.
    """
    fractions = (
        0.0 if "validation" in labels else validation_fraction,
        0.0 if "test" in labels else test_fraction,
    )
    train, validation, test = split_by_class(
        labels["train"], lambda count: (share(count, fractions[0]), share(count, fractions[1]))
    )
    if len(train) == len(labels["train"]) and max_examples is None:
        train = np.arange(len(train))  # nothing to cut out, so no need to shuffle
    assigned = {"train": ("train", train[:max_examples]), "validation": ("train", validation), "test": ("train", test)}
    given = {split: (split, np.arange(len(labels[split]))) for split in labels if split != "train"}
    return assigned | given
