"""Silent broadcasting is an error in these tests."""

import jax
import pytest


@pytest.fixture(autouse=True)
def refuse_rank_promotion():
    with jax.numpy_rank_promotion("raise"):
        yield
