"""What counts as better, and which candidates go on."""

import math

import numpy as np
import pytest

from metagen_jax.automl import objectives
from metagen_jax.automl.candidate import FAILED, TRAINED, Candidate, Score
from metagen_jax.spec import Objective
from metagen_jax.synth.architecture import Blueprint

LOSS, PARAMS = Objective("validation_loss", "minimize"), Objective("params", "minimize")
ACCURACY = Objective("validation_accuracy", "maximize")


def candidate(number: int, loss: float, params: int, accuracy: float = 0.5, status: str = TRAINED) -> Candidate:
    scores = [Score(10, {"loss": loss, "accuracy": accuracy})] if status == TRAINED else []
    return Candidate(
        number, 1, np.zeros(3, np.int32), Blueprint("vit", {}, {}, {}), {"params": params}, status, "", [], scores
    )


@pytest.fixture
def pool() -> list[Candidate]:
    return [
        candidate(0, 0.5, 900, 0.9),
        candidate(1, 0.4, 2000, 0.8),
        candidate(2, 0.6, 1000, 0.99),  # worse than 0 in both
        candidate(3, 0.9, 100, 0.1),
        candidate(4, 0.0, 1, status=FAILED),
    ]


def test_a_maximized_metric_becomes_a_loss_once(pool: list[Candidate]):
    table = objectives.losses(pool, [ACCURACY, PARAMS])
    assert table[:4, 0].tolist() == pytest.approx([-0.9, -0.8, -0.99, -0.1])
    assert objectives.value(pool[2], "validation_accuracy") == 0.99


def test_a_failed_candidate_has_no_losses_at_all(pool: list[Candidate]):
    assert np.isnan(objectives.losses(pool, [LOSS, PARAMS])[4]).all()
    assert math.isnan(objectives.value(pool[4], "validation_loss"))


def test_the_front_is_sorted_by_the_first_objective(pool: list[Candidate]):
    assert [c.number for c in objectives.front(pool, [LOSS, PARAMS])] == [1, 0, 3]
    assert [c.number for c in objectives.front(pool, [ACCURACY])] == [2]


@pytest.mark.parametrize(
    ("count", "numbers"), [(1, [1]), (2, [1, 0]), (3, [1, 0, 3]), (4, [1, 0, 3, 2]), (9, [1, 0, 3, 2])]
)
def test_finalists_come_from_the_front_first(pool: list[Candidate], count: int, numbers: list[int]):
    assert [c.number for c in objectives.finalists(pool, [LOSS, PARAMS], count)] == numbers


def test_equal_candidates_are_sorted_by_their_number():
    twins = [candidate(1, 0.5, 10), candidate(0, 0.5, 10)]
    assert [twins[i].number for i in objectives.best_first(twins, [LOSS])] == [0, 1]
