"""Where data can come from. A new source is one file here and one entry below; extensions call `register_source`."""

from collections.abc import Callable

from metagen_jax.data.datasets import Dataset
from metagen_jax.data.sources.audio_folder import read_audio_folder
from metagen_jax.data.sources.captioned_images import read_caption_table
from metagen_jax.data.sources.embedded import read_embedded
from metagen_jax.data.sources.image_folder import read_image_folder
from metagen_jax.data.sources.image_table import read_image_table
from metagen_jax.data.sources.line_table import read_line_table
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.text_file import read_text_file
from metagen_jax.data.sources.text_folder import read_text_folder
from metagen_jax.data.sources.text_table import read_text_table
from metagen_jax.data.sources.video_folder import read_video_folder
from metagen_jax.errors import ExtensionError, did_you_mean
from metagen_jax.spec.tasks import FORMATS

SOURCES: dict[str, Callable[[DataRequest], Dataset]] = {
    "embedded": read_embedded,
    "npz": read_npz_file,
    "image_folder": read_image_folder,
    "image_table": read_image_table,
    "text": read_text_file,
    "line_table": read_line_table,
    "text_folder": read_text_folder,
    "text_table": read_text_table,
    "audio_folder": read_audio_folder,
    "video_folder": read_video_folder,
    "caption_table": read_caption_table,
}


def register_source(name: str, read: Callable[[DataRequest], Dataset]) -> None:
    """Adds what reads a format of files, which `metagen_jax.spec.tasks.register_format` has been told of before.

    Args:
      name: of the format.
      read: gets where the data are and how to divide them; raises a `DataError` where they are not what they should be.
    Raises:
      ExtensionError: there is no such format, it is read already, or `read` is no function.
    """
    if name not in FORMATS:
        remedy = f"{did_you_mean(name, FORMATS)} Call register_format first."
        raise ExtensionError(f"there is no format '{name}' to read\n  {remedy}")
    if name in SOURCES:
        raise ExtensionError(f"format '{name}' is read already\n  Register a format of your own.")
    if not callable(read):
        raise ExtensionError(f"{read!r} cannot be called to read '{name}'\n  Hand over a function.")
    SOURCES[name] = read
