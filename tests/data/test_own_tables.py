"""The user's own tables, as CSV and as Parquet: pictures with labels, what columns are called, one text."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import SPLITS, decode, describe, load_dataset, sha256
from metagen_jax.errors import DataError

NUM_ROWS = 12


def png(value):
    content = io.BytesIO()
    Image.new("L", (8, 8), value).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def pictures(tmp_path):
    """Dark and bright pictures in a folder, and the rows of a table of them."""
    (tmp_path / "pictures").mkdir()
    for i in range(NUM_ROWS):
        (tmp_path / "pictures" / f"{i}.png").write_bytes(png(i + 200 * (i % 2)))
    return [(f"pictures/{i}.png", ("dark", "bright")[i % 2]) for i in range(NUM_ROWS)]


def write_csv(path, header, rows):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")


def test_pictures_with_labels_are_split_by_class_without_loss(pictures, tmp_path, image_spec):
    write_csv(tmp_path / "own.csv", "image,label", pictures)
    dataset = load_dataset(image_spec("path: own.csv"))
    assert dataset.class_names == ("bright", "dark") and dataset.image_shape == (8, 8, 1)
    assert [len(getattr(dataset, split)) for split in SPLITS] == [8, 2, 2]
    values = np.concatenate([getattr(dataset, split).images[:, 0, 0, 0] for split in SPLITS])
    labels = np.concatenate([getattr(dataset, split).labels for split in SPLITS])
    assert sorted(values) == sorted(i + 200 * (i % 2) for i in range(NUM_ROWS))
    assert ((values < 100) == labels).all()


def test_columns_may_be_called_otherwise(pictures, tmp_path, image_spec):
    write_csv(tmp_path / "own.csv", "image,label", pictures)
    write_csv(tmp_path / "other.csv", "file_name,class", pictures)
    other = load_dataset(image_spec("path: other.csv, columns: {image: file_name, label: class}"))
    assert sha256(other) == sha256(load_dataset(image_spec("path: own.csv")))
    with pytest.raises(DataError, match=r"other\.csv: no column 'image'; found file_name, class\n  .*data\.columns"):
        load_dataset(image_spec("path: other.csv"))


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("pictures/none.png,dark", r"own\.csv, line 14: there is no file 'pictures/none\.png'"),
        ("pictures/0.png,", r"own\.csv, line 14: no label"),
        ("pictures/0.png,dark,er", r"own\.csv, line 14: more cells than there are columns"),
        ("a" * 9000 + ",dark", r"own\.csv, line 14: there is no file 'a{200}'\n  Paths are relative"),
        ("pictures,dark", r"own\.csv, line 14: there is no file 'pictures'"),
        ("own.csv,dark", r"own\.csv, line 14: .*own\.csv: cannot be read as a picture"),
        ("pictures/0.png,gray", r"task\.num_classes is 2, but the data have 3 classes"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(pictures, tmp_path, image_spec, last, message):
    write_csv(tmp_path / "own.csv", "image,label", [*pictures, tuple(last.split(","))])
    with pytest.raises(DataError, match=message):
        load_dataset(image_spec("path: own.csv"))


def test_one_label_and_too_few_rows_are_refused(pictures, tmp_path, image_spec):
    write_csv(tmp_path / "own.csv", "image,label", pictures[::2])
    with pytest.raises(DataError, match=r"own\.csv: one label only, 'dark'"):
        load_dataset(image_spec("path: own.csv"))
    write_csv(tmp_path / "own.csv", "image,label", pictures[:4])
    with pytest.raises(DataError, match=r"own\.csv: no images for validation\n  Add rows"):
        load_dataset(image_spec("path: own.csv"))


def test_two_columns_of_one_name_are_refused(pictures, tmp_path, image_spec):
    write_csv(tmp_path / "own.csv", "image,label,label", [(*row, "gray") for row in pictures])
    with pytest.raises(DataError, match=r"own\.csv: several columns are called 'label'\n  Rename all of them but one"):
        load_dataset(image_spec("path: own.csv"))


def test_a_picture_is_in_one_split_however_its_path_is_written(pictures, tmp_path, caption_spec):
    names = [name for name, _ in pictures]
    rows = [(name, f"from {number}") for number, name in enumerate(names)]
    again = [(f"./pictures/../{name}", f"again {number}") for number, name in enumerate(names)]
    write_csv(tmp_path / "own.csv", "image,text", rows + again)
    dataset = load_dataset(caption_spec("path: own.csv"))
    shown = [{int(image[0, 0, 0]) for image in getattr(dataset, split).images} for split in SPLITS]
    assert sum(map(len, shown)) == len(set.union(*shown)) == NUM_ROWS


def test_columns_parted_by_something_else_are_told_so(pictures, tmp_path, image_spec):
    (tmp_path / "own.csv").write_text("image;label\n")
    with pytest.raises(
        DataError, match=r"found image;label\n  Its first line has to name the columns, parted by commas"
    ):
        load_dataset(image_spec("path: own.csv"))


def test_rows_of_texts_are_lines_of_one_text(tmp_path, text_spec):
    rows = [f"the cat sat on mat {i}" for i in range(20)]
    write_csv(tmp_path / "own.csv", "text,by", [(row, "me") for row in rows])
    dataset = load_dataset(text_spec("path: own.csv"))
    whole = np.concatenate([getattr(dataset, split) for split in SPLITS])
    assert decode(whole, dataset.vocabulary) == "".join(f"{row}\n" for row in rows)
    assert "columns passed over: 1, such as by" in describe(dataset)


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, image_spec, monkeypatch):
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"own\.parquet: .* not installed\n  Install it, pip install pyarrow"):
        load_dataset(image_spec("path: own.parquet"))


@pytest.fixture
def parquet():
    """What writes a Parquet file of columns."""
    arrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")

    def write(path, columns, metadata=None):
        writer.write_table(arrow.table(columns).replace_schema_metadata(metadata), path)

    return write


def test_lines_may_be_empty_and_begin_with_spaces(parquet, tmp_path, text_spec):
    """As in WikiText, whose rows end with a line feed, and in code."""
    rows = [line for i in range(20) for line in (f"def f{i}():", f"    return {i}\n", "")]
    parquet(tmp_path / "own.parquet", {"text": rows})
    dataset = load_dataset(text_spec("path: own.parquet"))
    whole = np.concatenate([getattr(dataset, split) for split in SPLITS])
    assert decode(whole, dataset.vocabulary) == "".join(f"def f{i}():\n    return {i}\n\n" for i in range(20))
    parquet(tmp_path / "own.parquet", {"text": ["a line", None]})
    with pytest.raises(DataError, match=r"own\.parquet, row 2: no text"):
        load_dataset(text_spec("path: own.parquet"))


def test_a_column_of_text_that_is_not_utf_8_is_told(parquet, tmp_path, text_spec):
    arrow = pytest.importorskip("pyarrow")
    parquet(tmp_path / "own.parquet", {"text": arrow.array([b"gr\xfc\xdfe"]).view(arrow.string())})
    with pytest.raises(DataError, match=r"own\.parquet: cannot be read as Parquet \(.*utf-8"):
        load_dataset(text_spec("path: own.parquet"))


def test_parquet_and_csv_of_the_same_rows_are_the_same_data(
    pictures, parquet, tmp_path, image_spec, labelled_text_spec, caption_spec
):
    names, labels = zip(*pictures, strict=True)
    texts = [f"it is {label}" for label in labels]
    columns = {"image": names, "label": labels, "text": texts}
    parquet(tmp_path / "own.parquet", {name: list(column) for name, column in columns.items()})
    write_csv(tmp_path / "own.csv", "image,label,text", zip(names, labels, texts, strict=True))
    for spec in (image_spec, labelled_text_spec, caption_spec):
        assert sha256(load_dataset(spec("path: own.parquet"))) == sha256(load_dataset(spec("path: own.csv")))


def test_parquet_may_hold_pictures_and_names_of_numbers_as_hugging_face_writes_them(
    pictures, parquet, tmp_path, image_spec
):
    write_csv(tmp_path / "own.csv", "image,label", pictures)
    content = [{"bytes": (tmp_path / name).read_bytes(), "path": None} for name, _ in pictures]
    features = {"label": {"names": ["dark", "bright"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet(tmp_path / "own.parquet", {"image": content, "label": [i % 2 for i in range(NUM_ROWS)]}, metadata)
    assert sha256(load_dataset(image_spec("path: own.parquet"))) == sha256(load_dataset(image_spec("path: own.csv")))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [b"no picture"] * 9, "label": ["a", "b", "c"] * 3}, r"row \d: image: cannot be read as a picture"),
        ({"image": [None, *"abcdefgh"], "label": ["a", "b", "c"] * 3}, "row 1: no image"),
        ({"image": [1, 2], "label": ["a", "b"]}, "row 1: the image is neither a path nor bytes"),
        ({"image": [b"x", b"y"], "label": [["a"], ["b"]]}, "row 1: the label is no text but of type list"),
        ({"img": [b"x"], "label": ["a"]}, "no column 'image'; found img, label"),
        ({"image": [], "label": []}, "no rows"),
    ],
)
def test_what_cannot_be_used_in_parquet_is_named_by_its_row(parquet, tmp_path, image_spec, columns, message):
    parquet(tmp_path / "own.parquet", columns)
    with pytest.raises(DataError, match=rf"own\.parquet(, |: ){message}"):
        load_dataset(image_spec("path: own.parquet"))


def test_a_file_that_is_no_parquet_is_named(parquet, tmp_path, image_spec):
    (tmp_path / "own.parquet").write_text("image,label\n")
    with pytest.raises(DataError, match=r"own\.parquet: cannot be read as Parquet"):
        load_dataset(image_spec("path: own.parquet"))
