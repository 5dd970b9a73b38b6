"""Genotypes are moved into the limits, and no further than the limits ask for."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import STRATEGIES, Categorical, Continuous, Integer, Space, repair, was_repaired
from metagen_jax.search.sampling import Origin, draw_unseen, sample_uniform
from metagen_jax.search.seen import nothing_seen
from metagen_jax.search.space import violation_of

NUM_ROWS = 200


def small_sum(genotypes: jax.Array) -> jax.Array:
    """Feasible where the sum is at most 9: one genotype of 8,000 of `DISCRETE`, about."""
    return (genotypes.sum(axis=1) - 9).astype(jnp.float32) / 9


def kept_by_few(genotypes: jax.Array) -> jax.Array:
    return jnp.maximum(genotypes[:, 1] - 0.01, jnp.where(genotypes[:, 0] == 2.0, 0.0, 1.0) + genotypes[:, 2] - 3.0)


DISCRETE = Space((Integer(0, 19),) * 5, small_sum)
MIXED = Space((Categorical(6), Continuous(1e-4, 1.0, log=True), Integer(1, 9)), kept_by_few)
REPAIR = jax.jit(repair, static_argnums=1)
DRAW = jax.jit(draw_unseen, static_argnums=(1, 2), static_argnames="num_bred")


@pytest.fixture(params=[DISCRETE, MIXED], ids=["discrete", "mixed"])
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


def test_rows_arrive_and_those_that_were_inside_stay_as_they_are(space: Space):
    drawn = sample_uniform(jax.random.key(0), space, NUM_ROWS)
    arrived = REPAIR(jax.random.key(1), space, drawn).genotypes
    mixed = jnp.concatenate([drawn, arrived])
    repaired = REPAIR(jax.random.key(2), space, mixed)
    before = violation_of(space, mixed)
    assert 0 < repaired.was_feasible.sum() < len(mixed)
    assert (repaired.was_feasible == (before <= 0)).all()
    assert (repaired.violations <= 0).mean() > 0.9  # of the drawn ones one in eighteen needs more steps
    assert (repaired.violations <= before).all()
    assert (repaired.violations == violation_of(space, repaired.genotypes)).all()
    assert (repaired.genotypes == mixed)[repaired.was_feasible].all()


def test_repair_depends_on_its_key_alone(space: Space):
    drawn = sample_uniform(jax.random.key(0), space, 20)
    first, again, other = (REPAIR(jax.random.key(seed), space, drawn).genotypes for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (repair(jax.random.key(1), space, drawn).genotypes == first).all()  # not compiled as a whole


def test_rows_that_go_on_after_they_arrive_are_spread_over_the_feasible_set():
    drawn = sample_uniform(jax.random.key(0), DISCRETE, 2000)
    stopped, walked = (
        REPAIR(jax.random.key(1), DISCRETE, drawn, wanders=wanders).genotypes.sum(axis=1) for wanders in (False, True)
    )
    feasible = np.array([np.sum(row) for row in np.ndindex(*(10,) * 5) if sum(row) <= 9])
    assert abs(float(walked.mean()) - feasible.mean()) < 0.3  # of 7.5; the standard error of 2,000 draws is 0.03
    assert float(stopped.mean()) > feasible.mean() + 0.3  # at the edge


def test_where_the_limit_is_nan_rows_walk_until_it_is_not():
    def known_in_a_corner(genotypes: jax.Array) -> jax.Array:
        total = genotypes.sum(axis=1).astype(jnp.float32)
        return jnp.where(total > 40, jnp.nan, total - 20.0)

    space = Space((Integer(0, 19),) * 5, known_in_a_corner)
    start = jnp.full((50, 5), 10, jnp.int32)
    repaired = REPAIR(jax.random.key(0), space, start)
    assert (repaired.violations <= 0).mean() > 0.5  # a walk without a direction may take longer than the repair
    nowhere = Space((Integer(0, 19),) * 5, lambda genotypes: jnp.full(genotypes.shape[0], jnp.nan))
    assert jnp.isinf(REPAIR(jax.random.key(0), nowhere, start).violations).all()


def test_what_is_bred_is_repaired_close_by():
    bred = jnp.full((4, 5), 3, jnp.int32).at[:, 0].set(jnp.arange(4))
    drawn = DRAW(jax.random.key(0), DISCRETE, 4, nothing_seen(1), preferred=bred, num_bred=4)
    assert drawn.good.all()
    assert (drawn.origin == Origin.BRED_AND_REPAIRED).all()
    assert drawn.repaired.all()
    distances = abs(drawn.genotypes[:, None] - bred[None]).sum(axis=-1).min(axis=1)
    assert (distances <= 12).all()  # the sums are 3 to 6 above 9; a uniform draw is 40 away


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_proposes_feasible_candidates_and_says_which_were_repaired(name: str):
    space = Space((Integer(0, 19),) * 7, small_sum)  # one of 110,000 keeps it, so draws hardly ever do
    strategy = STRATEGIES[name](space, population_size=8, num_objectives=1, capacity=16)
    ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
    state = strategy.init(jax.random.key(0))
    num_repaired = 0
    for number in (1, 2):
        genotypes, state = ask(jax.random.key(number), state)
        violations = violation_of(space, genotypes)
        assert (violations <= 0).all()
        num_repaired += int(was_repaired(space, state, genotypes).sum())
        state = tell(state, genotypes, genotypes.sum(axis=1, keepdims=True).astype(jnp.float32), violations)
    assert num_repaired > 0


def test_rows_that_are_moved_in_chunks_arrive_as_well(space: Space, monkeypatch: pytest.MonkeyPatch):
    drawn = sample_uniform(jax.random.key(1), space, 1500)
    wanders = jnp.arange(1500) % 20 == 0  # on and on, after the others have arrived
    in_chunks = repair(jax.random.key(2), space, drawn, wanders=wanders)
    monkeypatch.setattr(importlib.import_module("metagen_jax.search.repair"), "CHUNK", 10**9)
    at_once = repair(jax.random.key(2), space, drawn, wanders=wanders)
    np.testing.assert_array_equal(in_chunks.was_feasible, at_once.was_feasible)
    np.testing.assert_array_equal(in_chunks.violations, violation_of(space, in_chunks.genotypes))
    stays = np.asarray(at_once.was_feasible)
    np.testing.assert_array_equal(in_chunks.genotypes[stays], drawn[stays])
    arrived = [float((of.violations <= 0).mean()) for of in (in_chunks, at_once)]
    assert abs(arrived[0] - arrived[1]) < 0.01
