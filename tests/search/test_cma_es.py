"""CMA-ES finds minima in few evaluations, whatever the scale, the axes, the kinds of choices and the batches."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import Categorical, Continuous, Integer, Space, cma_es, discrete_space, sep_cma_es
from metagen_jax.search.cma_es import FULL
from metagen_jax.search.gaussian_encoding import decode, encode, encoded_centre, reflect, smallest_deviations
from metagen_jax.search.normal_distribution import draw_round, initial_normal, learning_rates, place, update
from metagen_jax.search.sampling import sample_uniform
from metagen_jax.search.sep_cma_es import DIAGONAL

BOX = Space((Continuous(-100.0, 100.0),) * 10)
UNIT = Space((Continuous(0.0, 1.0),) * 6)
MIXED = Space((Integer(-3, 5), Categorical(3), Continuous(-1.0, 1.0), Continuous(1e-4, 1.0, log=True), Categorical(1)))


def sphere(x):
    return (x**2).sum(axis=1)


def ellipsoid(x):
    return (10.0 ** jnp.linspace(0.0, 6.0, x.shape[1])[None] * x**2).sum(axis=1)


def rosenbrock(x):
    return (100.0 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1.0 - x[:, :-1]) ** 2).sum(axis=1)


def rotated(function, num_dimensions):
    drawn = np.random.default_rng(0).standard_normal((num_dimensions, num_dimensions))
    rotation = jnp.array(np.linalg.qr(drawn)[0], jnp.float32)
    return lambda x: function(x @ rotation)


def best_losses(space, function, population_size, generations, num_seeds=5, constructor=cma_es, **settings):
    """Best loss of each generation, (seeds, generations), and the last states."""
    strategy = constructor(space, population_size=population_size, num_objectives=1, capacity=1000, **settings)

    def generation(state, key):
        genotypes, state = strategy.ask(key, state)
        losses = function(genotypes)
        return strategy.tell(state, genotypes, losses[:, None], jnp.zeros(population_size)), losses.min()

    def run(key):
        keys = jax.random.split(key, generations + 1)
        return jax.lax.scan(generation, strategy.init(keys[0]), keys[1:])

    states, losses = jax.jit(lambda keys: jax.lax.map(run, keys))(jax.random.split(jax.random.key(0), num_seeds))
    return np.array(losses), states


# Medians of pycma 4.5.0 over 11 seeds from the same start with the same population, in float64.
@pytest.mark.parametrize(
    ("function", "start", "pycma"), [(sphere, 3.0, 1510), (ellipsoid, 3.0, 4110), (rosenbrock, 0.0, 5170)]
)
def test_fewer_evaluations_than_pycma_in_ten_dimensions(function, start, pycma):
    settings = {"initial_mean": (start,) * 10, "initial_step": 1 / 200}
    losses, _ = best_losses(BOX, function, 10, pycma // 10, num_seeds=11, **settings)
    assert (losses.min(axis=1) <= 1e-8).sum() > 5  # the median


def test_rotation_costs_nothing():
    settings = {"initial_mean": (3.0,) * 10, "initial_step": 1 / 200}
    losses, _ = best_losses(BOX, rotated(ellipsoid, 10), 10, 411, num_seeds=5, **settings)
    assert (losses.min(axis=1) <= 1e-8).all()


def test_separable_variant_solves_a_long_ellipsoid():
    space = Space((Continuous(-100.0, 100.0),) * 200)
    settings = {"initial_mean": (3.0,) * 200, "initial_step": 1 / 200, "constructor": sep_cma_es}
    losses, states = best_losses(space, ellipsoid, 19, 3400, num_seeds=1, **settings)
    assert losses.min() <= 1e-8
    assert states.normal.factor.shape == (1, 200)


@pytest.mark.parametrize("constructor", [cma_es, sep_cma_es])
def test_a_minimum_on_the_edge_of_the_space_is_found(constructor):
    losses, _ = best_losses(UNIT, lambda x: x.sum(axis=1), 9, 150, constructor=constructor)
    assert (losses.min(axis=1) < 1e-5).all()


def test_correlated_dimensions_with_the_minimum_in_a_corner_are_no_obstacle():
    function = rotated(ellipsoid, 6)
    losses, _ = best_losses(UNIT, lambda x: function(x - 1.0), 9, 500)
    assert (losses.min(axis=1) < 1e-4).all()


@pytest.mark.parametrize("population_size", [1, 4, 13])
def test_batches_of_any_size_come_down_by_about_as_many_evaluations(population_size):
    losses, states = best_losses(UNIT, lambda x: sphere(x - 0.3), population_size, 1000 // population_size)
    assert (losses.min(axis=1) < 1e-6).all()
    assert (np.array(states.normal.generation) > 50).all()


@pytest.mark.parametrize(("constructor", "population_size"), [(cma_es, 9), (cma_es, 100), (sep_cma_es, 9)])
def test_state_stays_finite_where_nothing_can_be_gained(constructor, population_size):
    """There is a plateau for batches with a low mean, and a point beyond which float32 tells nothing apart."""

    def function(x):
        loss = sphere(x - 0.25)
        return jnp.where(x.sum() > 0.25 * x.size, loss, jnp.maximum(loss, 0.01))

    losses, states = best_losses(UNIT, function, population_size, 1000, num_seeds=4, constructor=constructor)
    assert losses.min() < 1e-10
    assert all(np.isfinite(np.array(leaf)).all() for leaf in jax.tree.leaves(states.normal))


def test_a_mixed_space_is_solved_in_every_kind_of_choice():
    def loss(genotypes):
        integer, category, real, log, _ = genotypes.T
        return (integer - 4.0) ** 2 + 3.0 * (category != 2.0) + (real - 0.7) ** 2 + (jnp.log10(log) + 3.0) ** 2

    losses, _ = best_losses(MIXED, loss, 10, 80, num_seeds=10)
    assert (losses.min(axis=1) < 1e-4).sum() >= 9


def test_discrete_coordinates_that_have_settled_still_move_when_told_to():
    space = Space((Integer(0, 20), Continuous(-1.0, 1.0)))
    strategy = cma_es(space, population_size=8, num_objectives=1, capacity=1)
    state, step = strategy.init(jax.random.key(0)), jax.jit(strategy.ask)
    means = []
    for generation in range(160):  # first the best integer is 5, then 6
        genotypes, state = step(jax.random.key(generation), state)
        losses = (genotypes[:, 0] - (5.0 if generation < 80 else 6.0)) ** 2 + genotypes[:, 1] ** 2
        state = strategy.tell(state, genotypes, losses[:, None], jnp.zeros(8))
        means.append(float(decode(space, state.normal.mean[None])[0, 0]))
    assert means[79] == 5.0 and means[159] == 6.0


def test_a_small_categorical_space_is_searched_better_than_at_random():
    space = discrete_space((4,) * 6, (False,) * 6)
    weights = jax.random.uniform(jax.random.key(5), (6, 4))
    function = lambda g: -weights[jnp.arange(6)[None], g].sum(axis=1)  # noqa: E731
    losses, _ = best_losses(space, function, 8, 6, num_seeds=40)
    everything = -np.sort(-np.array(weights).T.reshape(4, 6), axis=0)
    drawn = jax.random.randint(jax.random.key(6), (4000, 48, 6), 0, 4)
    random = np.array(weights)[np.arange(6), np.array(drawn)].sum(axis=-1).max(axis=1).mean()
    optimum = everything[0].sum()
    assert -losses.min(axis=1).mean() > random + 0.5 * (optimum - random)  # half of what random search leaves


def test_a_warm_start_moves_the_mean_to_the_best_feasible_row():
    strategy = cma_es(UNIT, population_size=9, num_objectives=1, capacity=100)
    known = sample_uniform(jax.random.key(1), UNIT, 14)
    losses, violations = jnp.arange(14.0)[:, None], jnp.where(jnp.arange(14) < 3, 1.0, 0.0)
    tell = jax.jit(strategy.tell)
    for parts in ((14,), (2, 2, 10), (10, 4)):
        state = strategy.init(jax.random.key(0))
        for start, end in zip(np.cumsum((0, *parts)), np.cumsum(parts), strict=False):
            state = tell(state, known[start:end], losses[start:end], violations[start:end])
        assert np.allclose(decode(UNIT, state.normal.mean[None])[0], known[3], atol=1e-6), parts


@pytest.mark.parametrize("population_size", [3, 9])
def test_the_order_of_the_rows_changes_only_the_rounding(population_size):
    strategy = cma_es(UNIT, population_size=population_size, num_objectives=1, capacity=100)
    _, state = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)))
    rows = sample_uniform(jax.random.key(2), UNIT, 12)
    order = jax.random.permutation(jax.random.key(3), 12)
    first, second = (strategy.tell(state, g, sphere(g)[:, None], jnp.zeros(12)) for g in (rows, rows[order]))
    assert (first.normal.generation == 1).all()
    for a, b in zip(jax.tree.leaves(first.normal), jax.tree.leaves(second.normal), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_failed_rows_teach_nothing():
    strategy = cma_es(UNIT, population_size=12, num_objectives=1, capacity=100)
    asked, state = strategy.ask(jax.random.key(1), strategy.init(jax.random.key(0)))
    losses = sphere(asked)[:, None]
    with_failed = strategy.tell(state, asked, losses.at[:3].set(jnp.nan), jnp.zeros(12)).normal
    without = strategy.tell(state, asked[3:], losses[3:], jnp.zeros(9)).normal
    for a, b in zip(jax.tree.leaves(with_failed), jax.tree.leaves(without), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_encoding_and_decoding_are_inverse_on_every_kind_of_choice():
    genotypes = sample_uniform(jax.random.key(0), MIXED, 64)
    points = encode(MIXED, genotypes)
    assert points.shape == (64, 1 + 3 + 1 + 1 + 1)
    np.testing.assert_allclose(decode(MIXED, points), genotypes, rtol=1e-5)
    np.testing.assert_allclose(decode(MIXED, jnp.array(encoded_centre(MIXED))[None])[0, :4], [1, 0, 0, 1e-2], rtol=1e-5)


def test_numbers_near_zero_keep_their_precision():
    genotypes = jnp.array([[1e-20] * 10, [3e-9] * 10])
    np.testing.assert_allclose(decode(BOX, encode(BOX, genotypes)), genotypes, rtol=1e-6)


def test_reflected_points_lie_inside_and_inside_points_stay():
    points = jax.random.normal(jax.random.key(0), (256, 6)) * 2.0
    inside, outside = reflect(UNIT, points)
    assert outside.any() and not outside.all()
    assert ((inside >= 0) & (inside <= 1)).all()
    assert (jnp.where(outside, 0.0, inside) == jnp.where(outside, 0.0, points)).all()


@pytest.mark.parametrize(("choice", "settled"), [(Integer(0, 9), 4), (Categorical(2), 1)])
def test_smallest_deviations_leave_the_given_chance_of_another_value(choice, settled):
    space = Space((choice,))
    deviation = smallest_deviations(space, chance=0.02)
    mean = encode(space, jnp.array([[settled]]))
    samples = mean + deviation[None] * jax.random.normal(jax.random.key(0), (40_000, deviation.size))
    share = float((decode(space, samples) != settled).mean())
    assert abs(share - 0.02) < 0.004  # 5 standard errors


def test_every_sample_is_standard_normal_by_itself():
    rows = np.array(jax.vmap(lambda key: draw_round(key, 5, 3))(jax.random.split(jax.random.key(0), 20_000)))
    for row in range(5):
        np.testing.assert_allclose(rows[:, row].mean(axis=0), 0.0, atol=0.04)
        np.testing.assert_allclose(np.cov(rows[:, row].T), np.eye(3), atol=0.06)
        np.testing.assert_allclose((rows[:, row] ** 4).mean(axis=0), 3.0, atol=0.25)


def test_weights_follow_the_number_of_real_rows():
    padded, exact = learning_rates(20, jnp.int32(12), 7), learning_rates(12, 12, 7)
    np.testing.assert_allclose(padded.weights[:12], exact.weights, rtol=1e-5)
    assert (padded.weights[12:] == 0).all()
    for a, b in zip(padded[1:], exact[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_diagonal_and_full_covariance_agree_in_one_dimension():
    none, changed = np.zeros(1, np.float32), jax.jit(update, static_argnums=0)
    full, diagonal = (initial_normal(kind, none, 0.3, none) for kind in (FULL, DIAGONAL))
    for seed in range(5):
        samples = draw_round(jax.random.key(seed), 6, 1)
        order = jnp.argsort(jnp.abs(samples[:, 0] - 1.0))
        full = changed(FULL, full, place(FULL, full, samples)[order], jnp.int32(6), none)
        diagonal = changed(DIAGONAL, diagonal, place(DIAGONAL, diagonal, samples)[order], jnp.int32(6), none)
    for a, b in zip(full, diagonal, strict=True):
        np.testing.assert_allclose(np.ravel(a), np.ravel(b), rtol=1e-4)


def test_covariance_is_that_of_the_formula():
    """The update of the factor agrees with the update of the matrix in double precision."""
    generator = np.random.default_rng(0)
    factor = np.tril(generator.standard_normal((5, 5))) + 3 * np.eye(5)
    rows, weights = generator.standard_normal((9, 5)), generator.uniform(-0.02, 0.1, 9)
    steps = rows @ factor.T
    expected = 0.8 * factor @ factor.T + (steps * weights[:, None]).T @ steps
    adapted = np.array(FULL.adapt(*(jnp.array(part, jnp.float32) for part in (factor, 0.8, weights, rows))))
    np.testing.assert_allclose(adapted @ adapted.T, expected, rtol=1e-4, atol=1e-4)
    assert (np.triu(adapted, 1) == 0).all()
    np.testing.assert_allclose(
        FULL.whiten(jnp.array(factor, jnp.float32), jnp.array(steps, jnp.float32)), rows, atol=1e-4
    )


@pytest.mark.parametrize("constructor", [cma_es, sep_cma_es])
def test_runs_together_agree_with_runs_alone_bit_for_bit_on_real_numbers(constructor):
    strategy = constructor(UNIT, population_size=9, num_objectives=1, capacity=1)

    def run(key):
        def generation(state, key):
            genotypes, state = strategy.ask(key, state)
            return strategy.tell(state, genotypes, sphere(genotypes)[:, None], jnp.zeros(9)), None

        return jax.lax.scan(generation, strategy.init(key), jax.random.split(key, 30))[0].normal

    keys = jax.random.split(jax.random.key(0), 3)
    together, alone = jax.jit(jax.vmap(run))(keys), [jax.jit(run)(key) for key in keys]
    for leaves in zip(jax.tree.leaves(together), *map(jax.tree.leaves, alone), strict=True):
        np.testing.assert_array_equal(leaves[0], np.stack(leaves[1:]))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"initial_step": 0.0}, "share of each range"),
        ({"initial_mean": (0.5,)}, "6 entries"),
        ({"initial_mean": (2.0,) * 6}, "nearest is"),
    ],
)
def test_wrong_starts_are_refused_with_the_fix(setting, message):
    with pytest.raises(ValueError, match=message):
        functools.partial(cma_es, UNIT, population_size=9, num_objectives=1, capacity=9)(**setting)
