"""The set of genotypes that were already tried."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import discrete_space
from metagen_jax.search.seen import genotype_codes, is_repeat, is_seen, nothing_seen, remember


def test_codes_number_the_genotypes_of_a_small_space():
    space = discrete_space((3, 4, 5), (True,) * 3)
    everything = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), axis=1).astype(np.int32)
    assert genotype_codes(space, jnp.array(everything)).tolist() == list(range(60))


@pytest.mark.parametrize("num_choices", [(2**16, 2**16), (2,) * 40, (6,) * 30, (16,) * 16])
def test_codes_of_near_and_of_random_genotypes_differ_in_huge_spaces(num_choices):
    space = discrete_space(num_choices, (True,) * len(num_choices))
    far = np.random.default_rng(0).integers(0, num_choices, (500, len(num_choices)))
    near = (far[:1] + np.eye(len(num_choices), dtype=int)) % num_choices
    rows = np.unique(np.concatenate([far, near]), axis=0).astype(np.int32)
    assert len(np.unique(genotype_codes(space, jnp.array(rows)))) == len(rows)


def test_repeats_are_the_later_copies_only():
    assert is_repeat(jnp.array([7, 3, 7, 7, 3, 1], jnp.uint32)).tolist() == [False, False, True, True, True, False]


def test_a_full_set_forgets_the_oldest_first_and_copies_take_no_room():
    add, contains = jax.jit(remember), jax.jit(is_seen)
    seen = add(nothing_seen(4), np.uint32([1, 2, 2, 0]))
    seen = add(seen, np.uint32([1, 3, 3, 3]))
    assert contains(seen, np.arange(5, dtype=np.uint32)).tolist() == [True, True, True, True, False]
    seen = add(seen, np.uint32([9, 9, 9, 9]))
    assert contains(seen, np.uint32([1, 2, 0, 3, 9])).tolist() == [False, True, True, True, True]


def test_of_a_batch_beyond_the_capacity_the_last_stay():
    seen = remember(nothing_seen(4), jnp.arange(6, dtype=jnp.uint32))
    assert is_seen(seen, jnp.arange(6, dtype=jnp.uint32)).tolist() == [False, False, True, True, True, True]
