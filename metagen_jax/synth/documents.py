"""What the documents and headers of every project say in the same words, and how files are written."""

import functools
import json
import shlex
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from metagen_jax.data import (
    SPLITS,
    AudioDataset,
    AudioTokenDataset,
    CaptionedImageDataset,
    CodeDataset,
    Dataset,
    DrawnImageDataset,
    ImageDataset,
    LabelledTextDataset,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
    codec,
    decode,
    decode_padded,
    save_npz,
)
from metagen_jax.data.export import codec_arrays, dataset_arrays, write_npz
from metagen_jax.data.waves import write_wave
from metagen_jax.spec import Training
from metagen_jax.synth.markdown import inline, printable

LARGEST_DATA_BYTES = 64_000_000  # larger data stays where it is
LINE_LENGTH = 88
PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy")
PICTURE_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # what PIL calls an image of so many channels
EXAMPLE_TEXT = "example.txt"
EXAMPLE_WAVE = "example.wav"
EXAMPLE_CLIP = "example"  # a folder of frames
LOSSES_IN_NATS = ("cross_entropy", "elbo", "contrastive")
LOSS_TITLES = dict.fromkeys(LOSSES_IN_NATS, "loss in nats") | {"denoising": "loss: mean squared error of velocities"}
METRIC_TITLES = {
    "accuracy": "accuracy (higher is better)",
    "bits_per_character": "bits per character (lower is better)",
    "bits_per_token": "bits per token (lower is better)",
    "recall_at_10": "how often the right one is among the ten best, both ways (higher is better)",
    "mse": "mean squared error of a pixel (lower is better)",
    "reconstruction": "how far images are off, in nats of the loss",
    "kl": "what codes tell (Kullback-Leibler divergence), in nats of the loss",
}


