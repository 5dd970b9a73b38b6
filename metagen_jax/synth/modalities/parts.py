"""Parts that families of every kind are made of: what they are called in a spec and in the generated code."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, Dimension

NORM_CLASSES = {"rms": "RMSNorm", "layer": "LayerNorm"}
ACTIVATIONS = {"gelu": ("jax.nn.gelu", "GELU"), "relu": ("jax.nn.relu", "ReLU"), "silu": ("jax.nn.silu", "SiLU")}

# What a spec may name although it is not searched unless asked for: each further structure is a further program.
KNOWN_STRUCTURE = {
    "norm": tuple(NORM_CLASSES),
    "activation": tuple(ACTIVATIONS),
    "block": ("convolution", "depthwise_separable"),
}

INITIALIZER = "fragments/initializers/fan_in_normal.py.j2"
NORM = "fragments/norms/{norm}.py.j2"

WEIGHT_DECAY = Dimension("weight_decay", HYPERPARAMETER, (0.0, 0.01, 0.05, 0.1), "decoupled, on matrices only")
WARMUP_STEPS = Dimension("warmup_steps", HYPERPARAMETER, (10, 20, 40), "steps to the peak")

MAJORITY = "always the most frequent class"  # the name of a baseline
