"""Numbers that tell how similar two tasks are."""

import math
from collections.abc import Sequence

import numpy as np

from metagen_jax.spec import ModelSpec

LOOKED_AT = 500  # examples, from the first on


def features_of(spec: ModelSpec, arrays: Sequence[np.ndarray]) -> dict[str, float]:
    """Returns what a spec and its training data are like; what does not apply is left out.

    Counts and limits are natural logarithms, so that a difference of two is a ratio.

    Args:
      spec: the spec of the run.
      arrays: the training arrays as the modality has them, inputs first; labels last where a label goes in or out.
    """
    inputs = arrays[0]
    return {
        **_of_labels(arrays[-1] if "label" in (*spec.modality.inputs, *spec.modality.outputs) else None),
        **_of_inputs(inputs),
        **_of_limits(spec),
        "log_examples": math.log(len(inputs)),
        "log_values_per_example": math.log(max(1, math.prod(inputs.shape[1:]))),
        "num_axes": float(inputs.ndim - 1),
        "log_prototype_steps": math.log(spec.search.prototype_steps),
        "log_steps": math.log(spec.training.steps),
        "log_batch_size": math.log(spec.training.batch_size),
    }


def _of_labels(labels: np.ndarray | None) -> dict[str, float]:
    if labels is None:
        return {}
    _, counts = np.unique(labels, return_counts=True)
    return {"log_classes": math.log(len(counts)), "label_entropy": _entropy(counts)}


def _of_inputs(inputs: np.ndarray) -> dict[str, float]:
    """Of the values as they are stored: mean, standard deviation, how many differ, and how even they are."""
    seen = np.asarray(inputs[: LOOKED_AT if inputs.ndim > 1 else None], np.float64)
    _, counts = np.unique(seen, return_counts=True)
    largest = np.abs(seen).max() or 1.0
    return {
        "input_mean": float(seen.mean()) / largest,
        "input_std": float(seen.std()) / largest,
        "log_different_values": math.log(len(counts)),
        "input_entropy": _entropy(counts),
    }


def _of_limits(spec: ModelSpec) -> dict[str, float]:
    limits = spec.constraints
    named = {
        "log_min_params": limits.min_params,
        "log_max_params": limits.max_params,
        "log_memory": limits.memory_bytes,
        "log_latency_ms": limits.latency_ms,
        "log_context": limits.context_window,
    }
    return {name: math.log(value) for name, value in named.items() if value}


def _entropy(counts: np.ndarray) -> float:
    """In nats, of how often each of several things was seen.

    Examples:
      >>> round(_entropy(np.array([5, 5])), 4), _entropy(np.array([7]))
      (0.6931, 0.0)
    """
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum()) + 0.0
