"""Which examples a training step sees; a function of seed and step alone, so a step can be taken again."""

import numpy as np


def batch_indices(seed: int, step: int, num_examples: int, batch_size: int) -> np.ndarray:
    """Draws the examples of one step, with replacement.

    Returns:
      `(batch_size,)` int64 in `[0, num_examples)`.

    Examples:
      >>> a, b = (batch_indices(seed=1, step=7, num_examples=100, batch_size=8) for _ in range(2))
      >>> bool((a == b).all())
      True
    """
    return np.random.default_rng((seed, step)).integers(num_examples, size=batch_size)


def num_windows(num_tokens: int, context_window: int) -> int:
    """Returns how many windows of `context_window` inputs and their next tokens a text of `num_tokens` holds."""
    return max(num_tokens - context_window, 0)


def text_windows(tokens: np.ndarray, starts: np.ndarray, context_window: int) -> np.ndarray:
    """Cuts windows out of a text; the first `context_window` columns are inputs, the last ones their targets.

    Args:
      tokens: `(T,)` integers.
      starts: `(B,)` integers in `[0, num_windows(T, context_window))`, for example from `batch_indices`.
    Returns:
      `(B, context_window + 1)`, the type of `tokens`.

    Examples:
      >>> text_windows(np.arange(10), np.array([0, 6]), context_window=3)
      array([[0, 1, 2, 3],
             [6, 7, 8, 9]])
    """
    return tokens[starts[:, None] + np.arange(context_window + 1)]
