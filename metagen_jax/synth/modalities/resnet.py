"""A residual network: blocks of convolutions at three resolutions, each of its own width and depth."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family, Grid
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

LEVELS = (1, 2, 3)  # each has half as many positions along a side as the one before
WIDTHS = {1: (8, 12, 16, 24, 32), 2: (16, 24, 32, 48, 64), 3: (24, 32, 48, 64, 96)}


def _level(number: int) -> tuple[Dimension, ...]:
    where = f"of level {number}"
    return (
        Dimension(f"width_{number}", SIZE, WIDTHS[number], f"channels of the residual stream {where}"),
        Dimension(f"num_layers_{number}", SIZE, (1, 2, 3), f"number of blocks {where}"),
        Dimension(f"hidden_{number}", SIZE, WIDTHS[number], f"channels inside a block {where}"),
    )


def _anchor(widths: tuple[int, ...], num_layers: int) -> dict[str, int]:
    return {
        f"{axis}_{level}": length
        for level, width in zip(LEVELS, widths, strict=True)
        for axis, length in (("width", width), ("num_layers", num_layers), ("hidden", width))
    }


RESNET = Family(
    name="resnet",
    title="residual network",
    model_class="ResidualNetwork",
    dimensions=(
        Dimension("stride", STRUCTURE, (), "pixels from one position of level 1 to the next, along each side"),
        Dimension("block", STRUCTURE, ("convolution",), "what a block is made of"),
        Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
        Dimension("activation", STRUCTURE, ("gelu",), "function inside a block"),
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
    anchors=(_anchor((128, 256, 512), 3), _anchor((160, 320, 640), 4)),
    grid=Grid("stride", smallest=1, fewest=4, usual=16),
    levels=len(LEVELS),
)
