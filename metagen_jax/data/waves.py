"""WAV files of any kind to int16 clips of one kind."""

import math
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metagen_jax.errors import DataError

# What the standard library raises on files that are cut short, damaged or no WAV files at all.
BROKEN = (OSError, EOFError, RuntimeError, wave.Error)
FULL_SCALE = 2**15
RATES = range(1000, 384_001)  # samples a second that sound is recorded at; in a damaged head anything may stand


class Head(NamedTuple):
    """What the head of a WAV file promises."""

    rate: int  # samples a second
    channels: int
    width: int  # bytes of a sample
    length: int  # samples of each channel

    @property
    def seconds(self) -> float:
        return self.length / self.rate


def read_head(path: Path) -> Head:
    """Raises DataError if the file is no WAV file of whole numbers, or if there is no sound in it."""
    try:
        with wave.open(str(path), "rb") as file:
            return _checked_head(file, path)
    except BROKEN as error:
        raise broken(path, error) from error


def read_clip(path: Path, rate: int, length: int | None) -> np.ndarray:
    """Returns `(length,)` int16: one channel at `rate` samples a second, cut or filled up with silence at its end.

    Args:
      length: None for all there is.
    Raises:
      DataError: the file is cut short, damaged, or of another kind; the message names it.
    """
    try:
        with wave.open(str(path), "rb") as file:
            head = _checked_head(file, path)
            content = file.readframes(head.length)
    except BROKEN as error:
        raise broken(path, error) from error
    promised = head.length * head.channels * head.width
    if len(content) < promised:
        found = f"cut short: its head promises {promised:,} bytes of sound, {len(content):,} are there"
        raise DataError(f"{path}: {found}\n  Copy the file again, or take it out of the folder.")
    return fitted(_resampled(_one_channel(content, head), head.rate, rate), length)


def fitted(audio: np.ndarray, length: int | None) -> np.ndarray:
    """Cuts a clip, or fills it up with silence.

    Examples:
      >>> fitted(np.array([1, 2, 3]), 2).tolist(), fitted(np.array([1, 2, 3]), 5).tolist()
      ([1, 2], [1, 2, 3, 0, 0])
    """
    if length is None:
        return audio
    return np.pad(audio[:length], (0, max(0, length - len(audio))))


def write_wave(path: Path, audio: np.ndarray, rate: int) -> None:
    """Writes one channel of int16."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(audio.astype("<i2").tobytes())


def _checked_head(file: wave.Wave_read, path: Path) -> Head:
    head = Head(file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes())
    if head.width > 4 or head.rate not in RATES:
        found = f"{8 * head.width} bits at {head.rate:,} samples a second"
        remedy = f"Save it with 16 bits at {RATES[0]:,} to {RATES[-1]:,} samples a second, or take it out."
        raise DataError(f"{path}: {found}\n  {remedy}")
    if not head.length:
        raise DataError(f"{path}: there is no sound in it\n  Take it out of the folder.")
    return head


def _one_channel(content: bytes, head: Head) -> np.ndarray:
    """The mean of all channels, in units of int16."""
    samples: np.ndarray
    if head.width == 1:  # unsigned, with silence in the middle
        samples = (np.frombuffer(content, np.uint8).astype(np.int32) - 128) * 2**8
    elif head.width == 2:
        samples = np.frombuffer(content, "<i2")
    else:
        places = np.frombuffer(content, np.uint8).reshape(-1, head.width)
        highest = np.pad(places, ((0, 0), (4 - head.width, 0))).copy()  # filled up below to 32 bits
        samples = highest.view("<i4").reshape(-1) / 2**16
    return samples.reshape(-1, head.channels).mean(axis=1)


def _resampled(audio: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    if rate != wanted:
        from scipy.signal import resample_poly  # takes a second to import, and few need it

        common = math.gcd(rate, wanted)
        audio = resample_poly(audio, wanted // common, rate // common)
    return np.clip(np.rint(audio), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def broken(path: Path, error: Exception) -> DataError:
    reason = str(error) or "it ends too early"
    remedy = "Save it as WAV of whole numbers (PCM), such as by ffmpeg -i IN -c:a pcm_s16le OUT.wav, or take it out."
    return DataError(f"{path}: cannot be read as a WAV file ({reason})\n  {remedy}")
