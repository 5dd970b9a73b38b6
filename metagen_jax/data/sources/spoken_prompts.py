"""Sentences of a telephone exchange, spoken in several languages."""

from pathlib import Path

import numpy as np

from metagen_jax.data import adpcm
from metagen_jax.data.datasets import SPLITS, AudioDataset, AudioSplit


def read_prompts(path: Path, max_examples: int | None) -> AudioDataset:
    """Reads clips that are stored by `adpcm`; their order is shuffled."""
    with np.load(path) as arrays:
        splits = {
            split: AudioSplit(adpcm.decode(arrays[f"{split}_codes"][:most]), arrays[f"{split}_labels"][:most])
            for split, most in zip(SPLITS, (max_examples, None, None), strict=True)
        }
        names, rate = tuple(arrays["class_names"].tolist()), int(arrays["sample_rate"])
    return AudioDataset(name=path.stem, class_names=names, sample_rate=rate, notes=(), **splits)
