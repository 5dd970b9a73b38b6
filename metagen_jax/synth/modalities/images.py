"""What every task has in common that reads square images, or frames of video: their sizes, and how a family divides them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from metagen_jax.data import CaptionedImageDataset, ImageDataset, UnlabelledImageDataset, VideoDataset
from metagen_jax.errors import DataError
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities.base import Array, Dataset, Dimension, Family, Field, Grid, Modality


class OfImages(Modality):
    """A task that reads images."""

    def fixed_fields(self, spec: ModelSpec, dataset: Dataset) -> tuple[Field, ...]:
        assert isinstance(dataset, ImageDataset | UnlabelledImageDataset | VideoDataset | CaptionedImageDataset)
        height, width, channels = dataset.image_shape
        if height != width:
            raise DataError(
                f"{dataset.name}: images of {height} x {width} pixels are not square.\n"
                "  Give data.image_size for a folder of images or frames, or crop the arrays."
            )
        return (
            Field("image_size", height, "pixels along each side"),
            Field("channels", channels, "values of a pixel"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        grid = _grid(family)
        sides = grid.sides(fixed["image_size"])
        return tuple(dataclasses.replace(d, values=sides) if d.name == grid.name else d for d in family.dimensions)

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        grid = _grid(family)
        return (grid.usual_side(fixed["image_size"]),) if dimension.name == grid.name else dimension.values

    def prototype_structure(
        self, family: Family, dimension: Dimension, target: Mapping[str, int], fixed: Mapping[str, int]
    ) -> tuple[Any, ...]:
        """Squares of an image of another size: as nearly as many of them along a side."""
        grid = _grid(family)
        if dimension.name != grid.name:
            return dimension.values
        size, sides = fixed["image_size"], grid.sides(fixed["image_size"])
        squares = [target["image_size"] / side for side in dimension.values]
        return tuple(sides[int(np.argmin([abs(size / side - wanted) for side in sides]))] for wanted in squares)

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return (Array((1, *image_shape(fixed)), np.dtype(np.float32)),)


def image_shape(fixed: Mapping[str, int]) -> tuple[int, int, int]:
    """Height, width and channels."""
    return fixed["image_size"], fixed["image_size"], fixed["channels"]


def _grid(family: Family) -> Grid:
    assert family.grid is not None
    return family.grid
