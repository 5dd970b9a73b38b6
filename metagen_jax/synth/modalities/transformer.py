"""Choices and fragments that every transformer family shares."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension

BLOCK_FRAGMENTS = (
    "fragments/initializers/fan_in_normal.py.j2",
    "fragments/norms/{norm}.py.j2",
    "fragments/blocks/attention.py.j2",
    "fragments/blocks/feed_forward.py.j2",
    "fragments/blocks/transformer_block.py.j2",
)

NORM_CLASSES = {"rms": "RMSNorm", "layer": "LayerNorm"}
ACTIVATIONS = {"gelu": ("jax.nn.gelu", "GELU"), "relu": ("jax.nn.relu", "ReLU"), "silu": ("jax.nn.silu", "SiLU")}

DIMENSIONS = (
    Dimension("norm", STRUCTURE, ("rms",), "normalisation before each half of a block"),
    Dimension("activation", STRUCTURE, ("gelu",), "function between the two matmuls of a feed-forward network"),
    Dimension("d_model", SIZE, (16, 24, 32, 48, 64, 96), "width of the residual stream"),
    Dimension("num_layers", SIZE, (1, 2, 3, 4), "number of blocks"),
    Dimension("num_heads", SIZE, (1, 2, 3, 4), "attention heads in each block"),
    Dimension("head_dim", SIZE, (8, 12, 16, 24), "width of each head"),
    Dimension("d_ff", SIZE, (32, 64, 96, 128, 192, 256), "inner width of the feed-forward network"),
    Dimension("learning_rate", HYPERPARAMETER, (5e-4, 1e-3, 2e-3, 4e-3, 6e-3), "peak of the schedule"),
    Dimension("weight_decay", HYPERPARAMETER, (0.0, 0.01, 0.05, 0.1), "decoupled, on matrices only"),
    Dimension("warmup_steps", HYPERPARAMETER, (10, 20, 40), "steps to the peak"),
)

# What a spec may name although it is not searched unless asked for: each further structure is a further program.
KNOWN_STRUCTURE = {"norm": tuple(NORM_CLASSES), "activation": tuple(ACTIVATIONS)}
