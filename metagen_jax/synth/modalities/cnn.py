"""A convolutional network: residual blocks of 3 x 3 convolutions on a grid of positions."""

from collections.abc import Mapping
from typing import Any

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, CostTerms, Dimension, Family, Grid
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY


def _no_flops(sizes: Mapping[str, Any], num_positions: int) -> Any:
    """Every product of a convolution is one with a parameter."""
    return 0.0


def _kept(sizes: Mapping[str, Any], num_positions: int) -> Any:
    # Of what each convolution reads: nine neighbours, itself, its norm or activation and the values inside of these. Of
    # the block that the backward pass is at: gradients of most of these. Rounded up so that it errs on the large side:
    # 1.0 to 1.3 times what XLA allocates on a CPU, from 7 x 7 to 14 x 14 positions.
    block = sizes["width"] + sizes["hidden"]
    return 13 * sizes["num_layers"] * block + 10 * block


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
        "fragments/blocks/convolution.py.j2",
        "fragments/blocks/convolution_block.py.j2",
        "fragments/embeddings/convolution_stem.py.j2",
        "fragments/encoders/cnn.py.j2",
    ),
    width="width",
    parameter='axes=("width", "num_classes"), fan_in=("width",)',
    parallel=("hidden",),
    cost_terms=CostTerms(flops=_no_flops, kept=_kept),
    grid=Grid("stride", smallest=1, fewest=4, usual=8),
)
