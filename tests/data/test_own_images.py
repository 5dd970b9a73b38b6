"""The user's own images: `.npz` files and folders."""

import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import SPLITS, describe, load_dataset, save_npz, sha256
from metagen_jax.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8), dtype=np.uint8)
LABELS = np.arange(40) % 2


def load_npz(image_spec, tmp_path, data="", num_classes=2, **arrays):
    np.savez(tmp_path / "own.npz", **arrays)
    return load_dataset(image_spec(f"path: own.npz{data}", num_classes))


def test_npz_is_split_by_class_without_loss(image_spec, tmp_path):
    dataset = load_npz(image_spec, tmp_path, images=IMAGES, labels=LABELS)
    assert [len(getattr(dataset, split)) for split in SPLITS] == [32, 4, 4]
    assert np.bincount(dataset.test.labels).tolist() == [2, 2]
    pooled = np.concatenate([getattr(dataset, split).images for split in SPLITS])
    assert sorted(image.tobytes() for image in pooled) == sorted(image.tobytes() for image in IMAGES)
    for image, label in zip(dataset.train.images, dataset.train.labels, strict=True):
        assert LABELS[(image[..., 0] == IMAGES).all((1, 2))] == label


def test_split_does_not_depend_on_the_seed_of_the_run(image_spec, tmp_path):
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    spec = image_spec("path: own.npz}\nreproducibility: {seed: 5")
    assert spec.seed == 5
    assert sha256(load_dataset(spec)) == sha256(load_dataset(image_spec("path: own.npz")))


def test_npz_fractions_are_rounded_to_bytes_and_that_is_said(image_spec, tmp_path):
    dataset = load_npz(image_spec, tmp_path, images=(IMAGES / 255).astype(np.float32), labels=LABELS)
    assert sha256(dataset) == sha256(load_npz(image_spec, tmp_path, images=IMAGES, labels=LABELS))
    assert any("0..1" in line for line in describe(dataset))


def test_npz_labels_may_be_names(image_spec, tmp_path):
    names = np.array(["cat", "ant"])
    dataset = load_npz(image_spec, tmp_path, images=IMAGES, labels=names[LABELS])
    assert dataset.class_names == ("ant", "cat")
    ordered = load_npz(image_spec, tmp_path, images=IMAGES, labels=LABELS, class_names=names)
    assert ordered.class_names == ("cat", "ant")
    assert (ordered.train.labels == 1 - dataset.train.labels).all()


def test_npz_with_splits_of_its_own_keeps_them(image_spec, tmp_path):
    given = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:6], "test_labels": LABELS[:6]}
    dataset = load_npz(image_spec, tmp_path, **given)
    assert [len(getattr(dataset, split)) for split in SPLITS] == [36, 4, 6]
    assert (dataset.test.images[..., 0] == IMAGES[:6]).all()


@pytest.mark.parametrize("source", ["digits", "mnist5k"])
def test_saved_dataset_reads_back_the_same(source, image_spec, tmp_path):
    dataset = load_dataset(image_spec(f"source: {source}", 10))
    save_npz(dataset, tmp_path / "own.npz")
    assert sha256(load_dataset(image_spec("path: own.npz", 10))) == sha256(dataset)


def test_npz_images_are_resized_and_coloured_on_request(image_spec, tmp_path):
    dataset = load_npz(image_spec, tmp_path, ", image_size: 16, channels: 3", images=IMAGES, labels=LABELS)
    assert dataset.image_shape == (16, 16, 3)
    assert (dataset.train.images[..., 0] == dataset.train.images[..., 2]).all()
    assert any("16 x 16" in note for note in dataset.notes)


