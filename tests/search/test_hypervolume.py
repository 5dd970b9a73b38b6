"""The hypervolume against counted cells, closed forms and inclusion-exclusion."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import hypervolume

every_number_of_objectives = pytest.mark.parametrize("num_objectives", [2, 3, 4])


@functools.cache
def compiled():
    return jax.jit(hypervolume)


@every_number_of_objectives
def test_it_counts_the_dominated_cells_of_a_grid(num_objectives):
    rng = np.random.default_rng(num_objectives)
    reference = np.float32([5, 4, 5, 3])[:num_objectives]
    losses = rng.integers(0, 6, (20, 12, num_objectives)).astype(np.float32)
    losses[rng.random(losses.shape) < 0.04] = np.nan
    losses[rng.random(losses.shape) < 0.02] = -np.inf
    valid = rng.random((20, 12)) < 0.8
    violations = np.maximum(rng.integers(-6, 3, (20, 12)), -1).astype(np.float32)
    measured = np.array(
        jax.jit(jax.vmap(hypervolume, in_axes=(0, 0, None, 0)))(losses, valid, jnp.array(reference), violations)
    )
    cells = np.stack(np.meshgrid(*map(np.arange, reference), indexing="ij"), axis=-1).reshape(-1, num_objectives)
    for case in range(20):
        counted = valid[case] & np.isfinite(losses[case]).all(axis=1) & (violations[case] <= 0)
        counted &= (losses[case] < reference).all(axis=1)
        covered = (losses[case][counted][:, None] <= cells[None]).all(axis=-1).any(axis=0)
        assert measured[case] == covered.sum()
    assert len(np.unique(measured)) > 5


@every_number_of_objectives
def test_it_agrees_with_inclusion_and_exclusion_of_boxes(num_objectives):
    losses = np.random.default_rng(7).random((8, num_objectives))
    volume = 0.0
    for size in range(1, 9):
        for some in itertools.combinations(losses, size):
            volume -= (-1) ** size * np.prod(1.1 - np.max(some, axis=0))
    measured = compiled()(losses.astype(np.float32), np.ones(8, bool), jnp.full(num_objectives, 1.1))
    assert float(measured) == pytest.approx(volume, rel=1e-5)


def test_a_dense_sphere_leaves_the_known_volume():
    """The front f0^2 + f1^2 + f2^2 = 1: the cube below the reference point less an eighth of a ball, and a little."""
    along, around = np.meshgrid(np.linspace(0, np.pi / 2, 24), np.linspace(0, np.pi / 2, 24))
    sphere = np.stack([np.cos(along) * np.cos(around), np.cos(along) * np.sin(around), np.sin(along)], axis=-1)
    measured = float(compiled()(sphere.reshape(-1, 3).astype(np.float32), np.ones(576, bool), jnp.full(3, 1.1)))
    assert 0.95 < measured / (1.1**3 - np.pi / 6) < 1.0


@every_number_of_objectives
def test_order_copies_and_dominated_rows_add_nothing_and_a_better_row_adds(num_objectives):
    rng = np.random.default_rng(5)
    losses, real = rng.random((10, num_objectives)).astype(np.float32), np.ones(10, bool)
    reference = jnp.full(num_objectives, 1.0)
    volume = float(compiled()(losses, real, reference))
    repeated = np.vstack([losses[:5], losses[:4], losses[:1] + 0.001])
    assert float(compiled()(losses[rng.permutation(10)], real, reference)) == pytest.approx(volume, rel=1e-6)
    assert float(compiled()(repeated, real, reference)) == pytest.approx(
        float(compiled()(losses, np.arange(10) < 5, reference)), rel=1e-6
    )
    better = np.vstack([losses[:9], losses[9:] / 2])
    assert float(compiled()(better, real, reference)) > volume


@every_number_of_objectives
def test_nothing_has_no_volume(num_objectives):
    reference = jnp.full(num_objectives, 3.0)
    losses = jnp.ones((2, num_objectives)).at[1, 0].set(9.0)
    assert compiled()(losses, jnp.zeros(2, bool), reference) == 0
    assert compiled()(losses, jnp.array([False, True]), reference) == 0
    assert compiled()(losses, jnp.ones(2, bool), reference, jnp.array([1.0, 0.0])) == 0


def test_other_numbers_of_objectives_and_wrong_shapes_are_refused_with_the_fix():
    for num_objectives in (1, 5):
        with pytest.raises(ValueError, match=r"2, 3 or 4 objectives.*losses\[:, :2\]"):
            hypervolume(jnp.zeros((4, num_objectives)), jnp.ones(4, bool), jnp.zeros(num_objectives))
    with pytest.raises(ValueError, match=r"reference_point must be \(2,\)"):
        hypervolume(jnp.zeros((4, 2)), jnp.ones(4, bool), jnp.zeros(3))
    with pytest.raises(ValueError, match=r"one entry a row: \(4,\)"):
        hypervolume(jnp.zeros((4, 2)), jnp.ones(3, bool), jnp.zeros(2))
