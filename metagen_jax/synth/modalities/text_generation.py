"""Text in, its continuation out."""

from collections.abc import Mapping

from metagen_jax.data import TextDataset, bigram_bits_per_character
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Dataset, Field
from metagen_jax.synth.modalities.token_generation import TokenGeneration


class TextGeneration(TokenGeneration):
    """Continues a text, character by character."""

    name = "text_generation"
    inputs = ("text",)
    outputs = ("text",)
    try_it = 'python infer.py --prompt "In the"'
    token = "character"
    bits = "bits_per_character"

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, TextDataset)
        return self.token_fields(spec, dataset, len(dataset.vocabulary))

    def baselines(self, dataset: Dataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        assert isinstance(dataset, TextDataset)
        return {"bigram counts": {"bits_per_character": bigram_bits_per_character(dataset)}}