NAN = np.where(np.arange(64).reshape(8, 8) == 9, np.nan, 0.5) * np.ones((40, 1, 1))
BROKEN_ARRAYS = {
    "NaN": ({"images": NAN, "labels": LABELS}, r"images\[0, 1, 1, 0\] is nan"),
    "floats beyond 1": ({"images": IMAGES * 1.0, "labels": LABELS}, "expected 0..1"),
    "numbers beyond 255": ({"images": IMAGES.astype(int) * 2, "labels": LABELS}, "expected 0..255"),
    "lengths differ": ({"images": IMAGES, "labels": LABELS[:-1]}, "40 in images, but 39 in labels"),
    "no labels": ({"images": IMAGES}, "no array 'labels'; found images"),
    "no images": ({"pictures": IMAGES, "labels": LABELS}, "found labels, pictures"),
    "both forms": ({"images": IMAGES, "train_images": IMAGES, "labels": LABELS}, "both 'images' and"),
    "nothing": ({}, "found nothing"),
    "empty": ({"images": IMAGES[:0], "labels": LABELS[:0]}, "shape"),
    "flat images": ({"images": IMAGES.reshape(40, -1), "labels": LABELS}, r"\(40, 64\)"),
    "text as images": ({"images": np.full((40, 8, 8), "a"), "labels": LABELS}, "expected uint8"),
    "one-hot labels": ({"images": IMAGES, "labels": np.eye(2)[LABELS]}, "argmax"),
    "float labels": ({"images": IMAGES, "labels": LABELS * 1.0}, "float64"),
    "negative label": ({"images": IMAGES, "labels": LABELS - 1}, "label -1 occurs"),
    "gap in labels": ({"images": IMAGES, "labels": LABELS * 10**9}, "1 does not"),
    "label without a name": ({"images": IMAGES, "labels": LABELS, "class_names": np.array(["a"])}, "outside 0..0"),
    "name twice": ({"images": IMAGES, "labels": LABELS, "class_names": np.array(["a", "a"])}, "different"),
    "one class": ({"images": IMAGES, "labels": LABELS * 0}, "one class only"),
    "three classes": ({"images": IMAGES, "labels": np.arange(40) % 3}, "num_classes is 2, but the data have 3"),
    "too few": ({"images": IMAGES[:4], "labels": LABELS[:4]}, "left for validation"),
    "not square": ({"images": IMAGES[:, :6], "labels": LABELS}, "8 x 6, not square"),
    "python objects": ({"images": np.array([print] * 40), "labels": LABELS}, "cannot be read as .npz"),
    "unlike splits": (
        {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:, :6, :6], "test_labels": LABELS},
        "differ in shape",
    ),
}


@pytest.mark.parametrize("case", BROKEN_ARRAYS)
def test_broken_arrays_give_an_error_that_names_file_and_reason(case, image_spec, tmp_path):
    arrays, reason = BROKEN_ARRAYS[case]
    with pytest.raises(DataError, match=reason) as error:
        load_npz(image_spec, tmp_path, **arrays)
    assert str(tmp_path / "own.npz") in str(error.value)


def single_array(path):
    with path.open("wb") as file:
        np.save(file, IMAGES)


def cut_short(path):
    np.savez(path, images=IMAGES, labels=LABELS)
    path.write_bytes(path.read_bytes()[:1000])


def flipped_bits(path):
    np.savez_compressed(path, images=IMAGES, labels=LABELS)
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)


FILES = {
    "noise": lambda path: path.write_bytes(b"noise"),
    "empty": lambda path: path.write_bytes(b""),
    "one array": single_array,
    "cut short": cut_short,
    "flipped bits": flipped_bits,
    "folder": lambda path: path.mkdir(),
    "missing": lambda path: None,
}


@pytest.mark.parametrize("case", FILES)
def test_broken_npz_files_give_an_error_that_names_the_file(case, image_spec, tmp_path):
    FILES[case](tmp_path / "own.npz")
    with pytest.raises(DataError) as error:
        load_dataset(image_spec("path: own.npz"))
    assert str(tmp_path / "own.npz") in str(error.value)


@pytest.fixture
def folder(tmp_path):
    """Five gray pictures of each of two classes; the value of a picture's pixels tells which one it is."""
    root = tmp_path / "pictures"
    for class_number, name in enumerate(["cat", "ant"]):
        (root / name).mkdir(parents=True)
        for i in range(5):
            picture(100 * class_number + i).save(root / name / f"{i}.png")
    return root


def picture(value, size=(8, 8), mode="L"):
    return Image.new(mode, size, value)


def load_folder(image_spec, data="", num_classes=2):
    return load_dataset(image_spec(f"path: pictures, format: image_folder{data}", num_classes))


def test_folder_is_split_by_class_and_classes_are_sorted(folder, image_spec):
    dataset = load_folder(image_spec)
    assert dataset.class_names == ("ant", "cat") and dataset.image_shape == (8, 8, 1)
    assert [len(getattr(dataset, split)) for split in SPLITS] == [6, 2, 2]
    values = {int(image.max()) for split in SPLITS for image in getattr(dataset, split).images}
    assert values == {0, 1, 2, 3, 4, 100, 101, 102, 103, 104}
    assert all((s.labels == (s.images.max((1, 2, 3)) < 100)).all() for s in (dataset.train, dataset.test))


def test_folder_reads_the_same_twice(folder, image_spec):
    assert sha256(load_folder(image_spec)) == sha256(load_folder(image_spec))


