"""The datasets that ship with the package."""

import hashlib
import re

import numpy as np
import pytest

from metagen_jax.data import SPLITS, decode, decode_padded, describe, load_dataset, sha256
from metagen_jax.data.sources import bible
from metagen_jax.data.sources.embedded import EMBEDDED, FOLDER
from metagen_jax.data.sources.moving_digits import DIRECTIONS
from metagen_jax.spec.tasks import EMBEDDED_SOURCES

SIZES = {"digits": (1197, 300, 300), "mnist5k": (4000, 500, 500)}
SIDES = {"digits": 8, "mnist5k": 28}


@pytest.fixture(scope="module")
def kjv():
    from metagen_jax.data.sources import DataRequest, read_embedded

    return read_embedded(DataRequest("kjv"))


@pytest.mark.parametrize("file", [each.file for each in EMBEDDED.values()])
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


@pytest.fixture(scope="module")
def chapters():
    return bible.read_chapters(FOLDER / "kjv.txt.xz")


@pytest.mark.parametrize(
    ("group", "first", "last"),
    [
        ("Law", "In the beginning God created the heaven", "in the sight of all Israel."),
        ("History", "Now after the death of Moses", "speaking peace to all his seed."),
        ("Wisdom", "There was a man in the land of Uz", "upon the mountains of spices."),
        ("Prophets", "The vision of Isaiah the son of Amoz", "smite the earth with a curse."),
        ("Gospels and Acts", "The book of the generation of Jesus Christ", "no man forbidding him."),
        ("Letters", "Paul, a servant of Jesus Christ, called to be an apostle", "Christ be with you all. Amen."),
    ],
)
def test_groups_of_books_begin_and_end_where_their_books_do(chapters, group, first, last):
    texts = [chapter.text for chapter in chapters if chapter.group.name == group]
    assert texts[0].startswith(first)
    assert texts[-1].endswith(last)


def test_every_chapter_belongs_to_a_book_and_no_title_tells_which(chapters):
    assert len(chapters) == sum(sum(group.chapters) for group in bible.BOOK_GROUPS) == 1189
    assert sum(len(group.chapters) for group in bible.BOOK_GROUPS) == 66
    new = [chapter.group.testament == "New Testament" for chapter in chapters]
    assert new == [number >= 929 for number in range(1189)]
    titles = re.compile("Book of Moses, called|According to Saint|The Epistle of Paul")
    assert not any(titles.search(chapter.text) for chapter in chapters)


def test_passages_are_whole_words_of_chapters_of_their_split_and_cover_them(chapters, labelled_text_spec):
    dataset = load_dataset(labelled_text_spec("source: kjv_book_groups", 6, 100))
    assert dataset.class_names == tuple(group.name for group in bible.BOOK_GROUPS)
    for split in SPLITS:
        tokens, labels = getattr(dataset, split).tokens, getattr(dataset, split).labels
        passages = [decode_padded(row, dataset.vocabulary) for row in tokens]
        words = [word for chapter in chapters if chapter.split == split for word in chapter.text.split()]
        assert sorted(" ".join(passages).split()) == sorted(words)
        assert split == "train" or " ".join(passages).split() == words
        assert set(labels.tolist()) == set(range(6))
        assert np.median([len(passage) for passage in passages]) > 90


def test_testaments_are_those_of_the_groups(labelled_text_spec):
    groups = load_dataset(labelled_text_spec("source: kjv_book_groups", 6)).test
    testaments = load_dataset(labelled_text_spec("source: kjv_testaments", 2)).test
    assert (testaments.tokens == groups.tokens).all()
    assert (testaments.labels == (groups.labels >= 4)).all()


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


@pytest.fixture(scope="module")
def prompts():
    from metagen_jax.data.sources import DataRequest, read_embedded

    return read_embedded(DataRequest("spoken_prompts"))


def test_every_language_has_as_many_clips_in_every_split(prompts):
    assert prompts.class_names == ("English", "French", "Italian", "Russian", "Spanish")
    splits = [getattr(prompts, split) for split in SPLITS]
    assert [np.bincount(split.labels).tolist() for split in splits] == [[135] * 5, [25] * 5, [40] * 5]
    assert (prompts.sample_rate, prompts.clip_length) == (8000, 4000)
    assert {split.audio.dtype for split in splits} == {np.dtype(np.int16)}


def test_no_two_clips_are_alike_and_none_is_quiet(prompts):
    clips = np.concatenate([getattr(prompts, split).audio for split in SPLITS]).astype(np.float64)
    normal = clips - clips.mean(axis=1, keepdims=True)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    alike = normal @ normal.T - np.eye(len(normal))
    assert alike.max() < 0.9
    assert abs(clips).max(axis=1).min() > 15_000


def test_prompts_are_cut_to_max_examples_in_training_only(audio_spec, prompts):
    dataset = load_dataset(audio_spec("source: spoken_prompts, max_examples: 50", 5))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [50, 125, 200]
    assert (dataset.train.audio == prompts.train.audio[:50]).all()
    assert np.bincount(dataset.train.labels).min() > 3
    assert any("one speaker a language" in line for line in describe(dataset))


@pytest.mark.parametrize(("name", "num_classes"), [("moving_digits", 10), ("moving_digits_direction", 8)])
def test_clips_are_made_alike_each_time_and_share_no_digit_between_splits(name, num_classes, video_spec):
    dataset = load_dataset(video_spec(f"source: {name}", num_classes))
    again = load_dataset(video_spec(f"source: {name}, max_examples: 100", num_classes))
    assert (again.train.video == dataset.train.video[:100]).all()
    assert (again.test.labels == dataset.test.labels).all()
    assert any("CC BY-SA 3.0" in line for line in describe(dataset))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [8000, 500, 500]
    assert (dataset.num_frames, dataset.image_shape) == (8, (28, 28, 1))
    assert np.bincount(dataset.train.labels, minlength=num_classes).min() > 700
    digits = [{digit_in(clip) for clip in getattr(dataset, split).video} - {None} for split in SPLITS]
    assert [len(each) > most // 2 for each, most in zip(digits, (4000, 500, 500), strict=True)] == [True] * 3
    assert len(digits[0]) <= 4000
    assert not digits[0] & digits[1] and not digits[0] & digits[2] and not digits[1] & digits[2]


def digit_in(clip):
    """The pixels of the digit in the middle of its clip, wherever it is; None where it is at the edge of the frame."""
    frame = clip[4, ..., 0]
    rows, columns = (np.flatnonzero(frame.any(axis=axis)) for axis in (1, 0))
    if not 0 < min(rows[0], columns[0]) <= max(rows[-1], columns[-1]) < 27:
        return None
    return frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].tobytes()


def test_a_digit_moves_where_its_label_says(video_spec):
    dataset = load_dataset(video_spec("source: moving_digits_direction", 8))
    grid = np.arange(28)
    frames = dataset.train.video[..., 0].astype(float) + 1e-9  # (N, T, H, W)
    weights = frames / frames.sum(axis=(2, 3), keepdims=True)
    down, right = (weights.sum(axis=axis) @ grid for axis in (3, 2))  # (N, T)
    whole = (frames > 1).sum(axis=(2, 3)) == (frames[:, 4:5] > 1).sum(axis=(2, 3))  # nothing of it is outside
    moved = np.stack([down[:, 5] - down[:, 4], right[:, 5] - right[:, 4]], axis=1)[whole[:, 5]]
    steps = np.array(list(DIRECTIONS.values()))[dataset.train.labels[whole[:, 5]]]
    assert len(steps) > 6000
    np.testing.assert_allclose(moved, steps, atol=1e-4)
