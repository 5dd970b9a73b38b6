"""How much one task is like another, by what they are called and by their features."""

import math
from collections.abc import Mapping

# A difference of so much in a feature counts as one step. Features that are logarithms: a factor of e is 1.
STEPS = {
    "log_classes": 1.0,
    "label_entropy": 1.0,
    "input_mean": 0.5,
    "input_std": 0.5,
    "log_different_values": 2.0,
    "input_entropy": 1.5,
    "log_examples": 1.5,
    "log_values_per_example": 1.5,
    "num_axes": 1.0,
    "log_prototype_steps": 1.5,
    "log_steps": 2.0,
    "log_batch_size": 1.5,
    "log_min_params": 2.0,
    "log_max_params": 2.0,
    "log_memory": 2.0,
    "log_latency_ms": 2.0,
    "log_context": 2.0,
}
MOST_STEPS = 2.0  # that one feature may count
OF_A_KIND = 2.0  # steps for each kind of input or output that only one of the tasks has
REACH = 8.0  # squared steps over which similarity falls to 1/e


def similarity(task: str, features: Mapping[str, float], other: str, others: Mapping[str, float]) -> float:
    """Returns how much two tasks are alike, from 1 for the same down to 0.

    A Gaussian of their distance: the root of the sum of squared steps, over the features that at least one of them has.
    A feature that one alone has counts one step.

    Args:
      task: inputs and outputs in words, such as `image -> label`.
      features: as `features_of` takes them.
      other: those of the other task.
      others: its features.

    Examples:
      >>> similarity("image -> label", {"log_classes": 2.3}, "image -> label", {"log_classes": 2.3})
      1.0
      >>> round(similarity("image -> label", {"log_classes": 2.3}, "image -> label", {"log_classes": 3.3}), 2)
      0.88
      >>> round(similarity("image -> label", {}, "audio -> label", {}), 2), round(similarity("image -> image", {}, "text -> text", {}), 2)
      (0.37, 0.14)
    """
    squared = OF_A_KIND**2 * len(_kinds(task) ^ _kinds(other))
    for name in sorted(features.keys() | others.keys()):  # in one order, so that every process has the same bits
        if name in features and name in others:
            squared += min(abs(features[name] - others[name]) / STEPS.get(name, 1.0), MOST_STEPS) ** 2
        else:
            squared += 1.0
    return math.exp(-squared / REACH)


def _kinds(task: str) -> set[str]:
    """What goes in and what comes out, each by its name and its side."""
    sides = task.split(" -> ")
    return {f"{number} {kind}" for number, side in enumerate(sides) for kind in side.split(" + ")}