def test_folder_passes_over_hidden_files_and_counts_others(folder, image_spec):
    before = load_folder(image_spec)
    (folder / "cat" / ".hidden.png").write_bytes(b"noise")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "a.png").write_bytes(b"noise")
    (folder / "cat" / "notes.txt").write_text("noise")
    after = load_folder(image_spec)
    assert sha256(before) == sha256(after)
    assert any("no pictures: 1, such as notes.txt" in note for note in after.notes)


def test_folder_with_one_coloured_picture_is_read_in_colour(folder, image_spec):
    picture((9, 8, 7), mode="RGB").save(folder / "cat" / "0.png")
    assert load_folder(image_spec).image_shape == (8, 8, 3)
    assert load_folder(image_spec, ", channels: 1").image_shape == (8, 8, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_folder_converts_every_mode_of_picture(mode, folder, image_spec):
    suffix = "tif" if mode == "CMYK" else "png"
    for path in list(folder.rglob("*.png")):
        white = Image.new("RGB", (8, 8), (255, 255, 255))
        path.unlink()
        converted = Image.fromarray(np.full((8, 8), 65535, np.uint16)) if mode == "I;16" else white.convert(mode)
        converted.save(path.with_suffix(f".{suffix}"))
    dataset = load_folder(image_spec, ", channels: 1")
    assert (dataset.train.images == 255).all()


def test_folder_with_splits_of_its_own_keeps_them(folder, image_spec, tmp_path):
    train = tmp_path / "again" / "train"
    train.parent.mkdir()
    folder.rename(train)
    train.parent.rename(folder)
    for name in ("ant", "cat"):
        (folder / "val" / name).mkdir(parents=True)
        picture(200).save(folder / "val" / name / "0.png")
    dataset = load_folder(image_spec)
    assert [len(getattr(dataset, split)) for split in SPLITS] == [8, 2, 2]
    assert (dataset.validation.images == 200).all() and dataset.train.images.max() < 200


def test_pictures_are_turned_as_the_camera_was_held(folder, image_spec):
    left_bright = np.zeros((8, 8), np.uint8)
    left_bright[:, :4] = 255
    upright = Image.Exif()
    upright[0x0112] = 6  # shown turned by a quarter, clockwise
    for path in list(folder.rglob("*.png")):
        Image.fromarray(left_bright).save(path, exif=upright)
    assert (load_folder(image_spec).train.images[:, :, :, 0] == left_bright.T).all()


def truncate(folder):
    path = folder / "cat" / "3.png"
    path.write_bytes(path.read_bytes()[:50])
    return path


def write(path, content=b"noise"):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def make_folder(path):
    path.mkdir()
    return path


def save(path, **kwargs):
    picture(1, **kwargs).save(path)
    return path


def keep_one_class(folder):
    (folder / "ant").rename(folder.parent / "ant")
    return folder


def keep_two_pictures(folder):
    for path in folder.rglob("*.png"):
        if path.stem not in "01":
            path.unlink()
    return folder


def make_empty(folder):
    folder.rename(folder.parent / "away")
    return make_folder(folder)


BROKEN_FOLDERS = {
    "noise": (lambda folder: write(folder / "cat" / "x.png"), "cannot be read"),
    "empty file": (lambda folder: write(folder / "cat" / "x.jpg", b""), "cannot be read"),
    "truncated": (truncate, "cannot be read"),
    "other size": (lambda folder: save(folder / "cat" / "x.png", size=(9, 8)), "Set data.image_size"),
    "32 bits": (lambda folder: save(folder / "cat" / "x.tif", mode="F"), "32 bits"),
    "empty class": (lambda folder: make_folder(folder / "dog"), "no pictures"),
    "outside": (lambda folder: save(folder / "x.png"), "outside of a class"),
    "one class": (keep_one_class, "one class only"),
    "too few": (keep_two_pictures, "no pictures for validation"),
    "empty": (make_empty, "no pictures"),
}


@pytest.mark.parametrize("case", BROKEN_FOLDERS)
def test_broken_folders_give_an_error_that_names_the_culprit(case, folder, image_spec):
    damage, reason = BROKEN_FOLDERS[case]
    culprit = damage(folder)
    with pytest.raises(DataError, match=reason) as error:
        load_folder(image_spec)
    assert str(culprit) in str(error.value)


def test_number_of_classes_has_to_match_and_both_numbers_are_said(folder, image_spec):
    with pytest.raises(DataError, match=r"num_classes is 3, but the data have 2 classes \(ant, cat\)"):
        load_folder(image_spec, num_classes=3)
