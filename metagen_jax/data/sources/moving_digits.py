"""Clips of handwritten digits that move: made when they are asked for, from images that ship, always the same ones."""

from pathlib import Path

import numpy as np

from metagen_jax.data.datasets import SPLITS, ImageSplit, VideoDataset, VideoSplit
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest

NUM_FRAMES = 8
SIDE = 28  # pixels of a frame
MIDDLE = NUM_FRAMES // 2  # the frame in which the digit is inside, but for some edges
MARGIN = 1 / 7  # of an image, about as much as there is on each side of its digit: 4 of 28 pixels in MNIST
CLIPS_OF_IMAGE = {"train": 2, "validation": 1, "test": 1}
SEED = 0  # not that of the run: all runs learn from the same clips
DIRECTIONS = {  # pixels from a frame to the next: down, to the right
    "right": (0, 1),
    "down right": (1, 1),
    "down": (1, 0),
    "down left": (1, -1),
    "left": (0, -1),
    "up left": (-1, -1),
    "up": (-1, 0),
    "up right": (-1, 1),
}
BY_DIGIT, BY_DIRECTION = "moving_digits", "moving_digits_direction"


def make_clips(path: Path, name: str, max_examples: int | None) -> VideoDataset:
    """Lets each digit of a file of images move on a straight line, in clips of its own.

    Where the digit is the label it has its full size, where the direction is it has half of it, which leaves room to move.
    Direction and place are drawn by a fixed seed, whatever the digit. A digit of one split is in no other. Where it is in
    the middle of its clip does not depend on where it moves to, and it may leave the frame towards both ends.

    Args:
      path: of the images.
      name: `BY_DIGIT` or `BY_DIRECTION`, which says what the labels are.
      max_examples: keeps at most so many training clips.
    """
    images = read_npz_file(DataRequest(path))
    random = np.random.RandomState(SEED)  # whose numbers NumPy promises never to change
    splits = {}
    for split in SPLITS:
        pictures, digits = (np.concatenate([each] * CLIPS_OF_IMAGE[split]) for each in _arrays(getattr(images, split)))
        video, directions = _moved(pictures if name == BY_DIGIT else _halved(pictures), random)
        most = max_examples if split == "train" else None
        splits[split] = VideoSplit(video[:most], (digits if name == BY_DIGIT else directions)[:most])
    class_names = images.class_names if name == BY_DIGIT else tuple(DIRECTIONS)
    return VideoDataset(name=name, class_names=class_names, notes=(), **splits)


def _arrays(split: ImageSplit) -> tuple[np.ndarray, np.ndarray]:
    """The grey images of a split, `(N, H, W)`, and their labels."""
    return split.images[..., 0], split.labels


def _moved(images: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Clips `(N, T, SIDE, SIDE, 1)` of images `(N, H, W)`, and the directions in which they move, `(N,)`."""
    count, side, _ = images.shape
    directions = np.asarray(random.randint(len(DIRECTIONS), size=count), np.int32)
    margin = round(MARGIN * side)
    places = random.randint(-margin, SIDE - side + margin + 1, size=(count, 2))
    steps = np.array(list(DIRECTIONS.values()))[directions]  # (N, 2)
    times = np.arange(NUM_FRAMES) - MIDDLE
    corners = places[:, None] + times[:, None] * steps[:, None]  # (N, T, 2) of the image, outside of the frame too
    rows, columns = (np.arange(SIDE) - corners[..., axis, None] for axis in (0, 1))  # (N, T, SIDE), within the image
    inside = ((rows >= 0) & (rows < side))[..., None] & ((columns >= 0) & (columns < side))[..., None, :]
    rows, columns = np.clip(rows, 0, side - 1), np.clip(columns, 0, side - 1)
    taken = images[np.arange(count)[:, None, None, None], rows[..., None], columns[..., None, :]]
    return np.where(inside, taken, 0).astype(np.uint8)[..., None], directions


def _halved(images: np.ndarray) -> np.ndarray:
    """The mean of each square of two by two pixels: `(N, H, W)` to `(N, H/2, W/2)`, rounded."""
    count, height, width = images.shape
    squares = images.reshape(count, height // 2, 2, width // 2, 2)
    return np.rint(squares.mean(axis=(2, 4))).astype(np.uint8)
