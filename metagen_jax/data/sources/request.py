"""What a source is asked for."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from metagen_jax.spec import Hub


@dataclasses.dataclass(frozen=True)
class DataRequest:
    """The part of a spec that decides how data are read.

    Attributes:
      path: the file or folder; for embedded data, the name of the set; for data of the hub, owner and name.
      hub: which data set of the Hugging Face Hub is read; None: `path` is.
      columns: what columns of tables are called, by what they hold, where that differs.
      image_size: side of the square to which images and frames are resized; None keeps the size that they have.
      channels: 1 for gray, 3 for RGB, 4 for RGBA; None keeps what the images have.
      sample_rate: of recordings, in samples a second; None takes one that suits all of them.
      clip_seconds: to which recordings are cut or filled up; None takes a length that suits them.
      frames: of a clip of video, taken at equal distances; None takes as many as every clip has.
      validation_fraction, test_fraction: shares of the data, where the data do not come divided.
      max_examples: keeps at most so many training examples; of one text, training characters.
      context_window: how many characters a text model reads; of one text, each split has to hold one window and its next
        character.
    """

    path: Path
    hub: Hub | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    image_size: int | None = None
    channels: int | None = None
    sample_rate: int | None = None
    clip_seconds: float | None = None
    frames: int | None = None
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    max_examples: int | None = None
    context_window: int = 128
