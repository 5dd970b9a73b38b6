"""Which genotypes were already asked or told, as a fixed-size set that works under `jit`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.space import Space, to_indices


class Seen(NamedTuple):
    """A ring of genotype codes; when it is full, the oldest is forgotten first. C: capacity."""

    codes: jax.Array  # (C,) uint32, only the first `num_added` are real until the ring is full
    num_added: jax.Array  # () int32, how many codes were ever added


def genotype_codes(space: Space, genotypes: jax.Array) -> jax.Array:
    """Gives every genotype a number: its position in the space, or a hash where the space exceeds 2^32 genotypes.

    Equal genotypes have equal codes, always. Different ones have different codes in spaces of up to 2^32 genotypes;
    beyond that two collide with a chance of about 2^-32, which costs a search one candidate out of billions.

    Args:
      space: the space, D dimensions.
      genotypes: `(N, D)`.
    Returns:
      `(N,)` uint32.
    """
    columns = to_indices(space, genotypes).astype(jnp.uint32)
    if not space.is_discrete:
        columns = jnp.where(jnp.array(space.is_continuous)[None], _scrambled_bits(genotypes), columns)
    products = columns * _code_weights(space)[None]  # (N, D), wraps around at 2^32
    return jnp.sum(products, axis=1, dtype=jnp.uint32)


def _scrambled_bits(values: jax.Array) -> jax.Array:
    """Hashes floats to uint32 so that every bit depends on all bits (the finaliser of MurmurHash3, Appleby 2011)."""
    bits = jax.lax.bitcast_convert_type(values.astype(jnp.float32) + 0.0, jnp.uint32)  # + 0.0 turns -0.0 into 0.0
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)


def _code_weights(space: Space) -> np.ndarray:
    if space.size <= 2**32:  # mixed radix, last dimension fastest
        weights = [int(np.prod(space.counts[d + 1 :].tolist(), dtype=object)) for d in range(space.num_dimensions)]
    else:  # powers of an odd constant, 2^32 over the golden ratio: plain place values would lose the first dimensions
        weights = [pow(2654435769, d + 1, 2**32) for d in range(space.num_dimensions)]
    return np.array(weights, dtype=np.uint64).astype(np.uint32)


def archive_size(space: Space, capacity: int, population_size: int) -> int:
    """Says how many genotypes a strategy has to remember so as to repeat none.

    All that are told, and the last batch asked, which may not fit the budget. With a continuous choice only the last two
    batches: chance repeats nothing there, and a search may have millions of evaluations.
    """
    return population_size + (capacity if space.is_discrete else population_size)


def nothing_seen(capacity: int) -> Seen:
    """Returns the empty set with room for `capacity` genotypes."""
    return Seen(jnp.zeros(capacity, jnp.uint32), jnp.int32(0))


def is_seen(seen: Seen, codes: jax.Array) -> jax.Array:
    """Tells which of `(N,)` codes are in the set, as `(N,)` bool. O(N C)."""
    real = jnp.arange(seen.codes.size) < seen.num_added  # (C,)
    return ((codes[:, None] == seen.codes[None]) & real[None]).any(axis=1)


def is_repeat(codes: jax.Array) -> jax.Array:
    """Marks every code that stands earlier in the same `(N,)` batch, as `(N,)` bool. O(N log N)."""
    order = jnp.argsort(codes, stable=True)
    ranked = codes[order]
    same_as_before = jnp.concatenate([jnp.zeros(1, bool), ranked[1:] == ranked[:-1]])
    return jnp.zeros(codes.shape, bool).at[order].set(same_as_before)


def remember(seen: Seen, codes: jax.Array) -> Seen:
    """Adds `(N,)` codes to the set; those already in it take no room. Of more than it can hold, the last ones stay."""
    capacity = seen.codes.size
    codes = codes[-capacity:]
    new = ~is_seen(seen, codes) & ~is_repeat(codes)
    position = (seen.num_added + jnp.cumsum(new) - 1) % capacity
    target = jnp.where(new, position, capacity)  # one past the end is dropped
    return Seen(seen.codes.at[target].set(codes, mode="drop"), seen.num_added + new.sum(dtype=jnp.int32))
