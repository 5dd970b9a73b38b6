"""Choices, fragments and axes that every transformer family shares."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension
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
