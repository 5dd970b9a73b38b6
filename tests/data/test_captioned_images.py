"""Images with texts: the emoji that ship with the package, and the user's own in a table."""

import io

import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import (
    SPLITS,
    CaptionedImageDataset,
    CaptionedImageSplit,
    DescribedImageDataset,
    caption_bits_per_character,
    chance_recall,
    decode_padded,
    describe,
    load_dataset,
    nearest_colours_recall,
    save_npz,
)
from metagen_jax.data.characters import encode_padded
from metagen_jax.errors import DataError, SpecError
from metagen_jax.spec import load_spec

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


def captions(train: list[str], validation: list[str], length: int = 4) -> CaptionedImageDataset:
    vocabulary = " abc"
    splits = {
        split: CaptionedImageSplit(np.zeros((len(rows), 2, 2, 1), np.uint8), encode_padded(rows, vocabulary, length))
        for split, rows in (("train", train), ("validation", validation), ("test", validation))
    }
    return CaptionedImageDataset("captions", vocabulary, **splits)


def test_counts_of_characters_agree_with_their_formula():
    dataset = captions(["ab", "abca", "b"], ["ab", "cccc"])
    single = {
        "a": (3 + 1) / 15,
        "b": (3 + 1) / 15,
        "c": (1 + 1) / 15,
        "": (2 + 1) / 15,
    }  # of 9 and 6 tokens, each once more
    expected = [single["a"] * single["b"] * single[""], single["c"] ** 4]
    bits = np.mean([-np.log2(expected[0]) / 3, -np.log2(expected[1]) / 4])
    assert caption_bits_per_character(dataset, 0) == pytest.approx(bits, rel=1e-12)

    def after(times: int, total: int, shorter: float) -> float:
        return (times + 10 * shorter) / (total + 10)

    expected = [
        after(2, 3, single["a"]) * after(2, 2, single["b"]) * after(2, 3, single[""]),
        after(0, 3, single["c"]) * after(0, 1, single["c"]) ** 3,
    ]
    bits = np.mean([-np.log2(expected[0]) / 3, -np.log2(expected[1]) / 4])
    assert caption_bits_per_character(dataset, 1) == pytest.approx(bits, rel=1e-12)


def test_longer_counts_know_what_shorter_ones_do_not():
    dataset = captions(["aabb", "abab"] * 200, ["aabb"])
    two, three = caption_bits_per_character(dataset, 1), caption_bits_per_character(dataset, 2)
    assert 0.2 < three < 0.8 * two


def test_images_whose_texts_are_to_be_found_are_read_like_pairs(table, caption_spec, tmp_path):
    pairs = load_dataset(caption_spec("path: own.csv"))
    wanted = "name: test\nmodality: {inputs: [image], outputs: [text]}\ntask: {type: captioning}\n"
    limits = "constraints: {context_window: 16}\n"
    (tmp_path / "captions.yaml").write_text(f"{wanted}{limits}data: {{path: own.csv}}\n")
    described = load_dataset(load_spec(tmp_path / "captions.yaml"))
    assert isinstance(described, DescribedImageDataset)
    for split in SPLITS:
        assert (getattr(described, split).tokens == getattr(pairs, split).tokens).all()
    (tmp_path / "mixed.yaml").write_text(
        f"{wanted}{limits}data: {{path: own.csv}}\ntraining: {{augmentation: shift_and_words}}\n"
    )
    with pytest.raises(SpecError, match="these are to be learnt as they are"):
        load_spec(tmp_path / "mixed.yaml")
