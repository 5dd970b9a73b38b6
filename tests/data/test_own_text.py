"""The user's own text file."""

import numpy as np
import pytest

from metagen_jax.data import SPLITS, decode, encode, load_dataset, save_npz
from metagen_jax.data.characters import find_vocabulary
from metagen_jax.errors import DataError


def test_text_is_split_by_position_without_loss(text_spec, tmp_path):
    text = "".join(f"{i} " for i in range(100))
    (tmp_path / "own.txt").write_text(text)
    dataset = load_dataset(text_spec("path: own.txt, validation_fraction: 0.2, test_fraction: 0.1"))
    assert "".join(decode(getattr(dataset, split), dataset.vocabulary) for split in SPLITS) == text
    assert [len(getattr(dataset, split)) for split in SPLITS] == [203, 58, 29]


def test_characters_that_only_the_test_has_are_in_the_vocabulary(text_spec, tmp_path):
    (tmp_path / "own.txt").write_text("abc" * 100 + "\u00e9\U0001f600")
    assert load_dataset(text_spec("path: own.txt")).vocabulary == "abc\u00e9\U0001f600"


def test_line_ends_and_byte_order_mark_are_unified_and_that_is_said(text_spec, tmp_path):
    (tmp_path / "own.txt").write_bytes(b"\xef\xbb\xbf" + b"ab\r\n" * 50)
    dataset = load_dataset(text_spec("path: own.txt"))
    assert dataset.vocabulary == "\nab" and len(dataset.notes) == 3


@pytest.mark.parametrize("num_characters", [2, 256, 257, 3000])
def test_decode_undoes_encode(num_characters):
    text = "".join(map(chr, np.random.default_rng(0).permutation(num_characters) + 1000))
    tokens = encode(text, find_vocabulary(text))
    assert decode(tokens, find_vocabulary(text)) == text
    assert tokens.dtype == (np.uint8 if num_characters <= 256 else np.uint16)


def test_encode_refuses_foreign_characters():
    with pytest.raises(ValueError, match=r"x"):
        encode("abx", "ab")


BROKEN = {
    "latin-1": ("caf\u00e9 ".encode("latin-1") * 50, "byte 0xe9 at offset 3"),
    "empty": (b"", "there is no text in it"),
    "one character": (b"a" * 500, "only one character"),
    "too short": (b"abcdefgh" * 8, "validation has 6 characters"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_texts_give_an_error_that_names_file_and_reason(case, text_spec, tmp_path):
    content, reason = BROKEN[case]
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(DataError, match=reason) as error:
        load_dataset(text_spec("path: own.txt"))
    assert str(tmp_path / "own.txt") in str(error.value)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_missing_file_or_folder_in_its_place_is_named(make, text_spec, tmp_path):
    make(tmp_path / "own.txt")
    with pytest.raises(DataError, match=r"own.txt: no such file"):
        load_dataset(text_spec("path: own.txt"))


def test_saved_text_is_loadable_without_pickle(text_spec, tmp_path):
    (tmp_path / "own.txt").write_text("abc\u00e9 " * 100)
    dataset = load_dataset(text_spec("path: own.txt"))
    save_npz(dataset, tmp_path / "own.npz")
    with np.load(tmp_path / "own.npz", allow_pickle=False) as saved:
        assert str(saved["vocabulary"]) == dataset.vocabulary
        assert all((saved[f"{split}_tokens"] == getattr(dataset, split)).all() for split in SPLITS)
