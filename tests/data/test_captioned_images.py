"""Images with texts: the emoji that ship with the package, and the user's own in a table."""

import io

import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import (
    SPLITS,
    CaptionedImageDataset,
    CaptionedImageSplit,
    chance_recall,
    decode_padded,
    describe,
    load_dataset,
    nearest_colours_recall,
    save_npz,
)
from metagen_jax.data.characters import encode_padded
from metagen_jax.errors import DataError

COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


@pytest.fixture
def table(tmp_path):
    """Ten pictures in a folder, the first of them with two texts."""
    (tmp_path / "pictures").mkdir()
    lines = ["image,text,by", "pictures/0.png,a second text,me"]
    for i in range(10):
        name, colour = list(COLOURS.items())[i % 3]
        Image.new("RGB", (8, 8), colour).save(tmp_path / "pictures" / f"{i}.png")
        lines.append(f'pictures/{i}.png,"{name},\tno {i}",me')
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "own.csv"


def texts(dataset, split):
    return [decode_padded(row, dataset.vocabulary) for row in getattr(dataset, split).tokens]


def test_rows_become_pairs_and_all_rows_of_an_image_are_in_one_split(table, caption_spec):
    dataset = load_dataset(caption_spec("path: own.csv"))
    assert sum(len(getattr(dataset, split)) for split in SPLITS) == 11
    assert [len(set(texts(dataset, split))) for split in ("validation", "test")] == [1, 1]
    both = [split for split in SPLITS if {"a second text", "red, no 0"} & set(texts(dataset, split))]
    assert len(both) == 1
    for split in SPLITS:
        for image, text in zip(getattr(dataset, split).images, texts(dataset, split), strict=True):
            colour = COLOURS["red" if text == "a second text" else text.split(",")[0]]
            assert (image == np.array(colour)).all()
    assert dataset.image_shape == (8, 8, 3)
    assert any("columns passed over: 1, such as by" in line for line in describe(dataset))


def test_a_space_is_the_first_character_whatever_parts_words(table, caption_spec):
    assert load_dataset(caption_spec("path: own.csv")).vocabulary[0] == " "
    for line in table.read_text().splitlines()[1:]:
        assert "  " not in line
    table.write_text(table.read_text().replace(" ", "_").replace("\t", "_"))
    assert load_dataset(caption_spec("path: own.csv")).vocabulary[0] == " "


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pictures/4.png,", "pictures/none.png,", r"own\.csv, line 7: there is no file 'pictures/none\.png'"),
        ("pictures/4.png,", ",", r"own\.csv, line 7: no image"),
        ("a second text", " ", r"own\.csv, line 2: no text"),
        ("image,text", "file,text", r"own\.csv: no column 'image'; found file, text, by"),
        ("image,text", "image,caption", r"own\.csv: no column 'text'"),
    ],
)
def test_what_is_missing_is_named_with_its_line(table, caption_spec, old, new, message):
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        load_dataset(caption_spec("path: own.csv"))


def test_a_broken_picture_and_one_of_another_size_are_named_with_their_line(table, caption_spec):
    content = io.BytesIO()
    Image.new("RGB", (9, 8)).save(content, "PNG")
    (table.parent / "pictures" / "3.png").write_bytes(content.getvalue())
    with pytest.raises(
        DataError, match=r"own\.csv, line \d+: 'pictures/\d\.png' is \d x 8, but .*\n  Set data\.image_size"
    ):
        load_dataset(caption_spec("path: own.csv"))
    assert load_dataset(caption_spec("path: own.csv, image_size: 8")).image_shape == (8, 8, 3)
    (table.parent / "pictures" / "3.png").write_bytes(content.getvalue()[:40])
    with pytest.raises(DataError, match=r"own\.csv, line 6: .*3\.png: cannot be read as a picture"):
        load_dataset(caption_spec("path: own.csv, image_size: 8"))


def test_too_few_images_are_refused(table, caption_spec):
    table.write_text("\n".join(table.read_text().splitlines()[:4]) + "\n")
    with pytest.raises(DataError, match="no images for validation"):
        load_dataset(caption_spec("path: own.csv"))


def test_saved_pairs_read_back(table, caption_spec, tmp_path):
    dataset = load_dataset(caption_spec("path: own.csv"))
    save_npz(dataset, tmp_path / "data.npz")
    with np.load(tmp_path / "data.npz") as arrays:
        assert str(arrays["vocabulary"]) == dataset.vocabulary
        assert (arrays["train_images"] == dataset.train.images).all()
        assert (arrays["test_tokens"] == dataset.test.tokens).all()


def test_emoji_are_on_white_and_share_no_picture_or_name_between_splits(caption_spec):
    dataset = load_dataset(caption_spec("source: emoji", context_window=48))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [1419, 250, 400]
    assert dataset.image_shape == (32, 32, 3)
    assert dataset.train.images[:, 0, 0].mean() > 240
    images = [{image.tobytes() for image in getattr(dataset, split).images} for split in SPLITS]
    names = [{name.lower() for name in texts(dataset, split)} for split in SPLITS]
    for of_splits in (images, names):
        assert not of_splits[0] & of_splits[1] and not of_splits[0] & of_splits[2] and not of_splits[1] & of_splits[2]
    assert any("CC BY-SA 4.0" in line for line in describe(dataset))


def test_words_follow_the_name_and_max_examples_shortens_training_only(caption_spec):
    names = load_dataset(caption_spec("source: emoji", context_window=200))
    words = load_dataset(caption_spec("source: emoji_words, max_examples: 50", context_window=200))
    assert [len(getattr(words, split)) for split in SPLITS] == [50, 250, 400]
    assert texts(words, "train")[0].startswith(texts(names, "train")[0])
    assert (words.test.images == names.test.images).all()


def pairs(shades, words):
    images = np.array(shades, np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    return CaptionedImageSplit(images, encode_padded(words, " abcd", 3))


def test_baselines_of_recall():
    train = pairs([0] * 12 + [255] * 12, ["a c"] * 12 + ["b d"] * 12)
    scored = pairs([0] * 4 + [255] * 4, ["a"] * 4 + ["b"] * 4)
    dataset = CaptionedImageDataset("test", " abcd", train, scored, scored)
    assert chance_recall(dataset, 2) == 0.25
    assert nearest_colours_recall(dataset, 2) == 1.0  # of four that tie, the middle counts
    assert nearest_colours_recall(dataset, 1) == 0.0
