"""A folder with one folder of clips for each class, where a clip is a folder of frames."""

import dataclasses
import re
from pathlib import Path

import numpy as np

from metagen_jax.data import pixels
from metagen_jax.data.datasets import SPLITS, VideoDataset, VideoSplit
from metagen_jax.data.sources.class_folders import FileKind, divide_files, is_hidden
from metagen_jax.data.sources.image_folder import PICTURES, read_pictures
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError

FEWEST_FRAMES = 2


@dataclasses.dataclass(frozen=True)
class ClipKind(FileKind):
    """Folders of pictures, each of which is one example."""

    def includes(self, path: Path, below: Path) -> bool:
        """Whether a path is a folder right inside of the folder of a class, and not hidden."""
        return path.parent == below and path.is_dir() and not is_hidden(path, below)

    def files_of(self, path: Path) -> list[Path]:
        """The frames of a clip, in the order of their names; numbers in them count as numbers."""
        return sorted((file for file in path.iterdir() if PICTURES.includes(file, path)), key=in_order)

    @property
    def known(self) -> str:
        return "folders of pictures"


CLIPS = ClipKind("clip", "clips", PICTURES.suffixes)


def in_order(path: Path) -> list[tuple[int, str]]:
    """What names of frames are sorted by.

    Examples:
      >>> sorted([Path("frame10.png"), Path("frame9.png"), Path("frame.png")], key=in_order)
      [PosixPath('frame.png'), PosixPath('frame9.png'), PosixPath('frame10.png')]
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.stem)]


def read_video_folder(request: DataRequest) -> VideoDataset:
    """Reads `<class>/<clip>/<frame>`, or `train/`, `validation/`, `test/` with such folders inside.

    A clip is a folder of pictures, its frames in the order of their names. Classes are sorted by name. Hidden files are
    passed over. A split that has no folder is cut out of the training clips, class by class, by a fixed shuffle.

    Raises:
      DataError: a clip has too few frames or other ones than the rest, or a picture is broken; the message names it.
    """
    divided = divide_files(request, CLIPS)
    every = [clip for split in SPLITS for clip in divided.files[split]]
    frames = {clip: CLIPS.files_of(clip) for clip in every}
    check_counts(frames, request.frames)
    count = request.frames or len(frames[every[0]])
    chosen = {
        split: [file for clip in divided.files[split] for file in spread(frames[clip], count)] for split in SPLITS
    }
    channels, images = read_pictures(request, chosen)
    return VideoDataset(
        name=request.path.name,
        class_names=divided.class_names,
        notes=(pixels.conversion_note(channels, request.image_size), *count_notes(frames, count), *divided.notes),
        **{split: VideoSplit(stacked(images[split], count), divided.labels[split]) for split in SPLITS},
    )


def check_counts(frames: dict[Path, list[Path]], wanted: int | None) -> None:
    """Refuses clips that have too few frames, or different numbers of them where the spec does not say how many to take."""
    first, *_ = frames
    fewest = wanted or FEWEST_FRAMES
    for clip, files in frames.items():
        if not files:
            raise DataError(f"{clip}: no frames in it\n  Add pictures ({PICTURES.known}), or remove the folder.")
        if len(files) < fewest:
            remedy = "Lower data.frames" if wanted and len(files) >= FEWEST_FRAMES else "Add frames"
            raise DataError(f"{clip}: {_counted(files)}, of {fewest} at least\n  {remedy}, or remove the folder.")
        if wanted is None and len(files) != len(frames[first]):
            counts = f"{_counted(files)}, but {first.name} has {len(frames[first])}"
            least = min(map(len, frames.values()))
            raise DataError(f"{clip}: {counts}\n  Set data.frames, to at most {least}, to take as many of each.")


def spread(files: list[Path], count: int) -> list[Path]:
    """So many of the frames, at equal distances from the first to the last.

    Examples:
      >>> [path.name for path in spread([Path(name) for name in "abcdefg"], 3)]
      ['a', 'd', 'g']
    """
    return [files[i] for i in np.rint(np.linspace(0, len(files) - 1, count)).astype(int)]


def stacked(images: list[np.ndarray], count: int) -> np.ndarray:
    """The frames of all clips, one after the other, as `(N, T, H, W, C)`, `count` each."""
    return np.stack(images).reshape(-1, count, *images[0].shape)


def count_notes(frames: dict[Path, list[Path]], count: int) -> list[str]:
    """A sentence about the clips that lose frames; none if none do."""
    longer = sum(len(files) > count for files in frames.values())
    if not longer:
        return []
    return [f"{longer:,} of {len(frames):,} clips have more than {count} frames: {count} at equal distances are read"]


def _counted(files: list[Path]) -> str:
    return f"{len(files)} frame{'s' if len(files) > 1 else ''}"
