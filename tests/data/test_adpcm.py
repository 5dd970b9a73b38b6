"""The codec of the recordings that ship."""

import numpy as np
import pytest

from metagen_jax.data import adpcm


def decode_one(codes):
    """The reference decoder of the recommendation, one code after the other."""
    value, position, decoded = 0, 0, []
    for code in codes:
        step = int(adpcm.STEPS[position])
        change = step >> 3
        if code & 4:
            change += step
        if code & 2:
            change += step >> 1
        if code & 1:
            change += step >> 2
        value = max(-32768, min(32767, value - change if code & 8 else value + change))
        position = max(0, min(88, position + (-1, -1, -1, -1, 2, 4, 6, 8)[code & 7]))
        decoded.append(value)
    return decoded


def test_any_codes_are_decoded_as_the_reference_does():
    packed = np.random.default_rng(0).integers(0, 256, (3, 200)).astype(np.uint8)
    for row, decoded in zip(packed, adpcm.decode(packed), strict=True):
        codes = [code for byte in row.tolist() for code in (byte & 15, byte >> 4)]
        assert decoded.tolist() == decode_one(codes)


@pytest.mark.parametrize("hertz", [200, 1000])
def test_a_tone_comes_back_a_hundred_times_louder_than_what_was_added(hertz):
    wave = np.int16(8000 * np.sin(2 * np.pi * hertz * np.arange(4000) / 8000))[None]
    error = (adpcm.decode(adpcm.encode(wave)).astype(float) - wave)[:, 100:]
    assert (error**2).mean() < (wave.astype(float) ** 2).mean() / 100


def test_steps_are_those_of_the_recommendation():
    assert len(adpcm.STEPS) == 89
    assert (np.diff(adpcm.STEPS) > 0).all()
    ratios = adpcm.STEPS[21:] / adpcm.STEPS[20:-1]
    np.testing.assert_allclose(ratios[:-1], 1.1, atol=0.011)  # each about a tenth larger than the one before
