"""Sound becomes tokens and comes back alike, though not the same."""

import numpy as np
import pytest

from metagen_jax.data import SPLITS, codec, load_dataset, sha256
from metagen_jax.data.audio_tokens import NUM_CODES, fit_codebooks, k_means
from metagen_jax.errors import DataError
from metagen_jax.spec import load_spec

RATE = 8000


@pytest.fixture
def spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for audio generation."""

    def make(data, context_window=16):
        head = "name: test\nmodality: {inputs: [audio], outputs: [audio]}\ntask: {type: generation}\n"
        limits = f"constraints: {{context_window: {context_window}}}\n"
        (tmp_path / "spec.yaml").write_text(f"{head}{limits}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


@pytest.fixture
def dataset(spec):
    return load_dataset(spec("source: spoken_prompts, max_examples: 60"))


def sine(hertz, amplitude=2**15 - 1, seconds=0.5, rate=RATE):
    return np.rint(amplitude * np.sin(2 * np.pi * hertz * np.arange(seconds * rate) / rate)).astype(np.int16)


@pytest.mark.parametrize("rate", [1000, 8000, 11_025, 44_100])
def test_bands_follow_each_other_up_to_half_the_rate(rate):
    starts = codec.band_starts(rate)
    assert starts[0] == 0 and (np.diff(starts) > 0).all()
    assert starts[-1] <= codec.FRAME_HOPS * codec.hop_length(rate) // 2
    assert len(starts) <= codec.MOST_BANDS
    assert codec.measure(np.zeros((2, rate // 4), np.int16), rate).shape == (
        2,
        -(-(rate // 4) // codec.hop_length(rate)),
        len(starts),
    )


def test_the_level_of_a_band_is_in_decibels_below_a_sine_of_full_scale():
    loud, quiet = (codec.measure(sine(1000, amplitude)[None], RATE)[0, 10:-10] for amplitude in (32767, 3277))
    band = np.searchsorted(codec.band_starts(RATE), 32, side="right") - 1  # 31.25 Hz each
    assert (loud.argmax(axis=-1) == band).all()
    width = np.diff(codec.band_starts(RATE))[band]
    power = (1 + 2 * 0.25) / width  # the lobe of the window: half as high on both sides
    np.testing.assert_allclose(loud[:, band] / codec.UNITS + codec.QUIETEST, 10 * np.log10(power), atol=1)
    np.testing.assert_allclose((loud - quiet)[:, band] / codec.UNITS, 20, atol=0.5)


def test_silence_is_zero_and_stays_silent():
    levels = codec.measure(np.zeros((1, 1000), np.int16), RATE)
    assert not levels.any()
    assert not codec.synthesise(levels[0], RATE).any()


@pytest.mark.parametrize("rate", [4000, 8000, 22_050])
def test_sound_that_is_made_of_levels_has_them_again(rate):
    audio = sine(700, 9000, 0.4, rate)
    levels = codec.measure(audio[None], rate)
    again = codec.measure(codec.synthesise(levels[0], rate)[None], rate)
    assert again.shape == levels.shape
    loudest = levels.max(axis=-1)
    assert np.abs(again.max(axis=-1) - loudest)[:, 3:-3].mean() < 3 * codec.UNITS


def test_frames_that_are_added_up_again_are_the_wave():
    audio = np.random.default_rng(0).integers(-9999, 9999, 640)
    wave = codec._wave(codec._spectra(audio[None], 64)[0], 64)
    np.testing.assert_allclose(wave, audio, atol=1e-6)


def test_the_nearest_entry_is_found_exactly():
    rng = np.random.default_rng(0)
    rows, entries = rng.integers(-190, 190, (500, 32)), rng.integers(-190, 190, (40, 32))
    distances = ((rows[:, None] - entries) ** 2).sum(axis=-1)
    assert (codec.nearest(rows, entries) == distances.argmin(axis=1)).all()


def test_centres_settle_where_their_rows_are():
    rng = np.random.default_rng(0)
    middles = np.array([[0, 0], [100, 0], [0, 100], [100, 100]])
    rows = rng.permutation(np.concatenate([middle + rng.integers(-5, 6, (50, 2)) for middle in middles]))
    first = [np.flatnonzero((abs(rows - middle) < 10).all(axis=1))[0] for middle in middles]
    rest = np.setdiff1d(np.arange(len(rows)), first)
    centres = k_means(np.concatenate([rows[first], rows[rest]]), 4)
    assert (abs(centres - middles) <= 1).all()


def test_a_second_codebook_brings_levels_nearer(dataset):
    frames = codec.measure(dataset.examples, RATE)
    tokens = codec.encode(frames, dataset.codebooks).reshape(-1, codec.STAGES)
    rows = frames.reshape(len(tokens), -1)
    first = dataset.codebooks[0][tokens[:, 0]]
    both = first + dataset.codebooks[1][tokens[:, 1] - NUM_CODES]
    errors = [np.mean((rows - estimate) ** 2.0) for estimate in (rows.mean(axis=0), first, both)]
    assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2]


def test_fewer_frames_than_codes_are_no_trouble():
    levels = np.arange(30).reshape(10, 3)
    codebooks = fit_codebooks(levels)
    assert codebooks.shape == (codec.STAGES, NUM_CODES, 3)
    tokens = codec.encode(levels[None], codebooks)
    assert (codec.decode(tokens, codebooks)[0] == levels).all()


def test_every_clip_is_one_start_and_its_tokens_in_turn(dataset):
    assert len(dataset.train) == 60 * (dataset.clip_tokens + 1)
    assert dataset.num_tokens == 2 * NUM_CODES + 1
    for split in SPLITS:
        rows = getattr(dataset, split).reshape(-1, dataset.clip_tokens + 1)
        assert rows.dtype == np.uint16
        assert (rows[:, 0] == dataset.start).all()
        assert (rows[:, 1:] // NUM_CODES == np.arange(dataset.clip_tokens) % codec.STAGES).all()
    test = codec.encode(codec.measure(dataset.examples, RATE), dataset.codebooks)
    assert (dataset.test.reshape(-1, dataset.clip_tokens + 1)[: len(test), 1:] == test).all()


def test_the_same_recordings_give_the_same_tokens(dataset, spec):
    assert sha256(load_dataset(spec("source: spoken_prompts, max_examples: 60"))) == sha256(dataset)


def test_notes_say_that_tokens_are_not_lossless(dataset):
    (note,) = (note for note in dataset.notes if "lossless" in note)
    assert "dB (root mean square)" in note


def test_recordings_that_fill_no_window_are_refused(spec):
    with pytest.raises(
        DataError, match=r"train has 1270 tokens.*\n.*more recordings, or lower constraints.context_window"
    ):
        load_dataset(spec("source: spoken_prompts, max_examples: 10", context_window=2000))
