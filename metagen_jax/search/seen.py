"""Which genotypes were already asked or told, as a fixed-size set that works under `jit`."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metagen_jax.search.space import Space, to_indices


class Seen(NamedTuple):
    """A ring of genotype codes; when it is full, the oldest is forgotten first. C: capacity."""

    codes: jax.Array  # (C,) uint32, only the first `num_added` are real until the ring is full
    num_added: jax.Array  # () int32, how many codes were ever added
    repaired: jax.Array | None  # (C,) bool, whether the genotype was repaired before it was asked; None: none ever is


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


def nothing_seen(capacity: int, *, notes_repairs: bool = False) -> Seen:
    """Returns the empty set with room for `capacity` genotypes, and for a note on each whether it was repaired."""
    return Seen(jnp.zeros(capacity, jnp.uint32), jnp.int32(0), jnp.zeros(capacity, bool) if notes_repairs else None)


class Sorted(NamedTuple):
    """The codes of a set in ascending order, to look up many of them. C: capacity."""

    codes: jax.Array  # (C,) uint32; one of the set's codes fills the places that are free
    is_empty: jax.Array  # () bool


def sort_codes(seen: Seen) -> Sorted:
    """Sorts a set; of a large one that takes longer than a thousand look-ups. O(C log C)."""
    return _sorted_where(seen.codes, jnp.arange(seen.codes.size) < seen.num_added)


def _sorted_where(codes: jax.Array, wanted: jax.Array) -> Sorted:
    """Sorts those of `(C,)` codes that are wanted, `(C,)` bool. Codes alone are sorted five times as fast as with places."""
    filler = codes[jnp.argmax(wanted)]
    return Sorted(jnp.sort(jnp.where(wanted, codes, filler)), ~wanted.any())


def is_among(known: Sorted, codes: jax.Array) -> jax.Array:
    """Tells which of `(N,)` codes are in a sorted set, as `(N,)` bool. O(N log C)."""
    position = jnp.minimum(jnp.searchsorted(known.codes, codes), known.codes.size - 1)
    return (known.codes[position] == codes) & ~known.is_empty


def is_seen(seen: Seen, codes: jax.Array) -> jax.Array:
    """Tells which of `(N,)` codes are in the set, as `(N,)` bool. O((N + C) log C)."""
    return is_among(sort_codes(seen), codes)


def was_repaired(space: Space, state: Any, genotypes: jax.Array) -> jax.Array:
    """Tells which of the genotypes that a strategy has asked had to be repaired, since they broke the limits.

    Args:
      space: the space, D dimensions.
      state: of the strategy, or of one wrapped around it, after the ask.
      genotypes: `(N, D)`, as asked.
    Returns:
      `(N,)` bool. All False where there are no limits, and in spaces that are small enough to be searched whole.

    Examples:
      >>> from metagen_jax.search import discrete_space, random_search
      >>> space = discrete_space((20,) * 6, (True,) * 6, violation=lambda genotypes: genotypes.sum(axis=1) - 3.0)
      >>> strategy = random_search(space, population_size=8, num_objectives=1, capacity=8)
      >>> genotypes, state = strategy.ask(jax.random.key(0), strategy.init(jax.random.key(1)))
      >>> was_repaired(space, state, genotypes).sum().tolist()  # one genotype in 760,000 keeps this limit
      8
    """
    codes, found = genotype_codes(space, genotypes), jnp.zeros(genotypes.shape[0], bool)
    for part in jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, Seen)):
        if isinstance(part, Seen) and part.repaired is not None:
            found |= is_among(_sorted_where(part.codes, part.repaired), codes)
    return found


def is_repeat(codes: jax.Array) -> jax.Array:
    """Marks every code that stands earlier in the same `(N,)` batch, as `(N,)` bool. O(N log N)."""
    order = jnp.argsort(codes, stable=True)
    ranked = codes[order]
    same_as_before = jnp.concatenate([jnp.zeros(1, bool), ranked[1:] == ranked[:-1]])
    return jnp.zeros(codes.shape, bool).at[order].set(same_as_before)


def remember(seen: Seen, codes: jax.Array, repaired: jax.Array | None = None) -> Seen:
    """Adds `(N,)` codes to the set; those already in it take no room. Of more than it can hold, the last ones stay.

    `repaired`, `(N,)` bool, is noted where the set keeps such notes; None: none of them was.
    """
    capacity = seen.codes.size
    codes = codes[-capacity:]
    new = ~is_seen(seen, codes) & ~is_repeat(codes)
    position = (seen.num_added + jnp.cumsum(new) - 1) % capacity
    target = jnp.where(new, position, capacity)  # one past the end is dropped
    notes = seen.repaired
    if notes is not None:
        noted = jnp.zeros(codes.shape, bool) if repaired is None else repaired[-capacity:]
        notes = notes.at[target].set(noted, mode="drop")
    return Seen(seen.codes.at[target].set(codes, mode="drop"), seen.num_added + new.sum(dtype=jnp.int32), notes)
