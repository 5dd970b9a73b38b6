"""A few answers of the winner: as text for its model card, as pictures for a figure of the run, as sound to listen to."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.automl.questions import Which, questions
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
    codec,
    decode,
    decode_padded,
)
from metagen_jax.data.export import write_npz
from metagen_jax.data.waves import write_wave

PROMPT_LENGTH = 32
CONTINUATION_LENGTH = 120
PICTURES = "pictures.npz"  # in a run's folder, where images come out
NUM_RECONSTRUCTED, NUM_DRAWN = 10, 30
NUM_ASKED, NUM_FOUND = 8, 10  # texts, and images of each row
EMBEDDED_AT_ONCE = 64
CHARACTERS_OF_A_WORD = 4  # that there is room for, as in fragments/embeddings/words.py.j2
MOST_LABELS, DRAWN_OF_LABEL = 10, 10
NUM_GENERATED = 20  # clips
FRAMES_SHOWN = 125  # of each
PAUSE_SECONDS = 0.25  # between two clips


def sample_answers(model: nnx.Module, dataset: Dataset, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Returns `count` pairs of input and answer on test data, both as text."""
    return answers_of(dataset, model, count, seed) if count else ()


@functools.singledispatch
def answers_of(dataset: Dataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Pairs of input and answer on the first `count` test examples, both as text."""
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@answers_of.register
def _(dataset: ImageDataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    return named_answers(dataset, model, count, "image")


@answers_of.register
def _(
    dataset: DrawnImageDataset | CodeDataset, model: nnx.Module, count: int, seed: int
) -> tuple[tuple[str, str], ...]:
    return ()  # images are no text


@answers_of.register
def _(dataset: AudioTokenDataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    return ()  # sound is no text


@answers_of.register
def _(dataset: AudioDataset | VideoDataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    return named_answers(dataset, model, count, "clip")


def named_answers(dataset: Dataset, model: nnx.Module, count: int, one: str) -> tuple[tuple[str, str], ...]:
    """The right label and the likeliest one of the first test examples of a dataset that `questions` knows."""
    truth, answers = _labels(dataset, model, slice(count))
    return tuple(
        (f"test {one} {i}: {true}", answer) for i, (true, answer) in enumerate(zip(truth, answers, strict=True))
    )


def _labels(dataset: Dataset, model: nnx.Module, which: Which) -> tuple[list[str], list[str]]:
    """The names of the right labels and of the likeliest ones."""
    asked = questions(dataset, model, which)
    assert asked is not None
    likeliest = np.asarray(jax.jit(model)(asked.inputs)).argmax(-1)
    right, given = ([asked.class_names[label] for label in labels] for labels in (asked.labels, likeliest))
    return right, given


@answers_of.register
def _(dataset: UnlabelledImageDataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    pixels = dataset.test[:count] / np.float32(255)
    errors = np.mean((np.asarray(jax.jit(model)(pixels)) - pixels) ** 2, axis=(1, 2, 3))
    return tuple((f"test image {i}", f"mean squared error {error:.4f}") for i, error in enumerate(errors))


@answers_of.register
def _(dataset: LabelledTextDataset, model: Any, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    few = np.linspace(0, len(dataset.test) - 1, min(count, len(dataset.test))).astype(int)  # neighbours are alike
    texts = [decode_padded(tokens, dataset.vocabulary) for tokens in dataset.test.tokens[few]]
    pairs = zip(*_labels(dataset, model, few), strict=True)
    answers = [f"{answer} (right)" if answer == true else f"{answer} (it is {true})" for true, answer in pairs]
    return tuple(zip(texts, answers, strict=True))


@answers_of.register
def _(dataset: CaptionedImageDataset, model: Any, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Of each of the first images the text, and the text that goes best with it among all of the test."""
    best = _cosines(model, dataset.test.images[:count], dataset.test.tokens).argmax(axis=1)
    texts = [decode_padded(row, dataset.vocabulary) for row in dataset.test.tokens]
    return tuple((f"test image {i}: {texts[i]}", texts[found]) for i, found in enumerate(best))


@answers_of.register
def _(dataset: DescribedImageDataset, model: Any, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Of each of the first images its own text, and what the model says, each time the likeliest character."""
    own = [decode_padded(row, dataset.vocabulary) for row in dataset.test.tokens[:count]]
    told = [decode_padded(row, dataset.vocabulary) for row in likeliest_captions(model, dataset.test.images[:count])]
    return tuple((f"test image {i}: {right}", answer) for i, (right, answer) in enumerate(zip(own, told, strict=True)))


def likeliest_captions(model: Any, images: np.ndarray) -> np.ndarray:
    """What a captioner says of images `(N, H, W, C)` uint8: `(N, context)` tokens, filled up with 0."""
    context = model.text_embed.position.shape[0]
    encoded = jax.jit(model.encode)(images / np.float32(255))
    tokens = np.zeros((len(images), context + 1), np.int32)

    @jax.jit
    def next_tokens(before: jax.Array, position: jax.Array) -> jax.Array:
        return model.decode(encoded, before)[:, position].argmax(-1)

    for position in range(context):
        tokens[:, position + 1] = next_tokens(tokens[:, :-1], np.int32(position))
    told = tokens[:, 1:]
    return told * np.logical_and.accumulate(told != 0, axis=1)


def _cosines(model: Any, images: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """How close images `(N, H, W, C)` uint8 are to texts `(M, T)`: `(N, M)`."""
    context = CHARACTERS_OF_A_WORD * model.text_embed.position.shape[0]
    embedded = _in_parts(lambda part: model.embed_images(part / 255.0), images)
    return embedded @ _in_parts(model.embed_texts, tokens[:, :context].astype(np.int32)).T


def _in_parts(embed: Callable[[np.ndarray], jax.Array], inputs: np.ndarray) -> np.ndarray:
    """What `embed` gives of all inputs, which may be too many to be taken at once."""
    compiled = jax.jit(embed)
    parts = [inputs[start : start + EMBEDDED_AT_ONCE] for start in range(0, len(inputs), EMBEDDED_AT_ONCE)]
    return np.concatenate([np.asarray(compiled(part)) for part in parts])


@answers_of.register
def _(dataset: TextDataset, model: Any, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    context = model.embed.position.shape[0]
    length = min(PROMPT_LENGTH, context // 2)
    starts = np.linspace(0, len(dataset.test) - length - 1, count).astype(int)
    prompts = np.stack([dataset.test[start : start + length] for start in starts]).astype(np.int32)
    tokens = np.zeros((count, length + CONTINUATION_LENGTH), np.int32)
    tokens[:, :length] = prompts

    @jax.jit
    def next_tokens(window: jax.Array, position: jax.Array, key: jax.Array) -> jax.Array:
        return jax.random.categorical(key, model(window)[jnp.arange(count), position] / 0.8)

    for end in range(length, tokens.shape[1]):
        window = np.zeros((count, context), np.int32)
        seen = tokens[:, max(0, end - context) : end]
        window[:, : seen.shape[1]] = seen
        key = jax.random.fold_in(jax.random.key(seed), end)
        tokens[:, end] = next_tokens(window, np.int32(seen.shape[1] - 1), key)
    return tuple((decode(row[:length], dataset.vocabulary), decode(row[length:], dataset.vocabulary)) for row in tokens)


@functools.singledispatch
def pictures(dataset: Dataset, model: Any, seed: int) -> dict[str, np.ndarray]:
    """Images that the model gives, by what they are, each `(N, H, W, C)` uint8; none where no images come out.

    Where codes are learnt from, the model is a `LatentDrawer`.
    """
    return {}


@pictures.register
def _(dataset: UnlabelledImageDataset, model: Any, seed: int) -> dict[str, np.ndarray]:
    originals = dataset.test[:NUM_RECONSTRUCTED]
    mean, _ = jax.jit(model.encode)(originals / np.float32(255))
    drawn = jax.random.normal(jax.random.key(seed), (NUM_DRAWN, mean.shape[-1]))
    codes = {"reconstructions": mean, "drawn": drawn}
    return {"originals": originals} | {name: _as_bytes(jax.jit(model.decode)(each)) for name, each in codes.items()}


@pictures.register
def _(dataset: DrawnImageDataset, model: Any, seed: int) -> dict[str, np.ndarray]:
    return _drawn_by_label(model, dataset.num_classes, dataset.image_shape, seed)


@pictures.register
def _(dataset: CodeDataset, model: Any, seed: int) -> dict[str, np.ndarray]:
    return _drawn_by_label(model, dataset.num_classes, (dataset.code_length,), seed)


def _drawn_by_label(model: Any, num_classes: int, shape: tuple[int, ...], seed: int) -> dict[str, np.ndarray]:
    """Images that a model draws out of noise, `(*shape,)` each."""
    labels = jnp.repeat(jnp.arange(min(num_classes, MOST_LABELS)), DRAWN_OF_LABEL)
    noise = jax.random.normal(jax.random.key(seed), (len(labels), *shape))
    return {"drawn_by_label": _as_bytes(jax.jit(lambda *inputs: model.draw(*inputs))(noise, labels))}


@pictures.register
def _(dataset: CaptionedImageDataset, model: Any, seed: int) -> dict[str, np.ndarray]:
    """For each of the first texts of the test a row: its own image, then those of the test that go best with it."""
    close = _cosines(model, dataset.test.images, dataset.test.tokens[:NUM_ASKED])  # (images, texts)
    best = np.argsort(-close, axis=0, kind="stable")[: NUM_FOUND - 1].T
    rows = np.concatenate([np.arange(len(best))[:, None], best], axis=1)
    return {"own_image_and_best_found": dataset.test.images[rows.ravel()]}


@pictures.register
def _(dataset: DescribedImageDataset, model: Any, seed: int) -> dict[str, np.ndarray]:
    return {}  # texts come out


def _as_bytes(images: jax.Array) -> np.ndarray:
    """Values in 0..1 as whole numbers in 0..255; those beyond are cut off."""
    return np.asarray(jnp.round(255 * jnp.clip(images, 0, 1)), np.uint8)


@functools.singledispatch
def write_pictures(dataset: Dataset, model: Any, folder: Path, seed: int) -> None:
    """Leaves what `pictures` gives as `pictures.npz` in a run's folder, if there is any."""
    images = pictures(dataset, model, seed)
    if images:
        write_npz(images, folder / PICTURES)


@write_pictures.register
def _(dataset: AudioTokenDataset, model: Any, folder: Path, seed: int) -> None:
    """Leaves sounds to listen to as well: test clips by their tokens alone, and what the model makes up."""
    recorded = codec.measure(dataset.examples, dataset.sample_rate)
    coded = codec.decode(codec.encode(recorded, dataset.codebooks), dataset.codebooks)
    generated = codec.decode(generated_tokens(dataset, model, NUM_GENERATED, seed), dataset.codebooks)
    levels = {"recorded": recorded, "coded": coded, "generated": generated}
    write_npz({name: _spectrograms(clips) for name, clips in levels.items()}, folder / PICTURES)
    pause = np.zeros(round(PAUSE_SECONDS * dataset.sample_rate), np.int16)
    for name in ("coded", "generated"):
        clips = [codec.synthesise(clip, dataset.sample_rate) for clip in levels[name]]
        audio = np.concatenate([part for clip in clips for part in (clip, pause)])
        write_wave(folder / f"{name}.wav", audio, dataset.sample_rate)


def generated_tokens(dataset: AudioTokenDataset, model: Any, count: int, seed: int) -> np.ndarray:
    """Draws clips from their start on, side by side, each token out of the codebook whose turn it is.

    Returns:
      `(count, N)`, as many as a clip has, or as the model can look at.
    """
    stages, num_codes, _ = dataset.codebooks.shape
    context = model.embed.position.shape[0]
    length = min(dataset.clip_tokens, context - 1) // stages * stages
    window = np.zeros((count, context), np.int32)
    window[:, 0] = dataset.start

    @jax.jit
    def next_tokens(window: jax.Array, position: jax.Array, stage: jax.Array, key: jax.Array) -> jax.Array:
        logits = model(window)[:, position]  # (count, vocabulary)
        own = jnp.arange(logits.shape[-1]) // num_codes == stage
        return jax.random.categorical(key, jnp.where(own, logits, -jnp.inf))

    for number in range(length):
        key = jax.random.fold_in(jax.random.key(seed), number)
        following = next_tokens(window, np.int32(number), np.int32(number % stages), key)
        window[:, number + 1] = following
    return window[:, 1 : length + 1]


def _spectrograms(levels: np.ndarray) -> np.ndarray:
    """Levels of clips as pictures, low bands at the bottom, the loudest white: `(N, bands, frames + 1, 1)` uint8."""
    shares = levels[:, :FRAMES_SHOWN].swapaxes(1, 2)[:, ::-1] / (-codec.QUIETEST * codec.UNITS)
    apart = np.pad(shares, ((0, 0), (0, 0), (0, 1)), constant_values=1.0)
    return np.asarray(np.rint(255 * np.clip(apart, 0, 1)), np.uint8)[..., None]
