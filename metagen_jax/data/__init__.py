"""Data: the sets that ship with the package, the user's own files, batches and baselines. Knows nothing of networks."""

from metagen_jax.data.baselines import bigram_bits_per_character, majority_accuracy
from metagen_jax.data.batches import batch_indices, num_windows, text_windows
from metagen_jax.data.characters import decode, encode
from metagen_jax.data.datasets import SPLITS, Dataset, ImageDataset, ImageSplit, TextDataset
from metagen_jax.data.export import save_npz, sha256
from metagen_jax.data.loading import describe, load_dataset

__all__ = [
    "SPLITS",
    "Dataset",
    "ImageDataset",
    "ImageSplit",
    "TextDataset",
    "batch_indices",
    "bigram_bits_per_character",
    "decode",
    "describe",
    "encode",
    "load_dataset",
    "majority_accuracy",
    "num_windows",
    "save_npz",
    "sha256",
    "text_windows",
]
