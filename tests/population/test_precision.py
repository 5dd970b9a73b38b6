"""A population whose products are in bfloat16 computes what its members do alone, but for the rounding of bfloat16."""

import numpy as np
import pytest

from metagen_jax.population.devices import population_mesh
from metagen_jax.population.modes import VMAP
from metagen_jax.population.program import Program
from tests.population import test_equivalence
from tests.population.conftest import NUM_STEPS, Trained, train_alone, train_family
from tests.short import in_short

# Half of the distance between neighbours in bfloat16, relative. The sums inside of a product are float32 and are added
# up in another order at another size; where one falls on the other side of the middle between two neighbours, it is
# rounded to the other of them. Few do and they go either way, so a loss, which is a mean over a batch, moves by no more
# than the rounding of one number: 0.05 to 0.17 % were measured, 0.0001 % in float32.
LOSS_TOLERANCE = 2**-8


@pytest.fixture(scope="module", params=in_short(["vit", "cnn", "decoder_transformer"], ["cnn"]))
def mixed(request: pytest.FixtureRequest) -> Trained:
    return train_family(request.param, "training.precision=bfloat16")


@pytest.mark.parametrize("member", [0, 1])
def test_a_member_trained_alone_with_the_plain_source_has_the_same_losses_but_for_rounding(mixed: Trained, member: int):
    losses, weights = train_alone(mixed, mixed.jobs[member])
    assert np.isfinite(losses).all()
    assert np.ptp(losses) > 10 * LOSS_TOLERANCE  # so that the rest is not vacuous
    np.testing.assert_allclose(mixed.losses[:, member], losses, rtol=LOSS_TOLERANCE)
    assert weights.keys() == mixed.weights[member].keys()
    assert {value.dtype for value in mixed.weights[member].values()} == {np.dtype("float32")}


def test_side_by_side_computes_what_one_after_the_other_does_but_for_rounding(mixed: Trained):
    program = Program(mixed.structure, mixed.program.allocated, len(mixed.jobs), population_mesh(1), VMAP)
    _, losses = mixed.train(program, mixed.jobs)
    np.testing.assert_allclose(losses[:, : len(mixed.jobs)], mixed.losses, rtol=LOSS_TOLERANCE)


def test_padding_stays_exactly_zero(mixed: Trained):
    test_equivalence.test_padding_stays_exactly_zero(mixed)


def test_losses_stay_near_those_of_float32_and_are_not_the_same(mixed: Trained, request: pytest.FixtureRequest):
    plain = train_family(request.node.callspec.params["mixed"])
    for job, twin in zip(mixed.jobs, plain.jobs, strict=True):
        assert all((job.weights[path] == value).all() for path, value in twin.weights.items())
    assert mixed.losses.shape == (NUM_STEPS, len(mixed.jobs))
    assert (mixed.losses != plain.losses).mean() > 0.9
    np.testing.assert_allclose(mixed.losses, plain.losses, rtol=4 * LOSS_TOLERANCE)  # early errors grow for 30 steps
