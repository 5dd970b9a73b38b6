"""From a spec to its dataset, checked against what the spec says about it."""

import functools
from pathlib import Path

import numpy as np

from metagen_jax.data.audio_tokens import as_tokens
from metagen_jax.data.datasets import (
    SPLITS,
    AudioDataset,
    AudioTokenDataset,
    CaptionedImageDataset,
    CodeDataset,
    Dataset,
    DrawnImageDataset,
    ImageDataset,
    LabelledDataset,
    LabelledTextDataset,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
)
from metagen_jax.data.sources import SOURCES
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError
from metagen_jax.spec import ModelSpec


def load_dataset(spec: ModelSpec) -> Dataset:
    """Reads the data that a spec names.

    Returns:
      An `ImageDataset` for images with labels, a `DrawnImageDataset` for images to be drawn from labels, an
      `UnlabelledImageDataset` for images to be reconstructed, a `TextDataset` for a text to be continued, a
      `LabelledTextDataset` for texts with labels, an `AudioDataset` for recordings with labels, an `AudioTokenDataset`
      for recordings to be continued, a `VideoDataset` for clips of video, a `CaptionedImageDataset` for images with texts, a
      `DescribedImageDataset` for images whose texts are to be found.
    Raises:
      DataError: something is missing, broken or not what the spec says; the message names the file.
    """
    request = make_request(spec)
    if spec.data.path is not None and not request.path.exists():
        raise DataError(f"{request.path}: no such file or folder\n  data.path is relative to the folder of the spec.")
    dataset = SOURCES[spec.data.format or "embedded"](request)
    if isinstance(dataset, ImageDataset) and "label" not in (*spec.modality.inputs, *spec.modality.outputs):
        dataset = dataset.without_labels()
    if isinstance(dataset, ImageDataset) and "image" in spec.modality.outputs:
        dataset = dataset.to_be_drawn()
    if isinstance(dataset, CaptionedImageDataset) and "text" in spec.modality.outputs:
        dataset = dataset.to_be_described()
    if isinstance(dataset, AudioDataset) and "audio" in spec.modality.outputs:
        dataset = as_tokens(dataset)
    check(dataset, spec, request.path)
    return dataset


def make_request(spec: ModelSpec) -> DataRequest:
    """Gathers what a source has to know."""
    return DataRequest(
        path=Path(spec.data.source or spec.data.path or (spec.data.hub.name if spec.data.hub else "")),
        hub=spec.data.hub,
        columns=spec.data.columns,
        image_size=spec.data.image_size,
        channels=spec.data.channels,
        sample_rate=spec.data.sample_rate,
        clip_seconds=spec.data.clip_seconds,
        frames=spec.data.frames,
        validation_fraction=spec.data.validation_fraction,
        test_fraction=spec.data.test_fraction,
        max_examples=spec.data.max_examples,
        context_window=spec.constraints.context_window or 1,
    )


@functools.singledispatch
def check(dataset: Dataset, spec: ModelSpec, path: Path) -> None:
    """Refuses data that no model of the spec could learn from."""
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@check.register
def _(dataset: ImageDataset | VideoDataset, spec: ModelSpec, path: Path) -> None:
    check_square(dataset, path)
    check_classes(dataset, path, spec.task.num_classes)


@check.register
def _(dataset: UnlabelledImageDataset | DrawnImageDataset | CaptionedImageDataset, spec: ModelSpec, path: Path) -> None:
    check_square(dataset, path)


def check_square(
    dataset: ImageDataset | UnlabelledImageDataset | VideoDataset | CaptionedImageDataset, path: Path
) -> None:
    """Refuses images that are longer on one side than on the other."""
    height, width, _ = dataset.image_shape
    if height != width:
        raise DataError(f"{path}: images are {width} x {height}, not square\n  Set data.image_size to stretch them.")


@check.register
def _(dataset: LabelledTextDataset | AudioDataset, spec: ModelSpec, path: Path) -> None:
    check_classes(dataset, path, spec.task.num_classes)


def check_classes(dataset: LabelledDataset, path: Path, num_classes: int | None) -> None:
    """Refuses labels that there is nothing to learn from, or other ones than the spec says."""
    if len(np.unique(dataset.train.labels)) < 2:
        raise DataError(f"{path}: one class only among the training data\n  To classify, it takes two or more.")
    if num_classes is not None and num_classes != dataset.num_classes:
        counts = f"task.num_classes is {num_classes}, but the data have {dataset.num_classes} classes"
        raise DataError(f"{path}: {counts} ({shorten(dataset.class_names)})\n  Change one of them.")


