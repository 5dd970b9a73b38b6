"""Choices, fragments and axes that every transformer family shares."""

import dataclasses
import math
from collections.abc import Mapping

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

BLOCK_FRAGMENTS = (
    INITIALIZER,
    NORM,
    "fragments/blocks/attention.py.j2",
    "fragments/blocks/feed_forward.py.j2",
    "fragments/blocks/transformer_block.py.j2",
)

DIMENSIONS = (
    Dimension("norm", STRUCTURE, ("rms",), "normalisation before each half of a block"),
    Dimension("activation", STRUCTURE, ("gelu",), "function between the two matmuls of a feed-forward network"),
    Dimension("d_model", SIZE, (16, 24, 32, 48, 64, 96), "width of the residual stream"),
    Dimension("num_layers", SIZE, (1, 2, 3, 4), "number of blocks"),
    Dimension("num_heads", SIZE, (1, 2, 3, 4), "attention heads in each block"),
    Dimension("head_dim", SIZE, (8, 12, 16, 24), "width of each head"),
    Dimension("d_ff", SIZE, (32, 64, 96, 128, 192, 256), "inner width of the feed-forward network"),
    Dimension("learning_rate", HYPERPARAMETER, (5e-4, 1e-3, 2e-3, 4e-3, 6e-3), "peak of the schedule"),
    WEIGHT_DECAY,
    WARMUP_STEPS,
)


WIDTH = "d_model"
PARAMETER = 'axes=("d_model", "d_ff"), fan_in=("d_model",)'
PARALLEL = ("d_ff", "num_heads")

# GPT-2 small (Radford et al., 2019) and ViT-Base (Dosovitskiy et al., 2020); Llama 3 of 8 and of 70 billion parameters
# (Grattafiori et al., 2024).
ANCHORS = (
    {"d_model": 768, "num_layers": 12, "num_heads": 12, "head_dim": 64, "d_ff": 3072},
    {"d_model": 4096, "num_layers": 32, "num_heads": 32, "head_dim": 128, "d_ff": 14336},
    {"d_model": 8192, "num_layers": 80, "num_heads": 64, "head_dim": 128, "d_ff": 28672},
)

# Attention whose key/value heads serve several query heads each (Ainslie et al., 2023). There are num_kv_heads times
# queries_per_kv_head query heads, so that any two lengths go together, those of prototypes too; here no more of them than
# num_heads goes up to.
GROUPED_HEADS = (
    Dimension("num_kv_heads", SIZE, (1, 2), "key/value heads in each block"),
    Dimension("queries_per_kv_head", SIZE, (1, 2), "query heads that share a key/value head"),
)
GROUPED_FRAGMENTS = {
    "fragments/blocks/attention.py.j2": "fragments/blocks/grouped_query_attention.py.j2",
    "fragments/blocks/transformer_block.py.j2": "fragments/blocks/grouped_query_block.py.j2",
    "fragments/fusion/cross_attention.py.j2": "fragments/fusion/grouped_query_cross_attention.py.j2",
    "fragments/blocks/decoder_block.py.j2": "fragments/blocks/grouped_query_decoder_block.py.j2",
}
MOST_KV_HEADS = 8  # as Llama 3 has at every size


def with_grouped_queries(family: Family) -> Family:
    """Adds the variant whose attention groups its query heads."""
    kv_heads, queries = (dimension.name for dimension in GROUPED_HEADS)

    def grouped(lengths: Mapping[str, int]) -> dict[str, int]:
        others = {axis: length for axis, length in lengths.items() if axis != "num_heads"}
        num_kv_heads = math.gcd(lengths["num_heads"], MOST_KV_HEADS)
        return others | {kv_heads: num_kv_heads, queries: lengths["num_heads"] // num_kv_heads}

    variant = dataclasses.replace(
        family,
        dimensions=tuple(
            each for d in family.dimensions for each in (GROUPED_HEADS if d.name == "num_heads" else (d,))
        ),
        fragments=tuple(GROUPED_FRAGMENTS.get(fragment, fragment) for fragment in family.fragments),
        parallel=tuple(kv_heads if axis == "num_heads" else axis for axis in family.parallel),
        parallel_fallback=(queries,),
        anchors=tuple(grouped(anchor) for anchor in family.anchors),
    )
    return dataclasses.replace(family, variants=(variant,))
