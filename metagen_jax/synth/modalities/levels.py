"""What families of three resolutions share: their structure, and the axes that each level has of its own."""

from metagen_jax.synth.modalities.base import SIZE, STRUCTURE, Dimension

LEVELS = (1, 2, 3)  # each has half as many positions along a side as the one before

STRUCTURE_OF_LEVELS = (
    Dimension("stride", STRUCTURE, (), "pixels from one position of level 1 to the next, along each side"),
    Dimension("block", STRUCTURE, ("convolution",), "what a block is made of"),
    Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
    Dimension("activation", STRUCTURE, ("gelu",), "function inside a block"),
)


def level_dimensions(
    level: int, widths: tuple[int, ...], depths: tuple[int, ...], blocks: str
) -> tuple[Dimension, ...]:
    """The sizes of a level.

    Args:
      widths: that its residual stream and its blocks may have.
      depths: how many blocks there may be; `blocks` says of what that is the number.
    """
    return (
        Dimension(f"width_{level}", SIZE, widths, f"channels of the residual stream of level {level}"),
        Dimension(f"num_layers_{level}", SIZE, depths, blocks),
        Dimension(f"hidden_{level}", SIZE, widths, f"channels inside a block of level {level}"),
    )


def level_lengths(widths: tuple[int, ...], num_layers: int) -> dict[str, int]:
    """The sizes of a network whose levels have these widths, and equally many blocks of the same width."""
    return {
        f"{axis}_{level}": length
        for level, width in zip(LEVELS, widths, strict=True)
        for axis, length in (("width", width), ("num_layers", num_layers), ("hidden", width))
    }
