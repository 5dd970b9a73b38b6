"""Splits, baselines, the export: what needs no files to read."""

import dataclasses
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metagen_jax.data import (
    AudioDataset,
    AudioSplit,
    AudioTokenDataset,
    ImageDataset,
    ImageSplit,
    LabelledTextDataset,
    LabelledTextSplit,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
    VideoSplit,
    bigram_bits_per_character,
    lagged_bits_per_token,
    majority_accuracy,
    mean_image_mse,
    naive_bayes_accuracy,
    nearest_clip_accuracy,
    nearest_spectrum_accuracy,
    pca_mse,
    save_npz,
    unigram_bits_per_token,
)
from metagen_jax.data.baselines import TRUSTED
from metagen_jax.data.characters import encode_padded
from metagen_jax.data.splits import split_by_class


def text(train, validation, vocabulary="abcd"):
    train, validation = np.array(train, np.uint8), np.array(validation, np.uint8)
    return TextDataset("test", vocabulary, train, validation, validation[:0])


def labelled(labels):
    labels = np.array(labels, np.int32)
    return ImageSplit(np.zeros((len(labels), 2, 2, 1), np.uint8), labels)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 3), st.integers(0, 3))
def test_split_covers_everything_once_and_holds_out_what_it_is_told(labels, num_validation, num_test):
    parts = split_by_class(np.array(labels), lambda count: (min(num_validation, count // 2), min(num_test, count // 2)))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for wanted, part in zip((num_validation, num_test), parts[1:], strict=True):
        for label in set(labels):
            assert sum(labels[i] == label for i in part) == min(wanted, labels.count(label) // 2)


def sound(train, validation):
    """Three codes in one codebook, and the token that clips start with."""
    rows = [np.array(row, np.uint16) for row in (train, validation, validation)]
    return AudioTokenDataset("test", 8000, 4, np.zeros((1, 3, 2), np.int16), np.zeros((1, 9), np.int16), *rows)


def test_counts_of_tokens_agree_with_their_formulas():
    rng = np.random.default_rng(0)
    train, validation = rng.integers(0, 3, 200).tolist(), rng.integers(0, 4, 50).tolist()  # 3 is never seen in training
    shares = [(train.count(token) + 1) / 204 for token in range(4)]
    dataset = sound(train, validation)
    assert unigram_bits_per_token(dataset) == pytest.approx(-np.mean([np.log2(shares[b]) for b in validation]))
    for lag in (1, 2):
        pairs = list(zip(train, train[lag:], strict=False))
        bits = [
            -np.log2((pairs.count((a, b)) + TRUSTED * shares[b]) / (sum(first == a for first, _ in pairs) + TRUSTED))
            for a, b in zip(validation, validation[lag:], strict=False)
        ]
        assert lagged_bits_per_token(dataset, lag) == pytest.approx(np.mean(bits), rel=1e-12)


def test_what_repeats_after_two_places_is_told_by_the_token_two_places_before():
    dataset = sound([0, 1, 2, 1] * 2000, [0, 1, 2, 1] * 20)
    assert lagged_bits_per_token(dataset, 2) < 0.1 < 0.4 < lagged_bits_per_token(dataset, 1)


def test_bigram_without_counts_is_guessing():
    assert bigram_bits_per_character(text([0], [0, 1, 2, 3, 3, 1])) == pytest.approx(np.log2(4))


def test_bigram_agrees_with_its_formula():
    rng = np.random.default_rng(0)
    train, validation = rng.integers(0, 3, 200), rng.integers(0, 4, 50)  # token 3 is never seen in training
    pairs = list(itertools.pairwise(train))
    bits = [
        -np.log2((pairs.count((a, b)) + 1) / (sum(first == a for first, _ in pairs) + 4))
        for a, b in itertools.pairwise(validation)
    ]
    assert bigram_bits_per_character(text(train, validation)) == pytest.approx(np.mean(bits), rel=1e-12)


def test_bigram_learns_an_alternation():
    assert bigram_bits_per_character(text([0, 1] * 5000, [0, 1] * 50)) < 0.01


def test_majority_is_taken_from_training_and_scored_elsewhere():
    dataset = ImageDataset("test", ("a", "b", "c"), labelled([2, 2, 1]), labelled([1, 1, 1, 2]), labelled([2, 0]))
    assert majority_accuracy(dataset) == 0.25
    assert majority_accuracy(dataset, "test") == 0.5


def test_as_many_components_as_images_vary_in_reconstruct_them_and_fewer_leave_the_rest_of_the_variance():
    rng = np.random.default_rng(0)
    shifts = rng.integers(-20, 21, size=(2, 300, 2))
    directions = np.zeros((2, 16), np.int64)
    directions[0, :4], directions[1, 8:12] = 1, 2  # orthogonal, the second tells more
    train, validation = (100 + shift @ directions for shift in shifts)
    images = [each.reshape(-1, 4, 4, 1).astype(np.uint8) for each in (train, validation, validation[:1])]
    dataset = UnlabelledImageDataset("test", *images)
    assert pca_mse(dataset, 2) == 0
    left = np.mean(((validation - train.mean(0))[:, :4] / 255) ** 2) * 4 / 16
    assert pca_mse(dataset, 1) == pytest.approx(left, rel=0.02)  # 300 images tell the directions nearly
    assert mean_image_mse(dataset) == pytest.approx(np.mean(((validation - train.mean(0)) / 255) ** 2), abs=1e-6)
    assert mean_image_mse(dataset, "test") != mean_image_mse(dataset)


def test_save_npz_writes_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    dataset = ImageDataset("test", ("a", "b"), labelled([0, 1]), labelled([0]), labelled([1]))
    save_npz(dataset, tmp_path / "first.npz")
    monkeypatch.setattr("time.time", lambda: 2e9)
    save_npz(dataset, tmp_path / "second.npz")
    first, second = (tmp_path / "first.npz").read_bytes(), (tmp_path / "second.npz").read_bytes()
    assert first == second
    with np.load(tmp_path / "first.npz", allow_pickle=False) as saved:
        assert saved["class_names"].tolist() == ["a", "b"] and saved["train_labels"].tolist() == [0, 1]


def test_the_data_layer_does_not_import_jax():
    code = "import sys, metagen_jax.data; assert 'jax' not in sys.modules"
    path = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=path, check=True)


def test_naive_bayes_is_that_of_counts_by_hand():
    def encoded(*texts):
        rows = encode_padded([text for text, _ in texts], "ab", 5)
        return LabelledTextSplit(rows, np.array([label for _, label in texts], np.int32))

    train = encoded(("aab", 0), ("ab", 0), ("bba", 1))
    validation = encoded(("ab", 0), ("bb", 1), ("ba", 0), ("ax", 0), ("b", 0))
    dataset = LabelledTextDataset("test", ("x", "y"), "ab", train, validation, validation)
    # With 4 tokens: class 0 has aa 1, ab 2 of 3 pairs and a prior of 2/3, class 1 has bb 1, ba 1 of 2 and 1/3.
    scores = {
        "ab": (2 / 3 * 3 / 19, 1 / 3 * 1 / 18),
        "bb": (2 / 3 * 1 / 19, 1 / 3 * 2 / 18),
        "ba": (2 / 3 * 1 / 19, 1 / 3 * 2 / 18),
        "ax": (2 / 3 * 1 / 19, 1 / 3 * 1 / 18),
        "b": (2 / 3, 1 / 3),
    }
    answers = [int(np.argmax(pair)) for pair in scores.values()]
    assert answers == [0, 1, 1, 0, 0]
    assert naive_bayes_accuracy(dataset) == pytest.approx(np.mean(np.array(answers) == validation.labels))


def test_the_nearest_spectrum_tells_tones_apart_and_is_no_louder_for_loud_ones():
    time, random = np.arange(2000) / 8000, np.random.default_rng(0)

    def clips(count):
        labels = np.arange(count, dtype=np.int32) % 2
        peaks = random.uniform(1000, 20_000, (count, 1))
        tones = np.sin(2 * np.pi * np.array([400, 1600])[labels, None] * time) + random.normal(0, 0.1, (count, 2000))
        return AudioSplit(np.int16(peaks * tones), labels)

    dataset = AudioDataset("test", ("low", "high"), 8000, clips(20), clips(10), clips(10))
    assert nearest_spectrum_accuracy(dataset) == 1
    swapped = dataclasses.replace(dataset.validation, labels=1 - dataset.validation.labels)
    assert nearest_spectrum_accuracy(dataclasses.replace(dataset, validation=swapped)) == 0


def test_the_nearest_mean_clip_tells_where_things_move_to():
    rng = np.random.default_rng(0)

    def clips(count):
        labels = np.tile([0, 2], count).astype(np.int32)
        video = rng.integers(0, 100, (len(labels), 2, 3, 3, 1)).astype(np.uint8)
        video[labels == 0, 1, :, 2] += 100  # to the right at its end
        video[labels == 2, 0, :, 2] += 100  # to the left
        return VideoSplit(video, labels)

    dataset = VideoDataset("test", ("right", "up", "left"), clips(20), clips(10), clips(10))
    assert nearest_clip_accuracy(dataset) == nearest_clip_accuracy(dataset, "test") == 1
