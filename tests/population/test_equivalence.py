"""A population computes what each of its members computes alone."""

import jax
import numpy as np
import pytest

from metagen_jax.synth import named_axes
from tests.population.conftest import Trained, train_alone

WEIGHT_TOLERANCE = 2e-5  # AdamW divides by the root of tiny second moments, so weights differ more than losses do


@pytest.mark.parametrize("member", [0, *(pytest.param(member, marks=pytest.mark.slow) for member in (1, 2))])
def test_a_member_trained_alone_with_the_plain_source_has_the_same_losses_and_weights(trained: Trained, member: int):
    job = trained.jobs[member]
    losses, weights = train_alone(trained, job)
    moved = max(np.abs(value - job.weights[path]).max() for path, value in weights.items())
    assert moved > 100 * WEIGHT_TOLERANCE  # it was trained, so that the rest is not vacuous
    np.testing.assert_allclose(trained.losses[:, member], losses, rtol=1e-5)
    assert weights.keys() == trained.weights[member].keys()
    for path, value in weights.items():
        np.testing.assert_allclose(trained.weights[member][path], value, atol=WEIGHT_TOLERANCE, err_msg=str(path))


def test_the_members_are_of_different_sizes_and_learn_differently(trained: Trained):
    assert len({tuple(job.sizes.items()) for job in trained.jobs}) > 1
    assert len({float(loss) for loss in trained.losses[-1]}) == len(trained.jobs)


def test_padding_stays_exactly_zero(trained: Trained):
    params = jax.vmap(trained.program.layout.unpack)(trained.population.params)
    padded = 0
    for leaf, values in zip(trained.program.leaves, params, strict=True):
        real = np.asarray(jax.vmap(lambda sizes, leaf=leaf: named_axes.mask(leaf, sizes))(trained.population.sizes))
        outside = np.asarray(values)[~real]
        padded += outside.size
        assert not outside.any(), leaf.path
    assert padded > 1000  # there was padding to check


def test_exported_logits_equal_those_in_the_population(trained: Trained):
    scores = trained.program.score(trained.population, trained.validation, 8)
    for member, job in enumerate(trained.jobs):
        model = trained.structure.apply(job.sizes, trained.weights[member])
        own = jax.jit(lambda *v, model=model: trained.module.score_fn(model, *v))(*trained.validation)
        assert scores.keys() == own.keys()
        for name, values in own.items():
            np.testing.assert_allclose(scores[name][member], np.mean(values), rtol=1e-5, err_msg=name)
    inputs = trained.inputs(8)
    logits = trained.program.logits(trained.population, *inputs)
    for member, job in enumerate(trained.jobs):
        model = trained.structure.apply(job.sizes, trained.weights[member])
        np.testing.assert_allclose(logits[member], jax.jit(model)(*inputs), atol=1e-5)


def test_parameters_are_counted_exactly(trained: Trained):
    for job in trained.jobs:
        counted = named_axes.param_count(trained.structure.leaves, job.sizes)
        assert counted == sum(value.size for value in job.weights.values())


def test_initial_weights_have_the_scale_of_the_true_fan_in(trained: Trained):
    for job in trained.jobs:
        for leaf in trained.structure.leaves:
            if leaf.fan_in and leaf.path in job.weights and job.weights[leaf.path].size > 100:
                lengths = dict(zip(leaf.axes, leaf.lengths(job.sizes), strict=True))
                fan_in = np.prod([lengths[axis] for axis in leaf.fan_in])
                assert 0.7 < job.weights[leaf.path].std() * np.sqrt(fan_in) < 1.3, leaf.path
