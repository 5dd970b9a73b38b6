"""Projects read WAV files as the package does."""

import math
import types
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from metagen_jax.data.waves import RATES, read_clip
from metagen_jax.errors import DataError
from metagen_jax.synth import codegen

CONFIG = types.SimpleNamespace(sample_rate=8000, clip_length=4000)


@pytest.fixture(scope="module")
def project() -> types.ModuleType:
    module = types.ModuleType("data")
    vars(module).update(math=math, wave=wave, np=np, resample_poly=resample_poly)
    for name in ("wave_file", "wave_clip"):
        exec(codegen.render(f"fragments/data/{name}.py.j2", {}), vars(module))
    return module


def write(path: Path, width: int, channels: int, rate: int, frames: int = 3000) -> Path:
    """Any bytes are a recording."""
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).bytes(width * channels * frames))
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("rate", [4000, 8000, 44_100])
def test_a_recording_of_any_kind_is_the_same_clip(project, tmp_path, width, channels, rate):
    path = write(tmp_path / "one.wav", width, channels, rate)
    clip, changes = project.read_wave(path, CONFIG)
    assert clip.dtype == np.int16
    assert clip.tolist() == read_clip(path, CONFIG.sample_rate, CONFIG.clip_length).tolist()
    assert len(changes) == (channels > 1) + (rate != 8000) + 1  # none is half a second long


@pytest.mark.parametrize("rate", [10, RATES[0] - 1, RATES[-1] + 1, 2**30])
def test_rates_that_no_sound_has_are_refused(project, tmp_path, rate):
    path = write(tmp_path / "one.wav", 2, 1, rate)
    with pytest.raises(ValueError, match=rf"one.wav: cannot be read as WAV \(16 bits at {rate} samples a second\)"):
        project.read_wave(path, CONFIG)
    with pytest.raises(DataError, match=rf"one.wav: 16 bits at {rate:,} samples a second"):
        read_clip(path, 8000, None)


def test_what_is_damaged_anywhere_is_refused_or_read_and_named(project, tmp_path):
    whole = write(tmp_path / "one.wav", 3, 2, 16_000, frames=50).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "other.wav"
    for place in range(44):
        for value in (0, 255, *random.integers(0, 256, 3).tolist()):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            answers = []
            for read in (lambda: project.read_wave(path, CONFIG)[0], lambda: read_clip(path, 8000, 4000)):
                try:
                    answers.append(read().tolist())
                except (ValueError, DataError) as error:
                    assert str(path) in str(error)
                    answers.append(None)
            assert answers[0] == answers[1], (place, value)
