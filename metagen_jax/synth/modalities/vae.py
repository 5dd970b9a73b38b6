"""A variational autoencoder: residual blocks on a grid of positions, before and after a short code."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family, Grid
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

VAE = Family(
    name="vae",
    title="variational autoencoder",
    model_class="VariationalAutoencoder",
    dimensions=(
        Dimension("stride", STRUCTURE, (), "pixels from one position to the next, along each side"),
        Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
        Dimension("activation", STRUCTURE, ("gelu",), "function between the two convolutions of a block"),
        Dimension("latent", SIZE, (4, 8, 12, 16, 24, 32), "numbers of a code"),
        Dimension("width", SIZE, (16, 24, 32, 48, 64), "channels of the residual stream"),
        Dimension("hidden", SIZE, (16, 24, 32, 48, 64), "channels between the two convolutions of a block"),
        Dimension("encoder_layers", SIZE, (1, 2, 3), "number of blocks before the code"),
        Dimension("decoder_layers", SIZE, (1, 2, 3), "number of blocks after the code"),
        Dimension("learning_rate", HYPERPARAMETER, (1e-3, 2e-3, 3e-3, 5e-3), "peak of the schedule"),
        WEIGHT_DECAY,
        WARMUP_STEPS,
    ),
    fragments=(
        INITIALIZER,
        NORM,
        "fragments/embeddings/space_to_depth.py.j2",
        "fragments/decoders/depth_to_space.py.j2",
        "fragments/blocks/convolution.py.j2",
        "fragments/blocks/convolution_block.py.j2",
        "fragments/embeddings/convolution_stem.py.j2",
        "fragments/decoders/vae.py.j2",
    ),
    width="width",
    parameter='axes=("position", "width", "latent"), fan_in=("position", "width")',
    parallel=("hidden",),
    # Widths of the first and the last level of the autoencoder of Rombach et al. (2022), whose codes are not flat.
    anchors=(
        {"latent": 64, "width": 128, "hidden": 128, "encoder_layers": 4, "decoder_layers": 4},
        {"latent": 256, "width": 512, "hidden": 512, "encoder_layers": 8, "decoder_layers": 8},
    ),
    grid=Grid("stride", smallest=1, fewest=4, usual=7),
)
