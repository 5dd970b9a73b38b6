"""A few answers of the winner, for its model card."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.data import (
    AudioDataset,
    Dataset,
    ImageDataset,
    LabelledTextDataset,
    TextDataset,
    decode,
    decode_padded,
)

PROMPT_LENGTH = 32
CONTINUATION_LENGTH = 120


def sample_answers(model: nnx.Module, dataset: Dataset, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Returns `count` pairs of input and answer on test data, both as text."""
    return _answers(dataset, model, count, seed) if count else ()


@functools.singledispatch
def _answers(dataset: Dataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    raise TypeError(f"{type(dataset).__name__} is no dataset.")


@_answers.register
def _(dataset: ImageDataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    logits = np.asarray(jax.jit(model)(dataset.test.images[:count] / np.float32(255)))
    return _named(dataset, logits, "image")


@_answers.register
def _(dataset: AudioDataset, model: nnx.Module, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    logits = np.asarray(jax.jit(model)(dataset.test.audio[:count] / np.float32(32768)))
    return _named(dataset, logits, "clip")


def _named(dataset: ImageDataset | AudioDataset, logits: np.ndarray, one: str) -> tuple[tuple[str, str], ...]:
    """The right label and the likeliest one of the first test examples."""
    truth = [dataset.class_names[label] for label in dataset.test.labels[: len(logits)]]
    answers = [dataset.class_names[label] for label in logits.argmax(-1)]
    return tuple(
        (f"test {one} {i}: {true}", answer) for i, (true, answer) in enumerate(zip(truth, answers, strict=True))
    )


@_answers.register
def _(dataset: LabelledTextDataset, model: Any, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    few = np.linspace(0, len(dataset.test) - 1, min(count, len(dataset.test))).astype(int)  # neighbours are alike
    context = model.embed.position.shape[0] * model.embed.stride
    logits = np.asarray(jax.jit(model)(dataset.test.tokens[few, :context].astype(np.int32)))
    texts = [decode_padded(tokens, dataset.vocabulary) for tokens in dataset.test.tokens[few]]
    names = np.array(dataset.class_names)
    pairs = zip(names[logits.argmax(-1)], names[dataset.test.labels[few]], strict=True)
    answers = [f"{answer} (right)" if answer == true else f"{answer} (it is {true})" for answer, true in pairs]
    return tuple(zip(texts, answers, strict=True))


@_answers.register
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
