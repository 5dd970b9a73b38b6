"""Pictures of any kind to uint8 arrays of one kind."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from metagen_jax.errors import DataError

# What PIL raises on files that are truncated, damaged or not pictures at all.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
GRAY_MODES = ("1", "L", "LA", "La")
MODE_OF_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def is_gray(path: Path, content: bytes | None = None) -> bool:
    """Tells from the head of the file whether a picture has no colours; `content` is it, if it is no file of its own."""
    try:
        with Image.open(path if content is None else io.BytesIO(content)) as picture:
            return picture.mode in GRAY_MODES or picture.mode.startswith("I;16")
    except BROKEN as error:
        raise broken(path, error) from error


def read_picture(path: Path, channels: int, image_size: int | None, content: bytes | None = None) -> np.ndarray:
    """Returns `(H, W, channels)` uint8, resized to a square of `image_size` if one is given.

    Args:
      path: of the file; what the picture is called, if `content` has its bytes.
    """
    try:
        with Image.open(path if content is None else io.BytesIO(content)) as picture:
            picture.load()
            return convert(ImageOps.exif_transpose(picture), channels, image_size, path)
    except BROKEN as error:
        raise broken(path, error) from error


def convert(picture: Image.Image, channels: int, image_size: int | None, path: Path) -> np.ndarray:
    """Returns `(H, W, channels)` uint8: luma, RGB or RGBA, stretched to a square by the bilinear filter of PIL."""
    if picture.mode.startswith("I;16"):  # PIL would clip 16 bits at 255
        picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise DataError(f"{path}: pixels of 32 bits (mode {picture.mode})\n  Save it with 8 bits a channel.")
    picture = picture.convert(MODE_OF_CHANNELS[channels])
    if image_size is not None:
        picture = picture.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def convert_array(images: np.ndarray, channels: int, image_size: int | None, path: Path) -> np.ndarray:
    """Does to `(N, H, W, C)` uint8, C one of 1, 3 and 4, what `convert` does to a picture."""
    pictures = (Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in images)
    return np.stack([convert(picture, channels, image_size, path) for picture in pictures])


def conversion_note(channels: int, image_size: int | None) -> str:
    """Returns the sentence for the user about what `convert` does."""
    resized = f", stretched to {image_size} x {image_size} (bilinear, antialiased)" if image_size else ""
    dropped = "" if channels == 4 else ", transparency is dropped"
    kind = {1: "gray"}.get(channels, MODE_OF_CHANNELS[channels])
    return f"pictures are turned as their EXIF tag says, converted to {kind}{dropped}{resized}"


def broken(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read as a picture ({error})\n  Repair the file or take it out of the folder.")
