"""The driver: exactly the budget, the same result both ways, and the right best."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metagen_jax.search import batch_size_of, discrete_space, evolution, optimize, pareto_mask

SPACE = discrete_space((8, 8), (True, True), lambda g: 3.0 - g[:, 0])
NUM_EVALUATIONS = 22  # two batches of 8, and one that is cut


@functools.cache
def strategy_for(num_objectives):
    return evolution(SPACE, population_size=8, num_objectives=num_objectives, capacity=64)


def two_losses(genotypes):
    return jnp.stack([genotypes.sum(axis=1), (genotypes[:, 0] - genotypes[:, 1]) ** 2], axis=1)


def one_loss(genotypes):
    return genotypes.sum(axis=1)


def search(num_objectives=1, seed=0, **options):
    evaluate = options.pop("evaluate", one_loss if num_objectives == 1 else two_losses)
    options = {"violation": SPACE.violation, "num_evaluations": NUM_EVALUATIONS, **options}
    return optimize(strategy_for(num_objectives), evaluate, jax.random.key(seed), **options)


@pytest.mark.parametrize("num_objectives", [1, 2])
def test_compiled_and_plain_python_searches_agree_bit_for_bit(num_objectives):
    compiled = search(num_objectives)
    chex.assert_trees_all_equal(compiled, search(num_objectives, jit_evaluate=False))
    chex.assert_trees_all_equal(compiled, search(num_objectives))
    assert compiled.losses.shape == (NUM_EVALUATIONS, num_objectives)


def test_keys_differ_and_vmap_agrees_with_single_searches():
    keys = jax.random.split(jax.random.key(1), 2)
    run = functools.partial(
        optimize, strategy_for(1), one_loss, num_evaluations=NUM_EVALUATIONS, violation=SPACE.violation
    )
    together = jax.vmap(lambda key: run(key=key))(keys)
    assert (together.genotypes[0] != together.genotypes[1]).any()
    chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf[1], together), run(key=keys[1]))


def test_exactly_the_budget_is_evaluated_and_told():
    sizes = []

    def evaluate(genotypes):
        sizes.append(len(genotypes))
        return genotypes.sum(axis=1)

    result = search(evaluate=evaluate, jit_evaluate=False)
    assert sizes == [8, 8, 6] and len(result.genotypes) == NUM_EVALUATIONS


def test_a_second_search_does_not_compile_again():
    traces = []

    def evaluate(genotypes):
        traces.append(1)
        return genotypes.sum(axis=1)

    search(evaluate=evaluate, seed=0)
    first = len(traces)
    search(evaluate=evaluate, seed=1)
    assert first > 0 and len(traces) == first


def test_the_best_is_feasible_finite_and_lowest():
    def evaluate(genotypes):
        losses = genotypes.sum(axis=1).astype(jnp.float32)
        return jnp.where(genotypes[:, 1] == 0, jnp.where(genotypes[:, 0] % 2 == 0, -jnp.inf, jnp.nan), losses)

    result = search(evaluate=evaluate, num_evaluations=64)  # the whole space
    assert result.best_genotype.tolist() == [3, 1] and result.best_loss.tolist() == [4.0]


def test_where_nothing_is_feasible_the_least_violating_is_best_and_the_front_is_empty():
    result = search(violation=lambda genotypes: 1.0 + genotypes[:, 1], num_evaluations=64)
    assert int(result.best_genotype[1]) == 0 and not result.front.any()


def test_where_all_fail_the_best_loss_is_nan():
    result = search(evaluate=lambda genotypes: np.full(len(genotypes), np.nan), jit_evaluate=False)
    assert np.isnan(result.best_loss).all() and not result.front.any()


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_the_front_agrees_with_the_domination_matrix(num_objectives):
    def evaluate(genotypes):
        values = jnp.stack([genotypes[:, 0] * 5 % 7, genotypes[:, 1] * 3 % 8, genotypes.sum(axis=1) % 5], axis=1)
        return jnp.where(genotypes[:, :1] == 5, jnp.nan, values[:, :num_objectives])

    result = search(num_objectives, evaluate=evaluate)
    expected = pareto_mask(result.losses, jnp.ones(NUM_EVALUATIONS, bool), result.violations)
    assert (result.front == expected).all() and 0 < result.front.sum() < NUM_EVALUATIONS


def test_a_search_goes_on_from_its_state_without_repeats():
    first = search(num_evaluations=16)
    second = search(num_evaluations=16, state=first.state, seed=1)
    rows = np.concatenate([first.genotypes, second.genotypes])
    assert len(np.unique(rows, axis=0)) == 32


def test_an_exception_of_the_evaluation_is_not_swallowed():
    def evaluate(genotypes):
        raise ArithmeticError("this candidate does not train")

    with pytest.raises(ArithmeticError, match="does not train"):
        search(evaluate=evaluate, jit_evaluate=False)


@pytest.mark.parametrize("jit_evaluate", [True, False])
def test_losses_of_a_wrong_shape_are_refused_with_the_fix(jit_evaluate):
    with pytest.raises(ValueError, match=r"Return \(8,\), or \(8, M\)"):
        search(evaluate=lambda genotypes: genotypes.sum(), jit_evaluate=jit_evaluate)
    with pytest.raises(ValueError, match="num_evaluations"):
        search(num_evaluations=0)


def test_the_batch_size_is_found_without_computing():
    assert batch_size_of(strategy_for(1)) == 8
