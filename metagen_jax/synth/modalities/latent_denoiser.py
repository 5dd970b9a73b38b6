"""A network that tells noise from codes: residual blocks on one vector, each of them told time and label."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

LATENT_DENOISER = Family(
    name="latent_denoiser",
    title="latent denoiser",
    model_class="LatentDenoiser",
    dimensions=(
        Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
        Dimension("activation", STRUCTURE, ("gelu",), "function inside a block"),
        Dimension("condition", SIZE, (16, 32, 64), "numbers that time and label are told by"),
        Dimension("width", SIZE, (32, 48, 64, 96, 128, 192), "numbers of the residual stream"),
        Dimension("hidden", SIZE, (32, 64, 96, 128, 192, 256), "numbers inside a block"),
        Dimension("num_layers", SIZE, (1, 2, 3, 4), "number of blocks"),
        Dimension("learning_rate", HYPERPARAMETER, (1e-3, 2e-3, 3e-3, 5e-3), "peak of the schedule"),
        WEIGHT_DECAY,
        WARMUP_STEPS,
    ),
    fragments=(
        INITIALIZER,
        NORM,
        "fragments/blocks/told_block.py.j2",
        "fragments/embeddings/time.py.j2",
        "fragments/embeddings/label.py.j2",
        "fragments/diffusion/cosine_schedule.py.j2",
        "fragments/diffusion/ddim.py.j2",
        "fragments/decoders/latent_denoiser.py.j2",
    ),
    width="width",
    parameter='axes=("condition", "width"), fan_in=("condition",)',
    parallel=("hidden",),
    # The networks that say the noise of one position in the smallest and the largest model of Li et al. (2024).
    anchors=(
        {"condition": 1024, "width": 1024, "hidden": 1024, "num_layers": 6},
        {"condition": 1536, "width": 1536, "hidden": 1536, "num_layers": 12},
    ),
)
