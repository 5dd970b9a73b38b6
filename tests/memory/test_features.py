"""Features are what their names say."""

import math

import numpy as np
import pytest

from metagen_jax.memory import features_of
from metagen_jax.spec import load_spec
from tests.runs import ROOT


def test_of_images_with_labels():
    images = np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1)
    labels = np.array([0, 0, 1, 1, 3, 3], np.int32)
    spec = load_spec(ROOT / "specs" / "image_digits_demo.yaml", ("constraints.parameter_budget={max: 20000}",))
    features = features_of(spec, (images, labels))
    assert features["log_examples"] == pytest.approx(math.log(6))
    assert features["log_values_per_example"] == pytest.approx(math.log(16))
    assert features["num_axes"] == 3
    assert features["log_classes"] == pytest.approx(math.log(3))  # those that there are
    assert features["label_entropy"] == pytest.approx(math.log(3))
    assert features["input_mean"] == pytest.approx(0.5)
    assert features["input_entropy"] == pytest.approx(math.log(96))
    assert features["log_max_params"] == pytest.approx(math.log(20000))
    assert "log_latency_ms" not in features  # no limit, no number


def test_of_a_text_that_is_one_row_of_tokens():
    tokens = np.array([1, 2, 1, 2], np.uint8)
    features = features_of(load_spec(ROOT / "specs" / "text_char_lm.yaml"), (tokens,))
    assert features["num_axes"] == 0
    assert features["log_values_per_example"] == 0
    assert features["log_different_values"] == pytest.approx(math.log(2))
    assert "label_entropy" not in features


def test_they_are_finite_whatever_the_input():
    images = np.zeros((2, 4, 4, 1), np.uint8)
    features = features_of(load_spec(ROOT / "specs" / "image_digits_demo.yaml"), (images, np.zeros(2, np.int32)))
    assert all(math.isfinite(value) for value in features.values())
