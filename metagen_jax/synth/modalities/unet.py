"""A U-Net that tells noise from images: residual blocks at three resolutions, down and up again."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family, Grid
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

TIME_FEATURES = 32  # as in fragments/embeddings/time.py.j2
LEVELS = (1, 2, 3)  # each has half as many positions along a side as the one before
WIDTHS = {1: (12, 16, 24, 32), 2: (16, 24, 32, 48, 64), 3: (24, 32, 48, 64, 96)}


def _level(number: int) -> tuple[Dimension, ...]:
    where = f"of level {number}"
    blocks = "number of blocks in the middle" if number == LEVELS[-1] else f"number of blocks {where}, down and up each"
    return (
        Dimension(f"width_{number}", SIZE, WIDTHS[number], f"channels of the residual stream {where}"),
        Dimension(f"num_layers_{number}", SIZE, (1, 2), blocks),
        Dimension(f"hidden_{number}", SIZE, WIDTHS[number], f"channels inside a block {where}"),
    )


def _anchor(condition: int, widths: tuple[int, ...], num_layers: int) -> dict[str, int]:
    return {"condition": condition} | {
        f"{axis}_{level}": length
        for level, width in zip(LEVELS, widths, strict=True)
        for axis, length in (("width", width), ("num_layers", num_layers), ("hidden", width))
    }


UNET = Family(
    name="unet",
    title="U-Net",
    model_class="UNet",
    dimensions=(
        Dimension("stride", STRUCTURE, (), "pixels from one position of level 1 to the next, along each side"),
        Dimension("block", STRUCTURE, ("convolution",), "what a block is made of"),
        Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
        Dimension("activation", STRUCTURE, ("gelu",), "function inside a block"),
        Dimension("condition", SIZE, (16, 32, 64), "numbers that time and label are told by"),
        *(dimension for level in LEVELS for dimension in _level(level)),
        Dimension("learning_rate", HYPERPARAMETER, (2e-3, 5e-3, 1e-2), "peak of the schedule"),
        WEIGHT_DECAY,
        WARMUP_STEPS,
    ),
    fragments=(
        INITIALIZER,
        NORM,
        "fragments/embeddings/space_to_depth.py.j2",
        "fragments/decoders/depth_to_space.py.j2",
        "fragments/blocks/convolution.py.j2",
        "fragments/blocks/{block}_block.py.j2",
        "fragments/blocks/downsampling.py.j2",
        "fragments/blocks/upsampling.py.j2",
        "fragments/embeddings/convolution_stem.py.j2",
        "fragments/embeddings/time.py.j2",
        "fragments/embeddings/label.py.j2",
        "fragments/diffusion/cosine_schedule.py.j2",
        "fragments/diffusion/ddim.py.j2",
        "fragments/decoders/unet.py.j2",
    ),
    width="width",
    parameter='axes=("condition", "width_1"), fan_in=("condition",)',
    parallel=tuple(f"hidden_{level}" for level in LEVELS),
    # Widths of the first three levels of networks of Ho et al. (2020) and of Dhariwal and Nichol (2021).
    anchors=(_anchor(512, (128, 256, 256), 2), _anchor(768, (192, 384, 576), 3)),
    grid=Grid("stride", smallest=1, fewest=4, usual=14),
    levels=len(LEVELS),
)
