"""A U-Net that tells noise from images: residual blocks at three resolutions, down and up again."""

from metagen_jax.synth.modalities.base import HYPERPARAMETER, SIZE, Dimension, Family, Grid
from metagen_jax.synth.modalities.levels import LEVELS, STRUCTURE_OF_LEVELS, level_dimensions, level_lengths
from metagen_jax.synth.modalities.parts import INITIALIZER, NORM, WARMUP_STEPS, WEIGHT_DECAY

TIME_FEATURES = 32  # as in fragments/embeddings/time.py.j2
WIDTHS = {1: (12, 16, 24, 32), 2: (16, 24, 32, 48, 64), 3: (24, 32, 48, 64, 96)}


def _level(number: int) -> tuple[Dimension, ...]:
    where = "in the middle" if number == LEVELS[-1] else f"of level {number}, down and up each"
    return level_dimensions(number, WIDTHS[number], (1, 2), f"number of blocks {where}")


UNET = Family(
    name="unet",
    title="U-Net",
    model_class="UNet",
    dimensions=(
        *STRUCTURE_OF_LEVELS,
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
    anchors=(
        {"condition": 512, **level_lengths((128, 256, 256), 2)},
        {"condition": 768, **level_lengths((192, 384, 576), 3)},
    ),
    grid=Grid("stride", smallest=1, fewest=4, usual=14),
    levels=len(LEVELS),
)
