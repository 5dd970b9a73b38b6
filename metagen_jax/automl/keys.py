"""Where the random numbers of a run come from."""

from typing import NamedTuple

import jax

from metagen_jax.spec import ModelSpec


class InitialKey(NamedTuple):
    """What decides the initial weights of a candidate: a run's seed, and a number in that run.

    A candidate has those of its own run, unless it was remembered: then it starts from the weights with which it worked,
    since a network may owe its place to them.
    """

    seed: int
    number: int

    def key(self) -> jax.Array:
        """The key itself."""
        run_key, _ = _of_seed(self.seed)
        return jax.random.fold_in(run_key, self.number)


def keys_of(spec: ModelSpec) -> tuple[jax.Array, jax.Array]:
    """That of the training, that of the search."""
    return _of_seed(spec.seed)


def _of_seed(seed: int) -> tuple[jax.Array, jax.Array]:
    run_key, search_key = jax.random.split(jax.random.key(seed))
    return run_key, search_key
