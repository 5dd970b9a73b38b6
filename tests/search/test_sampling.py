"""Drawing feasible, unseen genotypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import discrete_space
from metagen_jax.search.sampling import ENUMERABLE_SIZE, draw_unseen, spread_out
from metagen_jax.search.seen import genotype_codes, nothing_seen, remember

NONE_SEEN = nothing_seen(1)
DRAW = jax.jit(draw_unseen, static_argnums=(1, 2))


def on_a_diagonal(genotypes):
    """Feasible where the first two indices differ by at most 1."""
    return jnp.abs(genotypes[:, 0] - genotypes[:, 1]).astype(jnp.float32) - 1.0


@pytest.mark.parametrize("num_choices", [(3, 3), (3, 3, 1000)])
def test_every_feasible_genotype_is_equally_likely(num_choices):
    space = discrete_space(num_choices, (True,) * len(num_choices), on_a_diagonal)
    assert (space.size > ENUMERABLE_SIZE) == (len(num_choices) == 3)
    keys = jax.random.split(jax.random.key(0), 700)
    draw = jax.jit(jax.vmap(lambda key: draw_unseen(key, space, 2, NONE_SEEN)))
    genotypes, good, *_ = draw(keys)
    assert good.all()
    cells = np.array(genotypes)[:, 0] @ np.array([3, 1, 0])[: len(num_choices)]
    counts = np.bincount(cells, minlength=9)
    assert counts[2] == counts[6] == 0
    feasible = np.delete(counts, [2, 6])  # 7 cells, 100 expected in each, standard deviation 9.3
    assert abs(feasible - 100).max() < 45


def test_the_last_unseen_genotype_of_a_space_is_found():
    space = discrete_space((16, 16, 16), (True,) * 3)
    everything = np.stack(np.unravel_index(np.arange(4096), space.num_choices), axis=1).astype(np.int32)
    seen = remember(nothing_seen(4096), genotype_codes(space, jnp.array(np.delete(everything, 1234, axis=0))))
    genotypes, good, *_ = DRAW(jax.random.key(1), space, 2, seen)
    assert (genotypes[0] == everything[1234]).all()
    assert good.tolist() == [True, False]


def test_preferred_genotypes_come_first_unless_infeasible_or_seen():
    space = discrete_space((9, 9, 100), (True,) * 3, on_a_diagonal)
    preferred = jnp.array([[0, 8, 0], [4, 4, 0], [5, 5, 0], [4, 4, 0], [6, 6, 0]], jnp.int32)
    seen = remember(nothing_seen(1), genotype_codes(space, preferred[2:3]))
    genotypes, good, *_ = DRAW(jax.random.key(2), space, 4, seen, preferred=preferred)
    assert genotypes[:2].tolist() == [[4, 4, 0], [6, 6, 0]]
    assert good.all()


def test_where_nothing_is_feasible_the_least_violating_come_first():
    space = discrete_space((50,), (True,), lambda genotypes: 1.0 + genotypes[:, 0].astype(jnp.float32))
    genotypes, good, *_ = DRAW(jax.random.key(3), space, 4, NONE_SEEN)
    assert genotypes[:, 0].tolist() == [0, 1, 2, 3]
    assert not good.any()


def test_a_limit_that_is_nan_is_never_feasible():
    space = discrete_space((4,), (True,), lambda genotypes: jnp.where(genotypes[:, 0] == 2, -1.0, jnp.nan))
    genotypes, good, *_ = DRAW(jax.random.key(4), space, 2, NONE_SEEN)
    assert int(genotypes[0, 0]) == 2 and good.tolist() == [True, False]


def test_a_population_spread_out_covers_every_choice_of_every_dimension():
    space = discrete_space((8, 4, 2, 3, 16), (True,) * 5)
    pool, good, *_ = DRAW(jax.random.key(5), space, 128, NONE_SEEN)
    genotypes = np.array(spread_out(space, pool, good, 8))
    for dimension, count in enumerate(space.num_choices):
        strata = genotypes[:, dimension] * min(count, 8) // count
        assert len(set(strata)) >= 0.75 * min(count, 8)  # 5.25 of 8 expected from independent draws
    assert np.bincount(genotypes[:, 2]).tolist() == [4, 4]


def test_spreading_out_takes_what_is_not_good_last_and_in_turn():
    space = discrete_space((9,), (True,))
    pool, good = jnp.array([[0], [0], [8], [7], [6]], jnp.int32), jnp.array([True, True, False, False, False])
    assert spread_out(space, pool, good, 4)[:, 0].tolist() == [0, 0, 8, 7]