@check.register
def _(dataset: TextDataset, spec: ModelSpec, path: Path) -> None:
    check_windows(dataset, spec, path, "character", "a longer text")


@check.register
def _(dataset: AudioTokenDataset, spec: ModelSpec, path: Path) -> None:
    check_windows(dataset, spec, path, "token", "more recordings")


def check_windows(dataset: TextDataset | AudioTokenDataset, spec: ModelSpec, path: Path, one: str, remedy: str) -> None:
    """Refuses a split that does not fill one window."""
    context_window = spec.constraints.context_window or 1
    for split in SPLITS:
        length = len(getattr(dataset, split))
        if length < context_window + 1:
            needed = f"{split} has {length} {one}s, a window of {context_window} and its next {one} need more"
            raise DataError(f"{path}: {needed}\n  Give {remedy}, or lower constraints.context_window.")


def shorten(names: tuple[str, ...]) -> str:
    return ", ".join(names if len(names) <= 12 else (*names[:10], "...", names[-1]))


def describe(dataset: Dataset) -> list[str]:
    """Returns what a user wants to know of a dataset, as lines for the console."""
    sizes = ", ".join(f"{split} {len(getattr(dataset, split)):,}" for split in SPLITS)
    return [*facts(dataset, sizes), *dataset.notes]


@functools.singledispatch
def facts(dataset: Dataset, sizes: str) -> list[str]:
    """What it is and what its labels are, as lines; `sizes` says how many examples each split has."""
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@facts.register
def _(dataset: ImageDataset, sizes: str) -> list[str]:
    return [_images(dataset, sizes), class_line(dataset.class_names)]


@facts.register
def _(dataset: UnlabelledImageDataset, sizes: str) -> list[str]:
    return [_images(dataset, sizes)]


@facts.register
def _(dataset: CodeDataset, sizes: str) -> list[str]:
    return [f"{dataset.name}: {dataset.code_length} numbers each; {sizes}", class_line(dataset.class_names)]


@facts.register
def _(dataset: CaptionedImageDataset, sizes: str) -> list[str]:
    _, length = dataset.train.tokens.shape
    return [_images(dataset, sizes), f"texts of up to {length} characters", _vocabulary(dataset.vocabulary)]


def _images(dataset: ImageDataset | UnlabelledImageDataset | CaptionedImageDataset, sizes: str) -> str:
    return f"{dataset.name}: images of {_pixels(dataset)}; {sizes}"


def _pixels(dataset: ImageDataset | UnlabelledImageDataset | VideoDataset | CaptionedImageDataset) -> str:
    height, width, channels = dataset.image_shape
    kind = {1: "gray", 3: "RGB"}.get(channels, f"{channels} channels")
    return f"{width} x {height} ({kind})"


@facts.register
def _(dataset: TextDataset, sizes: str) -> list[str]:
    return [f"{dataset.name}: text; characters for {sizes}", _vocabulary(dataset.vocabulary)]


@facts.register
def _(dataset: LabelledTextDataset, sizes: str) -> list[str]:
    _, length = dataset.train.tokens.shape
    lines = [f"{dataset.name}: texts of up to {length} characters; {sizes}", class_line(dataset.class_names)]
    return [*lines, _vocabulary(dataset.vocabulary)]


@facts.register
def _(dataset: AudioDataset, sizes: str) -> list[str]:
    kind = f"clips of {dataset.clip_seconds:g} s at {dataset.sample_rate:,} samples a second"
    return [f"{dataset.name}: {kind}; {sizes}", class_line(dataset.class_names)]


@facts.register
def _(dataset: AudioTokenDataset, sizes: str) -> list[str]:
    kind = f"clips of {dataset.clip_seconds:g} s at {dataset.sample_rate:,} samples a second, {dataset.clip_tokens} tokens each"
    return [f"{dataset.name}: {kind}; tokens for {sizes}", f"{dataset.num_tokens} different tokens"]


@facts.register
def _(dataset: VideoDataset, sizes: str) -> list[str]:
    clips = f"{dataset.name}: clips of {dataset.num_frames} frames of {_pixels(dataset)}; {sizes}"
    return [clips, class_line(dataset.class_names)]


def class_line(names: tuple[str, ...]) -> str:
    """How many classes there are, and what they are called."""
    return f"{len(names)} classes: {shorten(names)}"


def _vocabulary(vocabulary: str) -> str:
    return f"vocabulary of {len(vocabulary)} characters: {shorten_vocabulary(vocabulary)}"


def shorten_vocabulary(vocabulary: str) -> str:
    """Shows characters as they would be written in Python, without the quotes."""
    shown = repr(vocabulary[:100])[1:-1]
    return shown if len(vocabulary) <= 100 else f"{shown}..."
