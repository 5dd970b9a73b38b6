"""How large the feasible part of a space is, and what it looks like, where draws hardly ever meet it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from metagen_jax.search.repair import wander
from metagen_jax.search.sampling import sample_uniform
from metagen_jax.search.space import Space, violation_of

SURVIVORS = 4  # one row of so many survives a level
MOST_LEVELS = 40  # of which each divides the share by four or so: beyond those, nothing is found
STEPS_PER_LEVEL = 24  # of the walk that makes copies of a survivor different again
MOST_IN_VAIN = 8  # levels in which all rows stay at the same violation


class Split(NamedTuple):
    """Where the search for feasible genotypes has ended. N: rows, D: dimensions."""

    share: jax.Array  # () float32, estimated, of the genotypes that are feasible; 0 where none was found
    genotypes: jax.Array  # (N, D), the least violating first; with repeats
    violations: jax.Array  # (N,) float32, 0 is feasible


def split(key: jax.Array, space: Space, num: int) -> Split:
    """Closes in on the feasible genotypes of a space from one level of violation to the next.

    Of rows drawn uniformly the least violating quarter survives; copies of these walk at random below the highest
    violation among them, until they are as good as drawn from there; of them again the least violating quarter survives,
    until a quarter is feasible. The product of the shares that survived estimates the share that is feasible, and the
    last rows are nearly uniform over the feasible genotypes.

    Args:
      key: consumed.
      space: the space, with limits. Any other function to be minimised may stand in their place: the rows come close to
        its smallest values then.
      num: N, rows. With a few thousand the share is right within a few per cent where it is one in a hundred, within a
        third where it is one in a million.
    Returns:
      The share and the rows. At most `1 + MOST_LEVELS * STEPS_PER_LEVEL` violations a row.
    References:
      Au and Beck, Estimation of Small Failure Probabilities in High Dimensions by Subset Simulation, 2001. Departure:
      the walk is that of `repair`.

    Examples:
      >>> from metagen_jax.search.space import Integer
      >>> space = Space((Integer(0, 9),) * 8, violation=lambda genotypes: genotypes.sum(axis=1) - 2.0)
      >>> found = jax.jit(split, static_argnums=(1, 2))(jax.random.key(0), space, 2000)
      >>> bool(found.violations.max() <= 0), f"{float(found.share):.0e}"  # 45 of 10^8
      (True, '5e-07')
    """
    key_first, key_walk = jax.random.split(key)
    genotypes = sample_uniform(key_first, space, num)

    def unfinished(carry):
        level, num_in_vain, ceiling, _ = carry
        return (level < MOST_LEVELS) & (num_in_vain < MOST_IN_VAIN) & (ceiling > 0)

    def next_level(carry):
        level, num_in_vain, _, rows = carry
        order = jnp.argsort(rows.violations)
        ceiling = rows.violations[order[(num - 1) // SURVIVORS]]
        num_survivors = (rows.violations <= ceiling).sum()
        copies = order[jnp.arange(num) % num_survivors]
        walked = wander(
            jax.random.fold_in(key_walk, level),
            space,
            rows.genotypes[copies],
            rows.violations[copies],
            ceiling=ceiling,
            num_steps=STEPS_PER_LEVEL,
        )
        in_vain = walked[1].min() >= rows.violations.max()
        num_in_vain = jnp.where(in_vain, num_in_vain + 1, 0)
        return level + 1, num_in_vain, ceiling, Split(rows.share * num_survivors / num, *walked)

    drawn = Split(jnp.float32(1.0), genotypes, violation_of(space, genotypes))
    start = jnp.int32(0), jnp.int32(0), jnp.float32(jnp.inf), drawn
    *_, ceiling, rows = jax.lax.while_loop(unfinished, next_level, start)
    order = jnp.argsort(rows.violations)
    # Where a few rows arrived as the levels ran out, the share is that of the level times theirs.
    share = rows.share * jnp.where(ceiling > 0, (rows.violations <= 0).mean(), 1.0)
    return Split(share, rows.genotypes[order], rows.violations[order])
