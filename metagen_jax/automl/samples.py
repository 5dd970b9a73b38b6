"""A few answers of the winner, for its model card."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from metagen_jax.data import Dataset, ImageDataset, TextDataset, decode

PROMPT_LENGTH = 32
CONTINUATION_LENGTH = 120


def sample_answers(model: nnx.Module, dataset: Dataset, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Returns `count` pairs of input and answer on test data, both as text."""
    if not count:
        return ()
    if isinstance(dataset, ImageDataset):
        return _label_images(model, dataset, count)
    return _continue_texts(model, dataset, count, seed)


def _label_images(model: nnx.Module, dataset: ImageDataset, count: int) -> tuple[tuple[str, str], ...]:
    logits = np.asarray(jax.jit(model)(dataset.test.images[:count] / np.float32(255)))
    truth = [dataset.class_names[label] for label in dataset.test.labels[:count]]
    answers = [dataset.class_names[label] for label in logits.argmax(-1)]
    return tuple(
        (f"test image {i}: {true}", answer) for i, (true, answer) in enumerate(zip(truth, answers, strict=True))
    )


def _continue_texts(model: Any, dataset: TextDataset, count: int, seed: int) -> tuple[tuple[str, str], ...]:
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
