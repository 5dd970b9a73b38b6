"""Where data can come from. A new source is one file here and one entry below."""

from collections.abc import Callable

from metagen_jax.data.datasets import Dataset
from metagen_jax.data.sources.audio_folder import read_audio_folder
from metagen_jax.data.sources.embedded import read_embedded
from metagen_jax.data.sources.image_folder import read_image_folder
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.text_file import read_text_file
from metagen_jax.data.sources.text_folder import read_text_folder
from metagen_jax.data.sources.text_table import read_text_table

SOURCES: dict[str, Callable[[DataRequest], Dataset]] = {
    "embedded": read_embedded,
    "npz": read_npz_file,
    "image_folder": read_image_folder,
    "text": read_text_file,
    "text_folder": read_text_folder,
    "text_table": read_text_table,
    "audio_folder": read_audio_folder,
}
