"""Data: the sets that ship with the package, the user's own files and baselines. Knows nothing of networks."""

from metagen_jax.data.baselines import (
    bigram_bits_per_character,
    lagged_bits_per_token,
    majority_accuracy,
    mean_image_mse,
    naive_bayes_accuracy,
    nearest_spectrum_accuracy,
    pca_mse,
    unigram_bits_per_token,
)
from metagen_jax.data.characters import decode, decode_padded, encode
from metagen_jax.data.datasets import (
    SPLITS,
    AudioDataset,
    AudioSplit,
    AudioTokenDataset,
    Dataset,
    DrawnImageDataset,
    ImageDataset,
    ImageSplit,
    LabelledTextDataset,
    LabelledTextSplit,
    TextDataset,
    UnlabelledImageDataset,
)
from metagen_jax.data.export import save_npz, sha256
from metagen_jax.data.loading import describe, load_dataset

__all__ = [
    "SPLITS",
    "AudioDataset",
    "AudioSplit",
    "AudioTokenDataset",
    "Dataset",
    "DrawnImageDataset",
    "ImageDataset",
    "ImageSplit",
    "LabelledTextDataset",
    "LabelledTextSplit",
    "TextDataset",
    "UnlabelledImageDataset",
    "bigram_bits_per_character",
    "decode",
    "decode_padded",
    "describe",
    "encode",
    "lagged_bits_per_token",
    "load_dataset",
    "majority_accuracy",
    "mean_image_mse",
    "naive_bayes_accuracy",
    "nearest_spectrum_accuracy",
    "pca_mse",
    "save_npz",
    "sha256",
    "unigram_bits_per_token",
]
