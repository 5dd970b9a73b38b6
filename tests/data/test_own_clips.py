"""The user's own clips of video: a folder with one folder of clips for each class, each a folder of frames."""

import shutil

import numpy as np
import pytest
from PIL import Image

from metagen_jax.data import SPLITS, describe, load_dataset, save_npz
from metagen_jax.errors import DataError

NUM_FRAMES, SIDE = 3, 8


def clip_of(number, num_frames=NUM_FRAMES):
    """Frames of one grey each: `(T, H, W)`."""
    greys = 10 * number + np.arange(num_frames)
    return np.broadcast_to(greys[:, None, None], (num_frames, SIDE, SIDE)).astype(np.uint8)


def write(folder, clip):
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(clip, start=8):  # names of one and of two digits
        Image.fromarray(frame).save(folder / f"frame{number}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    """Five clips of each of two classes."""
    for label, name in enumerate(("down", "up")):
        for i in range(5):
            write(tmp_path / "own" / name / f"clip {i}", clip_of(5 * label + i))
    return tmp_path / "own"


def test_folder_is_split_by_class_without_loss_and_frames_are_in_order(folder, video_spec):
    dataset = load_dataset(video_spec("path: own"))
    assert dataset.class_names == ("down", "up")
    assert [len(getattr(dataset, split)) for split in SPLITS] == [6, 2, 2]
    assert (dataset.num_frames, dataset.image_shape) == (NUM_FRAMES, (SIDE, SIDE, 1))
    read = [(clip.tolist(), label) for split in SPLITS for clip, label in rows(dataset, split)]
    written = [(clip_of(number)[..., None].tolist(), number // 5) for number in range(10)]
    assert sorted(read) == sorted(written)


def rows(dataset, split):
    return zip(getattr(dataset, split).video, getattr(dataset, split).labels, strict=True)


def test_folder_with_splits_of_its_own_keeps_them(folder, video_spec, tmp_path):
    (tmp_path / "again").mkdir()
    folder.rename(tmp_path / "again" / "train")
    write(tmp_path / "again" / "test" / "up" / "one", clip_of(20))
    dataset = load_dataset(video_spec("path: again"))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [8, 2, 1]
    assert (dataset.test.video[0, ..., 0] == clip_of(20)).all()


def test_of_longer_clips_as_many_frames_are_taken_as_the_spec_says(folder, video_spec):
    write(folder / "up" / "long", clip_of(20, num_frames=7))
    (folder / "up" / "long" / "notes.txt").write_text("on a Sunday")
    dataset = load_dataset(video_spec("path: own, frames: 3"))
    first_frames = {clip[0, 0, 0, 0]: clip[:, 0, 0, 0].tolist() for split in SPLITS for clip, _ in rows(dataset, split)}
    assert first_frames[200] == [200, 203, 206]
    assert first_frames[0] == [0, 1, 2]
    assert describe(dataset)[3:] == [
        "1 of 11 clips have more than 3 frames: 3 at equal distances are read",
        "files passed over because they are no clips: 1, such as notes.txt",
    ]


def test_frames_are_brought_to_the_size_and_the_colours_of_the_spec(folder, video_spec):
    dataset = load_dataset(video_spec("path: own, image_size: 4, channels: 3, frames: 2"))
    assert dataset.train.video.shape == (6, 2, 4, 4, 3)


def test_saved_clips_are_loadable_without_pickle(folder, video_spec, tmp_path):
    dataset = load_dataset(video_spec("path: own"))
    save_npz(dataset, tmp_path / "own.npz")
    with np.load(tmp_path / "own.npz", allow_pickle=False) as saved:
        assert tuple(saved["class_names"]) == dataset.class_names
        assert all((saved[f"{split}_video"] == getattr(dataset, split).video).all() for split in SPLITS)


def shorter(folder):
    (folder / "up" / "clip 0" / "frame8.png").unlink()
    return folder / "up" / "clip 0"


def one_frame_each(folder):
    for path in folder.rglob("*.png"):
        if path.name != "frame8.png":
            path.unlink()
    return folder


def of_another_size(folder):
    path = folder / "up" / "clip 0" / "frame9.png"
    Image.new("L", (SIDE, 2 * SIDE)).save(path)
    return path


def not_square(folder):
    for path in folder.rglob("*.png"):
        Image.new("L", (SIDE, 2 * SIDE)).save(path)
    return folder


def damaged(folder):
    path = folder / "up" / "clip 0" / "frame9.png"
    path.write_bytes(path.read_bytes()[:50])
    return path


def made(path):
    path.mkdir()
    return path


def frames_in_a_class(folder):
    shutil.rmtree(folder / "up")
    return write(folder / "up", clip_of(0))


def only_one_class(folder):
    shutil.rmtree(folder / "up")
    return folder


def two_of_each(folder):
    for path in folder.glob("*/clip [234]"):
        shutil.rmtree(path)
    return folder


def nothing(folder):
    shutil.rmtree(folder)
    return folder


BROKEN = {
    "no frames": (lambda folder: made(folder / "up" / "x"), "no frames in it\n  Add pictures"),
    "too few frames": (one_frame_each, "1 frame, of 2 at least\n  Add frames, or remove the folder"),
    "other numbers of frames": (shorter, r"2 frames, but clip \d has 3\n  Set data.frames, to at most 2"),
    "frames of another size": (of_another_size, "8 x 16, but frame8.png is 8 x 8\n  Set data.image_size"),
    "not square": (not_square, "images are 8 x 16, not square\n  Set data.image_size"),
    "a broken frame": (damaged, "cannot be read as a picture"),
    "empty class": (lambda folder: made(folder / "left"), r"no clips in it\n  Add clips \(folders of pictures\)"),
    "frames that are in no clip": (frames_in_a_class, "no clips in it"),
    "one class": (only_one_class, "one class only, 'down'"),
    "too few": (two_of_each, "no clips for validation"),
    "empty": (lambda folder: made(nothing(folder)), r"no clips in it\n  Expected own/<class>/<clip>"),
    "missing": (nothing, "no such file or folder"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_folders_give_an_error_that_names_the_place_and_the_reason(case, folder, video_spec):
    break_it, reason = BROKEN[case]
    place = break_it(folder)
    with pytest.raises(DataError, match=reason) as error:
        load_dataset(video_spec("path: own"))
    assert str(place) in str(error.value)


def test_clips_with_fewer_frames_than_the_spec_asks_for_are_refused(folder, video_spec):
    with pytest.raises(DataError, match=r"3 frames, of 4 at least\n  Lower data\.frames, or remove the folder"):
        load_dataset(video_spec("path: own, frames: 4"))
