"""The user's own labelled texts: a folder with one folder for each class, or a table."""

import numpy as np
import pytest

from metagen_jax.data import SPLITS, decode_padded, describe, load_dataset, save_npz, sha256
from metagen_jax.data.characters import PADDING, UNKNOWN
from metagen_jax.errors import DataError

WINDOW = 16


@pytest.fixture
def folder(tmp_path):
    """Five texts of each of two classes; the first letter of a text tells its class."""
    for name in ("dogs", "cats"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "own" / name / f"{i}.txt").write_text(f"{name[0]} of 01234: {i}\n")
    return tmp_path / "own"


def table(rows, header="text,label"):
    return "\n".join([header, *rows]) + "\n"


ROWS = [f"{label} is number {i},{label}" for i in range(5) for label in ("dog", "cat")]


def texts_of(dataset, split):
    return [decode_padded(row, dataset.vocabulary) for row in getattr(dataset, split).tokens]


def test_folder_is_split_by_class_without_loss(folder, labelled_text_spec):
    dataset = load_dataset(labelled_text_spec("path: own"))
    assert dataset.class_names == ("cats", "dogs")
    assert [len(getattr(dataset, split)) for split in SPLITS] == [6, 2, 2]
    assert all(np.bincount(getattr(dataset, split).labels).min() >= 1 for split in SPLITS)
    assert sorted(text for split in SPLITS for text in texts_of(dataset, split)) == [
        f"{letter} of 01234: {i}" for letter in "cd" for i in range(5)
    ]
    for split in SPLITS:
        pairs = zip(texts_of(dataset, split), getattr(dataset, split).labels, strict=True)
        assert all(text[0] == "cd"[label] for text, label in pairs)


def test_folder_and_table_of_the_same_texts_are_the_same_data(folder, labelled_text_spec, tmp_path):
    rows = [f"{path.read_text().strip()},{path.parent.name}" for path in sorted(folder.rglob("*.txt"))]
    (tmp_path / "own.csv").write_text(table(rows))
    from_table = load_dataset(labelled_text_spec("path: own.csv"))
    assert sha256(from_table) == sha256(load_dataset(labelled_text_spec("path: own")))


def test_folder_with_splits_of_its_own_keeps_them(folder, labelled_text_spec, tmp_path):
    train = tmp_path / "again"
    train.mkdir()
    folder.rename(train / "train")
    (train / "test" / "cats").mkdir(parents=True)
    (train / "test" / "cats" / "one.txt").write_text("c of 4")
    dataset = load_dataset(labelled_text_spec("path: again"))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [8, 2, 1]
    assert texts_of(dataset, "test") == ["c of 4"]


def test_long_texts_are_cut_short_ones_filled_up_and_foreign_characters_unknown(labelled_text_spec, folder):
    for path in sorted(folder.rglob("*.txt")):
        path.write_text(path.read_text() * 3)
    (folder / "cats" / "short.md").write_text("c")
    dataset = load_dataset(labelled_text_spec("path: own"))
    assert dataset.train.tokens.shape[1] == WINDOW
    assert any(f"of 10 of 11 texts only the first {WINDOW} characters" in line for line in describe(dataset))
    rows = np.concatenate([getattr(dataset, split).tokens for split in SPLITS])
    (short,) = rows[(rows == PADDING).any(1)]
    assert (short[1:] == PADDING).all() and short[0] > UNKNOWN


def test_characters_that_training_does_not_have_are_read_as_unknown_and_that_is_said(folder, labelled_text_spec):
    before = load_dataset(labelled_text_spec("path: own"))
    (cat, *_), (dog, *_) = (
        [path for path in folder.rglob("*.txt") if path.read_text().strip() in texts_of(before, split)]
        for split in ("validation", "test")
    )
    cat.write_text("x\u00e9x")
    dog.write_text("\U0001f600")
    dataset = load_dataset(labelled_text_spec("path: own"))
    assert dataset.vocabulary == before.vocabulary
    assert int((dataset.validation.tokens == UNKNOWN).sum() + (dataset.test.tokens == UNKNOWN).sum()) == 4
    assert "4 characters of validation and test do not occur in training: read as unknown" in describe(dataset)


