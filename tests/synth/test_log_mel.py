"""The spectrogram of a rendered program is that of another implementation."""

import math
from types import ModuleType

import numpy as np
import pytest
import scipy.signal

from metagen_jax.synth import codegen
from metagen_jax.synth.modalities.audio_classification import SPECTROGRAM_TRANSFORMER, AudioClassification
from tests.synth.test_batches import program

RATES = {8000: 256, 16_000: 512, 22_050: 706}  # samples a second to those of a frame
BANDS = 32
# Float32 tells amplitudes apart by 2**-23 of a pure tone's. At the bottom, 60 dB below the tone, that is a thousand times
# as large a share of an amplitude, twice that of its energy, and comes out as a third of the decades.
AT_THE_BOTTOM = 2 * 1000 * 2**-23 / math.log(10) / 3


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return program("audio_classification.yaml")


def mel(hertz: np.ndarray) -> np.ndarray:
    return 1127.01048 * np.log(1 + hertz / 700)  # HTK, in natural logarithms


def reference(audio: np.ndarray, rate: int, frame: int) -> np.ndarray:
    """In float64: scipy's transform, and triangles that are drawn by interpolation."""
    hop = frame // 2
    audio = np.pad(audio.astype(np.float64), ((0, 0), (0, -audio.shape[1] % hop)))
    hertz, _, waves = scipy.signal.stft(
        audio, rate, window="hann", nperseg=frame, noverlap=hop, boundary=None, padded=False, scaling="psd"
    )
    energy = rate * np.abs(waves) ** 2  # (B, frequencies, F), as scipy scales densities
    grid = np.linspace(0, rate / 2, 200_001)
    corners = np.interp(np.linspace(0, mel(np.array(rate / 2)), BANDS + 2), mel(grid), grid)
    filters = np.stack([np.interp(hertz, corners[band : band + 3], (0, 1, 0)) for band in range(BANDS)])
    decades = np.log10(np.maximum(np.einsum("mk,bkf->bfm", filters, energy), 1e-10))
    below = decades - decades.max(axis=(1, 2), keepdims=True)
    return 1 + np.maximum(below, -6) / 3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("length", [4000, 4096, 5001])
def test_it_is_that_of_scipy_with_filters_of_htk(module, rate, length):
    frame, time = RATES[rate], np.arange(length) / rate
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, (2, length))
    tones = np.sin(2 * np.pi * np.array([[440], [1234.5]]) * time)
    audio = np.float32(np.concatenate([noise, 0.5 * tones, 0.01 * tones + 0.001 * noise]))
    found = np.asarray(module.log_mel(audio, rate, frame, BANDS))
    np.testing.assert_allclose(found, reference(audio, rate, frame), atol=AT_THE_BOTTOM)
    np.testing.assert_allclose(found[:2], reference(audio[:2], rate, frame), atol=1e-5)


def test_a_tone_is_loudest_in_the_band_that_it_is_in(module):
    corners = 700 * (np.exp(np.linspace(0, mel(np.array(4000.0)), BANDS + 2) / 1127.01048) - 1)
    for band in (3, 10, 25):
        wave = np.float32(np.sin(2 * np.pi * corners[band + 1] * np.arange(4000) / 8000))[None]
        assert (np.asarray(module.log_mel(wave, 8000, 256, BANDS)).argmax(-1) == band).all()


def test_silence_and_loudness_make_no_difference(module):
    noise = np.float32(np.random.default_rng(0).normal(0, 0.1, (1, 4000)))
    loud, quiet = (np.asarray(module.log_mel(noise * by, 8000, 256, BANDS)) for by in (1, 0.01))
    np.testing.assert_allclose(loud, quiet, atol=1e-5)
    assert (np.asarray(module.log_mel(0 * noise, 8000, 256, BANDS)) == 1).all()


def test_products_of_the_spectrogram_are_float32_whatever_the_precision_of_the_model():
    texts = []
    for precision in ("float32", "tensorfloat32", "bfloat16"):
        structure, sizes = {"norm": "rms", "activation": "gelu", "stride": 1}, {"d_model": 8}
        context = codegen.model_context(SPECTROGRAM_TRANSFORMER, structure, sizes, (), precision)
        texts.append(next(text for text in context["model_fragments"] if "def log_mel" in text))
    assert len(set(texts)) == 1
    assert texts[0].count('precision="float32"') == texts[0].count("jnp.matmul") == 2


@pytest.mark.parametrize("length", [800, 3999, 4000, 16_001])
def test_frames_are_counted_as_they_come_out(module, length):
    fixed = {"clip_length": length, "frame_length": 256}
    frames = np.asarray(module.log_mel(np.zeros((1, length), np.float32), 8000, 256, BANDS)).shape[1]
    assert {frames, frames + 1, 129} <= set(AudioClassification().inner_lengths(fixed))
