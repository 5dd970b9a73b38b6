"""What the templates of a project read of its data: one function for each kind of dataset."""

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from metagen_jax.data import (
    AudioDataset,
    AudioTokenDataset,
    CaptionedImageDataset,
    CodeDataset,
    Dataset,
    DescribedImageDataset,
    DrawnImageDataset,
    ImageDataset,
    LabelledTextDataset,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
)
from metagen_jax.synth.documents import (
    EXAMPLE_CLIP,
    EXAMPLE_TEXT,
    EXAMPLE_WAVE,
    PICTURE_MODES,
    data_card,
    example_counts,
    example_file,
    quoted_prompt,
)
from metagen_jax.synth.markdown import fence, inline

PICTURE_KINDS = {"L": "grey", "LA": "grey with transparency", "RGB": "colour", "RGBA": "colour with transparency"}
DARK = 85  # mean of the training images, of 255, below which they are called light on dark
MOST_LABELS = 30  # that are listed
LABELS_FILE = ("labels.json", "the names of the labels")
OF_DRAWING = (
    "For drawing images like these, for learning how a diffusion model works, and as a starting point for other "
    "data. Not as a source of evidence: what it draws is made up."
)
UNCALIBRATED = "Its probabilities have not been calibrated, and it has not been examined for bias."

Samples = tuple[tuple[str, str], ...]


