"""Means of named scores over the examples of a split, batch by batch."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Sums(NamedTuple):
    """What batches add up to: numbers, the sum of each score and how many values each is the sum of."""

    scores: dict[str, jax.Array]
    num_values: jax.Array

    def means(self) -> dict[str, jax.Array]:
        return {name: total / self.num_values for name, total in self.scores.items()}


def sums(scores: Mapping[str, jax.Array], real: jax.Array) -> Sums:
    """Adds up the scores of one batch.

    Args:
      scores: by name, all `(B,)`, or all `(B, T)` where each token has its own.
      real: `(B,)` float32, 0 for what only fills the batch up.

    Examples:
      >>> one_batch = sums({"loss": jnp.array([1.0, 2.0, 9.0])}, real=jnp.array([1.0, 1.0, 0.0]))
      >>> print(one_batch.means()["loss"])
      1.5
    """
    (shape,) = {score.shape for score in scores.values()}
    weight = jnp.broadcast_to(real.reshape(-1, *[1] * (len(shape) - 1)), shape)
    return Sums({name: jnp.sum(score * weight) for name, score in scores.items()}, jnp.sum(weight))
