"""The datasets that ship with the package."""

import hashlib
import re

import numpy as np
import pytest

from metagen_jax.data import SPLITS, decode, describe, load_dataset, sha256
from metagen_jax.data.sources.embedded import EMBEDDED, FOLDER
from metagen_jax.spec.schema import EMBEDDED_SOURCES

SIZES = {"digits": (1197, 300, 300), "mnist5k": (4000, 500, 500)}
SIDES = {"digits": 8, "mnist5k": 28}


@pytest.fixture(scope="module")
def kjv():
    from metagen_jax.data.sources import DataRequest, read_embedded

    return read_embedded(DataRequest("kjv"))


@pytest.mark.parametrize("file", [file for file, _ in EMBEDDED.values()])
def test_readme_states_the_sha256_and_size_of_every_file(file):
    row = re.search(rf"`{re.escape(file)}` \| ([\d,]+) \| `(\w+)`", (FOLDER / "README.md").read_text())
    content = (FOLDER / file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == row[2]
    assert len(content) == int(row[1].replace(",", ""))


def test_the_spec_language_knows_exactly_the_sets_that_ship():
    assert set(EMBEDDED_SOURCES) == set(EMBEDDED)


@pytest.mark.parametrize("name", SIZES)
def test_image_splits_are_stratified_and_share_no_image(name, image_spec):
    dataset = load_dataset(image_spec(f"source: {name}", 10))
    assert dataset.name == name and dataset.class_names == tuple("0123456789")
    splits = [getattr(dataset, split) for split in SPLITS]
    assert tuple(map(len, splits)) == SIZES[name]
    assert all(s.images.shape[1:] == (SIDES[name], SIDES[name], 1) and s.images.dtype == np.uint8 for s in splits)
    assert all(s.labels.dtype == np.int32 and s.images.max() == 255 for s in splits)
    for split in splits[1:]:
        assert (np.bincount(split.labels) == len(split) // 10).all()
    images = np.concatenate([split.images for split in splits])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == sum(SIZES[name])


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("split", SPLITS)
def test_the_beginning_of_a_split_is_like_the_whole(name, split, image_spec):
    labels = getattr(load_dataset(image_spec(f"source: {name}", 10)), split).labels
    counts = np.bincount(labels[:100], minlength=10)
    expected = 100 * np.bincount(labels) / len(labels)
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-squared, 9 degrees of freedom: one in a thousand


def test_text_splits_share_no_chapter_and_both_testaments_are_in_each(kjv):
    texts = {split: decode(getattr(kjv, split), kjv.vocabulary) for split in SPLITS}
    chapters = {split: text.removesuffix("\n").split("\n\n") for split, text in texts.items()}
    assert [len(chapters[split]) for split in SPLITS] == [1074, 60, 55]
    assert len({chapter for split in SPLITS for chapter in chapters[split]}) == 1189
    assert all(re.search("Moses", text) and re.search("Jesus Christ", text) for text in texts.values())


def test_no_line_of_the_validation_text_was_seen_in_training(kjv):
    seen = set(decode(kjv.train, kjv.vocabulary).split("\n")) - {""}
    assert seen.isdisjoint(decode(kjv.validation, kjv.vocabulary).split("\n"))


def test_text_is_clean_ascii(kjv):
    text = decode(kjv.train, kjv.vocabulary)
    assert kjv.vocabulary.isascii() and not re.search(r"\d|  | \n", text)
    assert text.startswith("The First Book of Moses, called Genesis\nIn the beginning God created")


def test_max_examples_shortens_training_only(image_spec, text_spec):
    images = load_dataset(image_spec("source: digits, max_examples: 100", 10))
    assert (len(images.train), len(images.validation), len(images.test)) == (100, 300, 300)
    text = load_dataset(text_spec("source: kjv, max_examples: 1000"))
    assert (len(text.train), len(text.validation)) == (1000, 221395)


def test_sha256_tells_data_apart_and_stays(image_spec):
    whole, again = (load_dataset(image_spec("source: digits", 10)) for _ in range(2))
    part = load_dataset(image_spec("source: digits, max_examples: 100", 10))
    assert sha256(whole) == sha256(again) != sha256(part)


def test_describe_names_sizes_classes_and_licence(image_spec):
    text = "\n".join(describe(load_dataset(image_spec("source: mnist5k", 10))))
    for part in ("28 x 28", "train 4,000, validation 500, test 500", "10 classes: 0, 1, 2", "CC BY-SA 3.0"):
        assert part in text