@functools.singledispatch
def data_context(dataset: Dataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    """Nothing in it that goes into Python was written by a user.

    Args:
      lengths: of the axes that data and spec decide.
      samples: inputs and answers of the model.
    """
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@data_context.register
def _(dataset: ImageDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    of_images = _labelled_image_context(dataset, samples)
    example = of_images["example_file"]
    return {
        **of_images,
        "examples_function": "",
        "infer_command": f"python infer.py {example}",
        "intended": (
            "For naming what an image of this kind shows, for learning how such a network works, and as a starting "
            "point for other data. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It always answers with one of its {dataset.num_classes} labels, also when the image shows something else.",
            f"It was trained on {len(dataset.train):,} images; others that differ in framing, background or lighting "
            "will be recognised less well.",
            UNCALIBRATED,
        ],
        "data_files": [LABELS_FILE, (example, "the first image of the test data, to try it with")],
    }


@data_context.register
def _(dataset: DrawnImageDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    of_images = _labelled_image_context(dataset, samples)
    return {
        **of_images,
        "ending": "npy" if of_images["array_input"] else "png",
        "num_labels": dataset.num_classes,
        "example_noun": "noisy image",
        "examples_function": "seeded",
        "infer_command": "python infer.py",
        "intended": OF_DRAWING,
        "limits": [
            *_limits_of_drawing(len(dataset.train)),
            "An image takes as many passes through the network as there are steps, twice over with guidance.",
        ],
        "data_files": [LABELS_FILE],
    }


@data_context.register
def _(dataset: CodeDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    pictures = _picture_context(dataset.image_shape[-1])
    return {
        **pictures,
        "ending": "npy" if pictures["array_input"] else "png",
        "num_labels": dataset.num_classes,
        "latent": dataset.code_length,
        "example_noun": "noisy code",
        "train_arguments": "codes, labels",
        "train_values": "*train_data",
        "examples_function": "seeded",
        "infer_command": "python infer.py",
        "data_arrays": "train_codes and train_labels, the same for validation and test, and class_names",
        "data_card": data_card(
            dataset,
            f"{example_counts(dataset)} codes of {dataset.code_length} numbers, scaled to a mean of 0 and a variance of 1. "
            f"Labels: {listed_classes(dataset.class_names)}.",
        ),
        "intended": OF_DRAWING,
        "limits": [
            *_limits_of_drawing(len(dataset.train)),
            "It draws codes, and what an image is drawn from them depends on the autoencoder, which leaves out details.",
            "A code takes as many passes through the network as there are steps, twice over with guidance.",
        ],
        "data_files": [
            LABELS_FILE,
            ("scale.json", "mean and deviation of the codes before they were scaled"),
            ("autoencoder/", "what draws images from codes, a project of its own"),
        ],
    }


@data_context.register
def _(dataset: UnlabelledImageDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    of_images = _image_context(dataset.train, samples)
    example = of_images["example_file"]
    return {
        **of_images,
        "train_arguments": "images",
        "train_values": "train_data",
        "examples_function": "seeded",
        "infer_command": f"python infer.py {example}\npython infer.py --samples 64",
        "data_arrays": "train_images, validation_images and test_images",
        "data_card": data_card(dataset, _image_counts(dataset)),
        "intended": (
            "For putting images of this kind into short codes, for drawing images like them, for learning how such a "
            "network works, and as a starting point for other data. Not as a source of evidence: details are made up."
        ),
        "limits": [
            "What it draws is blurred: what a code does not tell is drawn as the mean of what it may be.",
            f"It was trained on {len(dataset.train):,} images; any other image is drawn as one of their kind.",
            "What it draws from random codes may come close to an image that it was trained on.",
        ],
        "data_files": [(example, "the first image of the test data, to try it with")],
    }


def _labelled_image_context(dataset: ImageDataset, samples: Samples) -> dict[str, Any]:
    """What the templates read of images with labels, whichever of the two comes out."""
    return {
        **_image_context(dataset.train.images, samples),
        "train_arguments": "images, labels",
        "train_values": "*train_data",
        "data_arrays": "train_images and train_labels, the same for validation and test, and class_names",
        "data_card": data_card(dataset, f"{_image_counts(dataset)} Labels: {listed_classes(dataset.class_names)}."),
    }


def _limits_of_drawing(num_images: int) -> list[str]:
    """What everything that draws images of labels cannot do, after training on so many."""
    return [
        "What it draws is not always what its label says, and varies less than the images that it was trained on.",
        f"It was trained on {num_images:,} images; what it draws may come close to one of them.",
    ]


def _picture_context(channels: int) -> dict[str, Any]:
    """How images of so many channels are written to files."""
    mode = PICTURE_MODES.get(channels)
    packages = [("pillow", metadata.version("pillow"))] if mode else []
    return {"further_packages": packages, "picture_mode": mode, "array_input": mode is None}


def _image_context(images: np.ndarray, samples: Samples) -> dict[str, Any]:
    """What the templates of every task with images read, from the training images, `(N, H, W, C)` uint8."""
    *_, size, channels = images.shape
    pictures = _picture_context(channels)
    alpha = pictures["picture_mode"] in ("LA", "RGBA")
    return {
        **pictures,
        "alpha": alpha,
        "dark": float((images[..., :-1] if alpha else images).mean()) < DARK,
        "image_size": size,
        "example_file": example_file(channels),
        "example_noun": "image",
        "samples": [(inline(question), inline(answer)) for question, answer in samples],
    }


@data_context.register
def _(dataset: CaptionedImageDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    of_pairs, context = _pairs_context(dataset, lengths, samples), lengths["context"]
    return {
        **of_pairs,
        "examples_function": "whole",
        "infer_command": f'python infer.py {of_pairs["example_file"]} --text "a text" --text "another"',
        "intended": (
            "For finding images of this kind by words and words by images, for learning how such a network works, and as "
            "a starting point for other data. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It was trained on {len(dataset.train):,} pairs; words that are in none of their texts say little to it.",
            f"It reads the first {context} characters of a text and nothing after them.",
            "How close an image and a text are says something only beside others: there is no bound above which they "
            "belong together.",
            "It repeats what the texts it was trained on say of people and things.",
        ],
    }


@data_context.register
def _(dataset: DescribedImageDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    of_pairs = _pairs_context(dataset, lengths, samples)
    return {
        **of_pairs,
        "examples_function": "",
        "infer_command": f"python infer.py {of_pairs['example_file']}",
        "intended": (
            "For saying in words what an image of this kind shows, for learning how such a network works, and as a starting "
            "point for other data. Not as a description to rely on, and not for decisions about people, health or safety."
        ),
        "limits": [
            f"It was trained on {len(dataset.train):,} images with texts; of what is in none of them it has no words, and it "
            "says what looks like it instead.",
            "What it says reads like its training texts whether it is right or not; it spells as it has learnt to, character "
            "by character, and may write words that there are not.",
            f"A caption has {lengths['context']} characters at most.",
            "It repeats what the texts it was trained on say of people and things.",
        ],
    }


def _pairs_context(dataset: CaptionedImageDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    """What the templates read of images with texts, whichever goes in."""
    of_images = _image_context(dataset.train.images, samples)
    return {
        **of_images,
        "context": lengths["context"],
        "train_arguments": "images, tokens",
        "train_values": "*train_data",
        "example_noun": "pair of an image and a text",
        "data_arrays": "train_images and train_tokens, the same for validation and test, and vocabulary",
        "data_card": data_card(
            dataset,
            f"{_image_counts(dataset)} Each has a text, of {len(dataset.vocabulary)} different characters in all.",
        ),
        "data_files": [
            ("vocabulary.json", "the characters; the token of each is its position plus 2"),
            (of_images["example_file"], "the first image of the test data, to try it with"),
        ],
    }


def _image_counts(dataset: ImageDataset | UnlabelledImageDataset | CaptionedImageDataset) -> str:
    return f"{example_counts(dataset)} images. {_pixels(dataset)}."


def _pixels(dataset: ImageDataset | UnlabelledImageDataset | VideoDataset | CaptionedImageDataset) -> str:
    size, _, channels = dataset.image_shape
    mode = PICTURE_MODES.get(channels)
    kind = PICTURE_KINDS[mode] if mode else f"{channels} values each"
    return f"{size} x {size} pixels, {kind}"


@data_context.register
def _(dataset: TextDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    context = lengths["context"]
    return {
        "further_packages": [],
        "train_arguments": "tokens",
        "train_values": "train_data",
        "examples_function": "windows",
        "context": context,
        "vocabulary_size": len(dataset.vocabulary),
        "example_noun": f"window of {context} characters",
        "infer_command": f"python infer.py --prompt {quoted_prompt(dataset)}",
        "fenced_samples": [(fence(prompt), fence(answer)) for prompt, answer in samples],
        "data_arrays": "train_tokens, validation_tokens, test_tokens and vocabulary",
        "data_card": data_card(
            dataset, f"{example_counts(dataset)} characters, {len(dataset.vocabulary)} different ones."
        ),
        "intended": (
            "For continuing texts of this kind, for learning how a language model works, and as a starting point for "
            "other texts. Not a source of facts or advice."
        ),
        "limits": [
            f"It sees the last {context} characters and nothing before them, so it loses the thread.",
            "It imitates the training text, errors and prejudice included, and may repeat passages of it word for word.",
            "What it writes is not meant to be true.",
            f"It knows {len(dataset.vocabulary)} characters and refuses a prompt with any other.",
        ],
        "data_files": [("vocabulary.json", "the characters; the position of each is its token")],
    }


@data_context.register
def _(dataset: LabelledTextDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    context = lengths["context"]
    return {
        "further_packages": [],
        "train_arguments": "tokens, labels",
        "train_values": "*train_data",
        "examples_function": "",
        "context": context,
        "vocabulary_size": len(dataset.vocabulary),
        "example_file": EXAMPLE_TEXT,
        "example_noun": f"text of {context} characters",
        "infer_command": f"python infer.py {EXAMPLE_TEXT}",
        "fenced_samples": [(fence(text), inline(answer)) for text, answer in samples],
        "data_arrays": "train_tokens and train_labels, the same for validation and test, class_names\nand vocabulary",
        "data_card": data_card(
            dataset,
            f"{example_counts(dataset)} texts, of {len(dataset.vocabulary)} different characters. "
            f"Labels: {listed_classes(dataset.class_names)}.",
        ),
        "intended": (
            "For naming what kind a text like these is of, for learning how such a network works, and as a starting "
            "point for other texts. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It always answers with one of its {dataset.num_classes} labels, also when none of them fits.",
            f"It reads the first {context} characters of a text and nothing after them.",
            f"It knows the {len(dataset.vocabulary)} characters of its training texts; any other is read as unknown, "
            "which it was not trained with.",
            UNCALIBRATED,
        ],
        "data_files": [
            LABELS_FILE,
            ("vocabulary.json", "the characters; the token of each is its position plus 2"),
            (EXAMPLE_TEXT, "the first text of the test data, to try it with"),
        ],
    }


@data_context.register
def _(dataset: AudioDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    seconds = f"{dataset.clip_seconds:g}"
    return {
        "further_packages": [("scipy", metadata.version("scipy"))],
        "train_arguments": "audio, labels",
        "train_values": "*train_data",
        "examples_function": "",
        "clip_seconds": seconds,
        "sample_rate": dataset.sample_rate,
        "example_file": EXAMPLE_WAVE,
        "example_noun": f"clip of {seconds} s",
        "infer_command": f"python infer.py {EXAMPLE_WAVE}",
        "samples": [(inline(question), inline(answer)) for question, answer in samples],
        "data_arrays": "train_audio and train_labels, the same for validation and test, class_names\nand sample_rate",
        "data_card": data_card(
            dataset,
            f"{example_counts(dataset)} clips of {seconds} s, {dataset.sample_rate:,} samples a second. "
            f"Labels: {listed_classes(dataset.class_names)}.",
        ),
        "intended": (
            "For naming what is heard in recordings like these, for learning how such a network works, and as a starting "
            "point for other recordings. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It always answers with one of its {dataset.num_classes} labels, also when none of them fits.",
            f"It hears the first {seconds} s of a recording and nothing after them; how loud a recording is makes no "
            "difference.",
            f"It was trained on {len(dataset.train):,} clips; others that differ in speaker, instrument, microphone or "
            "background will be recognised less well.",
            UNCALIBRATED,
        ],
        "data_files": [LABELS_FILE, (EXAMPLE_WAVE, "the first clip of the test data, to try it with")],
    }


@data_context.register
def _(dataset: AudioTokenDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    seconds, context = f"{dataset.clip_seconds:g}", lengths["context"]
    return {
        "further_packages": [("scipy", metadata.version("scipy"))],
        "train_arguments": "tokens",
        "train_values": "train_data",
        "examples_function": "windows",
        "context": context,
        "clip_seconds": seconds,
        "sample_rate": dataset.sample_rate,
        "example_file": EXAMPLE_WAVE,
        "example_noun": f"window of {context} tokens",
        "infer_command": f"python infer.py --samples 4\npython infer.py --continue {EXAMPLE_WAVE} --out continued.wav",
        "data_arrays": "train_tokens, validation_tokens, test_tokens, codebooks, sample_rate\nand clip_tokens",
        "data_card": data_card(dataset, f"{example_counts(dataset)} tokens, {dataset.num_tokens} different ones."),
        "intended": (
            "For making up sound of this kind, for learning how a model of audio tokens works, and as a starting point "
            "for other recordings. Not for speech that anyone has to understand, and not to speak as somebody."
        ),
        "limits": [
            "What it makes up has no words and no meaning: it is too small, and has heard too little.",
            f"It looks back on {context} tokens and was trained on clips of {seconds} s; longer ones lose the thread.",
            "Its tokens keep how loud bands are, and that coarsely, and nothing of phases: a recording that is only turned "
            "into tokens and back has lost much already.",
            "It may repeat parts of its training data.",
            "It hears how loud a recording is, and knows recordings as loud as those that it was trained on.",
        ],
        "data_files": [
            ("codec.py", "turns sound into tokens and back"),
            ("codec.npz", "its codebooks, and the rate and the length of clips"),
            (EXAMPLE_WAVE, "the first clip of the test data, to try it with"),
        ],
    }


@data_context.register
def _(dataset: VideoDataset, lengths: Mapping[str, int], samples: Samples) -> dict[str, Any]:
    frames = dataset.num_frames
    return {
        **_image_context(dataset.train.video, samples),
        "train_arguments": "video, labels",
        "train_values": "*train_data",
        "examples_function": "",
        "num_frames": frames,
        "example_file": EXAMPLE_CLIP,
        "example_noun": f"clip of {frames} frames",
        "infer_command": f"python infer.py {EXAMPLE_CLIP}",
        "data_arrays": "train_video and train_labels, the same for validation and test, and class_names",
        "data_card": data_card(
            dataset,
            f"{example_counts(dataset)} clips of {frames} frames, {_pixels(dataset)}. "
            f"Labels: {listed_classes(dataset.class_names)}.",
        ),
        "intended": (
            "For naming what happens in clips like these, for learning how such a network works, and as a starting point "
            "for other clips. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It always answers with one of its {dataset.num_classes} labels, also when none of them fits.",
            f"It sees {frames} frames of a clip and nothing between them; what is faster or slower than in training will "
            "be recognised less well.",
            f"It was trained on {len(dataset.train):,} clips; others that differ in framing, background or lighting will "
            "be recognised less well.",
            UNCALIBRATED,
        ],
        "data_files": [LABELS_FILE, (f"{EXAMPLE_CLIP}/", "the first clip of the test data, to try it with")],
    }


def listed_classes(class_names: Sequence[str]) -> str:
    """The names of labels as Markdown has them, all or the first of many."""
    names = ", ".join(inline(name) for name in class_names[:MOST_LABELS])
    return f"{names} and {len(class_names) - MOST_LABELS} more" if len(class_names) > MOST_LABELS else names