def test_tables_take_quotes_line_breaks_and_other_columns(labelled_text_spec, tmp_path):
    rows = [f'{i},"a ""{i}"",\nb",{label}' for i in range(5) for label in ("x", "y")]
    (tmp_path / "own.csv").write_bytes(table(rows, "id,text,label").replace("\n", "\r\n").encode("utf-8-sig"))
    dataset = load_dataset(labelled_text_spec("path: own.csv"))
    assert 'a "3",\nb' in {text for split in SPLITS for text in texts_of(dataset, split)}
    assert "columns passed over: 1, such as id" in describe(dataset)


def test_saved_texts_are_loadable_without_pickle(folder, labelled_text_spec, tmp_path):
    dataset = load_dataset(labelled_text_spec("path: own"))
    save_npz(dataset, tmp_path / "own.npz")
    with np.load(tmp_path / "own.npz", allow_pickle=False) as saved:
        assert str(saved["vocabulary"]) == dataset.vocabulary
        assert tuple(saved["class_names"]) == dataset.class_names
        assert all((saved[f"{split}_tokens"] == getattr(dataset, split).tokens).all() for split in SPLITS)


def test_max_examples_shortens_training_only(folder, labelled_text_spec):
    for name in ("cats", "dogs"):
        for i in range(5, 30):
            (folder / name / f"{i}.txt").write_text(f"{name[0]} again {i}")
    dataset = load_dataset(labelled_text_spec("path: own, max_examples: 10"))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [10, 6, 6]


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def only_one_class(folder):
    (folder / "dogs").rename(folder.parent / "dogs")
    return folder


def two_of_each(folder):
    for path in folder.rglob("*.txt"):
        if path.stem not in "01":
            path.unlink()
    return folder


def nothing(folder):
    folder.rename(folder.parent / "away")
    return folder


def make_empty(folder):
    nothing(folder).mkdir()
    return folder


BROKEN_FOLDERS = {
    "latin-1": (lambda folder: write(folder / "cats" / "x.txt", b"caf\xe9"), "not UTF-8 .byte 0xe9 at offset 3"),
    "utf-16": (lambda folder: write(folder / "cats" / "x.txt", "cat".encode("utf-16")), "not UTF-8"),
    "empty file": (lambda folder: write(folder / "cats" / "x.txt", b" \n"), "no text in it"),
    "empty class": (lambda folder: write(folder / "birds" / ".hidden", b"x").parent, "no text files in it"),
    "outside": (lambda folder: write(folder / "x.txt", b"cat"), "a text file outside of a class"),
    "one class": (only_one_class, "one class only, 'cats'"),
    "too few": (two_of_each, "no texts for validation"),
    "empty": (make_empty, "no text files in it"),
    "missing": (nothing, "no such file or folder"),
}


@pytest.mark.parametrize("case", BROKEN_FOLDERS)
def test_broken_folders_give_an_error_that_names_the_place_and_the_reason(case, folder, labelled_text_spec):
    damage, reason = BROKEN_FOLDERS[case]
    place = damage(folder)
    with pytest.raises(DataError, match=reason) as error:
        load_dataset(labelled_text_spec("path: own"))
    assert str(place) in str(error.value)


BROKEN_TABLES = {
    "no label column": (table(["a,b"], "text,class"), "no column 'label'; found text, class"),
    "other separator": (table(["a;b"], "text;label"), "no column 'text'; found text;label"),
    "empty": ("", "no column 'text'; found nothing"),
    "no rows": (table([]), "no rows"),
    "one label": (table([f"a{i},x" for i in range(9)]), "one label only, 'x'"),
    "missing label": (table([*ROWS, "a"]), "line 12: no label"),
    "missing text": (table([*ROWS, ",x"]), "line 12: no text"),
    "open quote": (table([*ROWS, '"a']), "cannot be read as CSV after line 11 .unexpected end"),
    "three classes": (table([*ROWS, *[f"{i},bird" for i in range(5)]]), "num_classes is 2, but the data have 3"),
    "too few": (table(ROWS[:4]), "no texts for validation"),
}


@pytest.mark.parametrize("case", BROKEN_TABLES)
def test_broken_tables_give_an_error_that_names_the_file_and_the_reason(case, labelled_text_spec, tmp_path):
    content, reason = BROKEN_TABLES[case]
    (tmp_path / "own.csv").write_text(content)
    with pytest.raises(DataError, match=reason) as error:
        load_dataset(labelled_text_spec("path: own.csv"))
    assert str(tmp_path / "own.csv") in str(error.value)
