"""A folder of clips of video, each a folder of frames: every frame is opened."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example, duplicates
from metagen_jax.data.inspection.findings import (
    Findings,
    Proposal,
    balance,
    division,
    held_out,
    resized,
    training_counts,
)
from metagen_jax.data.inspection.image_shape import proposed_size
from metagen_jax.data.inspection.pictures import Seen, look_at, sizes_line, sizes_of
from metagen_jax.data.sources.class_folders import list_splits, passed_over
from metagen_jax.data.sources.video_folder import CLIPS, FEWEST_FRAMES, check_counts
from metagen_jax.errors import DataError

MOST_FRAMES = 8  # of a proposed spec: what a small network on a CPU can be trained on


def inspect_video_folder(path: Path) -> Findings:
    """Looks at `<class>/<clip>/<frame>`, or at such folders inside of `train/`, `validation/` and `test/`."""
    try:
        listed = list_splits(path, CLIPS)
    except DataError as error:
        return Findings((), problems=(str(error),))
    clips: list[tuple[Example, list[Seen]]] = []
    problems = []
    for split in SPLITS:
        for folder, label in listed.get(split, ()):
            try:
                frames = _read(folder)
            except DataError as error:
                problems.append(str(error))
                continue
            digest = hashlib.sha256("".join(frame.digest for frame in frames).encode()).hexdigest()
            clips.append((Example(str(folder.relative_to(path)), split, label, digest), frames))
    if not clips:
        return Findings((), problems=tuple(problems))
    examples, frames_of = zip(*clips, strict=True)
    try:
        counts = training_counts(path, examples)
    except DataError as error:
        return Findings((), problems=(*problems, str(error)))
    classes, remarks = balance(counts)
    every = [frame for frames in frames_of for frame in frames]
    lengths = sorted(map(len, frames_of))
    found = (
        division((example.split for example in examples), "clips"),
        f"{_span(lengths)} frames each, {sizes_line(every)}",
        *classes,
        *passed_over(path, listed, CLIPS),
    )
    remarks += duplicates(examples, "clip", "clips")
    problems += held_out(path, counts.elements(), (example.split for example in examples), "clips")
    proposal = Proposal(
        *("video", "label", "classification", "video_transformer", ("accuracy", "loss")),
        num_classes=len(counts),
        data=resized(proposed_size(sizes_of(every))) | _frames(lengths),
        batch_size=min(32, max(1, counts.total() // 2)),
    )
    return Findings(found, tuple(remarks), tuple(problems), (proposal,))


def _read(folder: Path) -> list[Seen]:
    files = CLIPS.files_of(folder)
    check_counts({folder: files}, FEWEST_FRAMES)
    return [look_at(file) for file in files]


def _span(lengths: Sequence[int]) -> str:
    return f"{lengths[0]}" if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"


def _frames(lengths: Sequence[int]) -> dict[str, int]:
    """The key of the section `data`; none where all clips are as long and short; `lengths` ascend."""
    if lengths[0] == lengths[-1] <= MOST_FRAMES:
        return {}
    return {"frames": min(lengths[0], MOST_FRAMES)}
