"""A convolutional network: residual blocks of 3 x 3 convolutions on a grid of positions."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family, Grid
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

CNN = Family(
    name="cnn",
    title="convolutional network",
    model_class="ConvolutionalNetwork",
    dimensions=(
        Dimension("stride", STRUCTURE, (), "pixels from one position to the next, along each side"),
        Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
        Dimension("activation", STRUCTURE, ("gelu",), "function between the two convolutions of a block"),
        Dimension("width", SIZE, (16, 24, 32, 48, 64, 96), "channels of the residual stream"),
        Dimension("num_layers", SIZE, (1, 2, 3, 4), "number of blocks"),
        Dimension("hidden", SIZE, (16, 24, 32, 48, 64, 96), "channels between the two convolutions of a block"),
        Dimension("learning_rate", HYPERPARAMETER, (2e-3, 5e-3, 1e-2, 2e-2, 4e-2), "peak of the schedule"),
        WEIGHT_DECAY,
        WARMUP_STEPS,
    ),
    fragments=(
        INITIALIZER,
        NORM,
        "fragments/embeddings/space_to_depth.py.j2",
        "fragments/blocks/convolution.py.j2",
        "fragments/blocks/convolution_block.py.j2",
        "fragments/embeddings/convolution_stem.py.j2",
        "fragments/encoders/cnn.py.j2",
    ),
    width="width",
    parameter='axes=("width", "num_classes"), fan_in=("width",)',
    parallel=("hidden",),
    # Widths of WRN-28-10 (Zagoruyko and Komodakis, 2016), which has 12 such blocks; of an earlier stage of it before.
    anchors=(
        {"width": 320, "num_layers": 8, "hidden": 320},
        {"width": 640, "num_layers": 12, "hidden": 640},
    ),
    grid=Grid("stride", smallest=1, fewest=4, usual=8),
)
