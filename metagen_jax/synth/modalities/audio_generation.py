"""Recordings in, their continuation out."""

from collections.abc import Mapping

from metagen_jax.data import AudioTokenDataset, codec, lagged_bits_per_token, unigram_bits_per_token
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Dataset, Field
from metagen_jax.synth.modalities.token_generation import TokenGeneration


class AudioGeneration(TokenGeneration):
    """Continues sound, token by token.

    References:
      Copet et al., Simple and Controllable Music Generation, 2023: its flattening of codebooks into one row of tokens.
    """

    name = "audio_generation"
    inputs = ("audio",)
    outputs = ("audio",)
    try_it = "python infer.py --samples 4"
    token = "token"
    bits = "bits_per_token"

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, AudioTokenDataset)
        return self.token_fields(spec, dataset, dataset.num_tokens)

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, AudioTokenDataset)
        scores = {
            "unigram counts": unigram_bits_per_token(dataset),
            "bigram counts": lagged_bits_per_token(dataset, 1),
            "counts after the same codebook's token": lagged_bits_per_token(dataset, codec.STAGES),
        }
        return {name: {"bits_per_token": bits} for name, bits in scores.items()}
