"""A residual network: blocks of convolutions at three resolutions, each of its own width and depth."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, Dimension, Family, Grid
from metagen_jax.synth.modalities.levels import LEVELS, STRUCTURE_OF_LEVELS, level_dimensions, level_lengths
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

WIDTHS = {1: (8, 12, 16, 24, 32), 2: (16, 24, 32, 48, 64), 3: (24, 32, 48, 64, 96)}


def _level(number: int) -> tuple[Dimension, ...]:
    return level_dimensions(number, WIDTHS[number], (1, 2, 3), f"number of blocks of level {number}")


RESNET = Family(
    name="resnet",
    title="residual network",
    model_class="ResidualNetwork",
    dimensions=(
        *STRUCTURE_OF_LEVELS,
        *(dimension for level in LEVELS for dimension in _level(level)),
        Dimension("learning_rate", HYPERPARAMETER, (2e-3, 5e-3, 1e-2, 2e-2), "peak of the schedule"),
        WEIGHT_DECAY,
        WARMUP_STEPS,
    ),
    fragments=(
        INITIALIZER,
        NORM,
        "fragments/embeddings/space_to_depth.py.j2",
        "fragments/blocks/convolution.py.j2",
        "fragments/blocks/{block}_block.py.j2",
        "fragments/blocks/downsampling.py.j2",
        "fragments/embeddings/convolution_stem.py.j2",
        "fragments/encoders/resnet.py.j2",
    ),
    width="width",
    parameter='axes=("width_3", "num_classes"), fan_in=("width_3",)',
    parallel=tuple(f"hidden_{level}" for level in LEVELS),
    # WRN-22-8 and WRN-28-10 (Zagoruyko and Komodakis, 2016).
    anchors=(level_lengths((128, 256, 512), 3), level_lengths((160, 320, 640), 4)),
    grid=Grid("stride", smallest=1, fewest=4, usual=16),
    levels=len(LEVELS),
)