class Origin(Protocol):
    """Where a project comes from: the spec, and the versions of `metagen_jax`, `python` and every package in `PACKAGES`."""

    @property
    def spec_name(self) -> str: ...
    @property
    def spec_hash(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def versions(self) -> Mapping[str, str]: ...


def write_text(path: Path, text: str) -> None:
    """Writes text that a template gave; the same text gives the same bytes on every system."""
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Writes JSON in ASCII."""
    write_text(path, json.dumps(content, allow_nan=False))


def example_file(channels: int) -> str:
    """The name of the file for an image of so many channels."""
    return "example.png" if channels in PICTURE_MODES else "example.npy"


def write_example(path: Path, image: np.ndarray) -> None:
    """Writes an image, `(H, W, C)` uint8, as a picture or an array."""
    if path.suffix == ".npy":
        np.save(path, image)
    else:
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(path)


def is_included(dataset: Dataset) -> bool:
    """Whether a project holds its data."""
    return sum(array.nbytes for array in dataset_arrays(dataset).values()) <= LARGEST_DATA_BYTES


def write_data(folder: Path, dataset: Dataset) -> None:
    """Writes the data, where it is not too large, and what `write_meaning` does."""
    write_meaning(dataset, folder)
    if is_included(dataset):
        save_npz(dataset, folder / "data.npz")


@functools.singledispatch
def write_meaning(dataset: Dataset, folder: Path) -> None:
    """Writes what the numbers of a dataset stand for, and an example to try the model with."""
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@write_meaning.register
def _(dataset: ImageDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)
    write_example(folder / example_file(dataset.image_shape[-1]), dataset.test.images[0])


@write_meaning.register
def _(dataset: DrawnImageDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)


@write_meaning.register
def _(dataset: CodeDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)
    scale = {"mean": dataset.mean.tolist(), "deviation": dataset.deviation.tolist()}
    write_json(folder / "scale.json", scale)


@write_meaning.register
def _(dataset: UnlabelledImageDataset, folder: Path) -> None:
    write_example(folder / example_file(dataset.image_shape[-1]), dataset.test[0])


@write_meaning.register
def _(dataset: TextDataset, folder: Path) -> None:
    write_json(folder / "vocabulary.json", dataset.vocabulary)


@write_meaning.register
def _(dataset: LabelledTextDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)
    write_json(folder / "vocabulary.json", dataset.vocabulary)
    write_text(folder / EXAMPLE_TEXT, decode_padded(dataset.test.tokens[0], dataset.vocabulary))


@write_meaning.register
def _(dataset: CaptionedImageDataset, folder: Path) -> None:
    write_json(folder / "vocabulary.json", dataset.vocabulary)
    write_example(folder / example_file(dataset.image_shape[-1]), dataset.test.images[0])


@write_meaning.register
def _(dataset: AudioDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)
    write_wave(folder / EXAMPLE_WAVE, dataset.test.audio[0], dataset.sample_rate)


@write_meaning.register
def _(dataset: AudioTokenDataset, folder: Path) -> None:
    (folder / "codec.py").write_bytes(Path(codec.__file__).read_bytes())
    write_npz(codec_arrays(dataset), folder / "codec.npz")
    write_wave(folder / EXAMPLE_WAVE, dataset.examples[0], dataset.sample_rate)


@write_meaning.register
def _(dataset: VideoDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)
    (folder / EXAMPLE_CLIP).mkdir()
    for number, frame in enumerate(dataset.test.video[0], start=1):
        write_example(folder / EXAMPLE_CLIP / f"frame{number}.png", frame)


def write_labels(class_names: tuple[str, ...], folder: Path) -> None:
    """Writes the names of the labels, which are text of the user's, as JSON."""
    write_json(folder / "labels.json", [printable(name) for name in class_names])


def quoted_prompt(dataset: TextDataset) -> str:
    """A prompt that the vocabulary allows, quoted for a shell."""
    if set("In the") <= set(dataset.vocabulary):
        return '"In the"'
    words = decode(dataset.test[:1000], dataset.vocabulary).split()
    word = next((word[:8] for word in words if word.isalnum()), None)
    character = next((c for c in dataset.vocabulary if c.isprintable() and not c.isspace()), dataset.vocabulary[0])
    return shlex.quote(word or character)


def listed(words: list[str]) -> str:
    """Words as a sentence lists them.

    Examples:
      >>> listed(["a", "b", "c"])
      'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def wrapped(text: str) -> str:
    """Breaks a paragraph into lines that the generated code may have."""
    return textwrap.fill(text, LINE_LENGTH, break_long_words=False, break_on_hyphens=False)


def provenance(origin: Origin) -> str:
    """Says in one paragraph which spec, seed and versions a file was written from."""
    others = ", ".join(
        f"{package} {v}" for package, v in origin.versions.items() if package not in ("metagen_jax", "python")
    )
    return wrapped(
        f"Written by metagen_jax {origin.versions['metagen_jax']} from the spec {origin.spec_name} "
        f"(hash {origin.spec_hash}, seed {origin.seed}), with Python {origin.versions['python']}, {others}."
    )


def metric_titles(objective: str) -> dict[str, str]:
    """What a metric is called in full, by its name, where this loss was minimised."""
    return METRIC_TITLES | {"loss": f"{LOSS_TITLES.get(objective, 'loss')} (lower is better)"}


def versions_line(origin: Origin) -> str:
    """Lists all versions."""
    return ", ".join(f"{package} {version}" for package, version in origin.versions.items())


def recipe_line(training: Training, hyperparameters: Mapping[str, float], num_steps: int) -> str:
    """Says in one line how a network is trained."""
    peaks = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in hyperparameters.items())
    extras = [f"labels smoothed by {training.label_smoothing:g}"] if training.label_smoothing else []
    extras += ["images moved by a few pixels"] if training.augmentation != "none" else []
    extras += ["texts as some of their words, in any order"] if training.augmentation == "shift_and_words" else []
    extras += [f"products in {training.precision}"] if training.precision != "float32" else []
    recipe = [f"AdamW with clipping for {num_steps} steps of {training.batch_size} examples", peaks]
    return ", ".join([*recipe, f"{training.schedule} schedule", *extras])


def example_counts(dataset: Dataset) -> str:
    """Says how many examples each split has."""
    train, validation, test = (f"{len(getattr(dataset, split)):,}" for split in SPLITS)
    return f"{train} training, {validation} validation and {test} test"


def data_card(dataset: Dataset, counts: str) -> str:
    """Names a data set, how much of it there is, and what is noted about it."""
    notes = "".join(f" {inline(note[:1].upper() + note[1:]).rstrip('.')}." for note in dataset.notes)
    return f"{inline(dataset.name)}: {counts}{notes}"
