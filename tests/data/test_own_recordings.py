"""The user's own recordings: a folder with one folder of WAV files for each class."""

import wave

import numpy as np
import pytest

from metagen_jax.data import SPLITS, describe, load_dataset, save_npz
from metagen_jax.data.waves import read_clip, read_head, write_wave
from metagen_jax.errors import DataError

RATE = 8000


def tone(hertz, seconds=0.25, rate=RATE, peak=10_000):
    return np.int16(peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


def write(path, samples, rate=RATE, width=2, channels=1):
    """Writes samples of int16 with another number of bytes; those of several channels follow each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wide = samples.astype(np.int64)
    packed = {
        1: lambda: (wide // 2**8 + 128).astype(np.uint8).tobytes(),
        2: lambda: wide.astype("<i2").tobytes(),
        3: lambda: (wide * 2**8).astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes(),
        4: lambda: (wide * 2**16).astype("<i4").tobytes(),
    }[width]()
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(packed)
    return path


@pytest.fixture
def folder(tmp_path):
    """Five tones of each of two classes."""
    for name, hertz in (("low", 300), ("high", 1500)):
        for i in range(5):
            write(tmp_path / "own" / name / f"{i}.wav", tone(hertz + i))
    return tmp_path / "own"


def test_folder_is_split_by_class_without_loss(folder, audio_spec):
    dataset = load_dataset(audio_spec("path: own"))
    assert dataset.class_names == ("high", "low")
    assert [len(getattr(dataset, split)) for split in SPLITS] == [6, 2, 2]
    assert (dataset.sample_rate, dataset.clip_length) == (RATE, RATE // 4)
    read = [(tuple(clip), label) for split in SPLITS for clip, label in rows(dataset, split)]
    written = [(tuple(tone(hertz + i)), label) for label, hertz in enumerate((1500, 300)) for i in range(5)]
    assert sorted(read) == sorted(written)
    assert describe(dataset)[2:] == []  # nothing was changed


def rows(dataset, split):
    return zip(getattr(dataset, split).audio.tolist(), getattr(dataset, split).labels, strict=True)


def test_folder_with_splits_of_its_own_keeps_them(folder, audio_spec, tmp_path):
    (tmp_path / "again").mkdir()
    folder.rename(tmp_path / "again" / "train")
    write(tmp_path / "again" / "test" / "low" / "one.wav", tone(320))
    dataset = load_dataset(audio_spec("path: again"))
    assert [len(getattr(dataset, split)) for split in SPLITS] == [8, 2, 1]
    assert (dataset.test.audio[0] == tone(320)).all()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_any_width_are_the_same_sound(width, tmp_path):
    path = write(tmp_path / "one.wav", tone(440), width=width)
    assert abs(read_clip(path, RATE, None).astype(int) - tone(440)).max() <= (2**8 if width == 1 else 0)


def test_channels_are_mixed_down(tmp_path):
    left, right = tone(440), tone(880)
    path = write(tmp_path / "one.wav", np.stack([left, right], axis=1).reshape(-1), channels=2)
    mixed = (left.astype(int) + right) / 2
    assert abs(read_clip(path, RATE, None) - mixed).max() <= 0.5


def test_a_resampled_tone_is_that_tone(tmp_path):
    path = write(tmp_path / "one.wav", tone(440, rate=44_100), rate=44_100)
    clip, same = read_clip(path, RATE, None), tone(440)
    assert len(clip) == len(same)
    inside = slice(50, -50)  # at both ends the filter sees what is not there
    assert abs(clip[inside].astype(int) - same[inside]).max() < 100  # of 10,000


def test_what_is_above_the_new_rates_frequencies_is_gone(tmp_path):
    path = write(tmp_path / "one.wav", tone(9000, rate=44_100), rate=44_100)
    assert abs(read_clip(path, RATE, None)[50:-50]).max() < 100


def test_other_recordings_are_converted_and_that_is_said(folder, audio_spec):
    write(folder / "low" / "stereo.wav", np.repeat(tone(300, 2.0), 2), channels=2)
    write(folder / "low" / "fine.WAV", tone(300, rate=44_100), rate=44_100)
    (folder / "low" / "notes.txt").write_text("on a Sunday")
    dataset = load_dataset(audio_spec("path: own"))
    assert (dataset.sample_rate, dataset.clip_length) == (RATE, RATE)
    assert describe(dataset)[2:] == [
        "1 of 12 recordings are mixed down to one channel",
        "1 of 12 recordings are resampled to 8,000 samples a second",
        "1 of 12 recordings are longer than 1 s: only their beginning is read",
        "11 of 12 recordings are shorter than 1 s: silence fills them up",
        "files passed over because they are no WAV files: 1, such as notes.txt",
    ]
    clips = np.concatenate([getattr(dataset, split).audio for split in SPLITS])
    assert ((clips[:, RATE // 4 :] == 0).all(axis=1)).sum() == 11


def test_rate_and_length_are_those_of_the_spec(folder, audio_spec):
    dataset = load_dataset(audio_spec("path: own, sample_rate: 4000, clip_seconds: 0.1"))
    assert (dataset.sample_rate, dataset.clip_length, dataset.clip_seconds) == (4000, 400, 0.1)


def test_saved_clips_are_loadable_without_pickle(folder, audio_spec, tmp_path):
    dataset = load_dataset(audio_spec("path: own"))
    save_npz(dataset, tmp_path / "own.npz")
    with np.load(tmp_path / "own.npz", allow_pickle=False) as saved:
        assert int(saved["sample_rate"]) == RATE
        assert tuple(saved["class_names"]) == dataset.class_names
        assert all((saved[f"{split}_audio"] == getattr(dataset, split).audio).all() for split in SPLITS)


def test_a_written_clip_is_read_as_it_was(tmp_path):
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, 1000).astype(np.int16)
    write_wave(tmp_path / "one.wav", noise, 11_025)
    assert read_head(tmp_path / "one.wav") == (11_025, 1, 2, 1000)
    assert (read_clip(tmp_path / "one.wav", 11_025, 1000) == noise).all()


def damage(folder, content):
    path = folder / "low" / "x.wav"
    path.write_bytes(content)
    return path


def beginning(folder, size):
    return damage(folder, (folder / "low" / "0.wav").read_bytes()[:size])


def float_file(folder):
    from scipy.io import wavfile

    wavfile.write(folder / "low" / "x.wav", RATE, np.zeros(100, np.float32))
    return folder / "low" / "x.wav"


def only_one_class(folder):
    (folder / "high").rename(folder.parent / "high")
    return folder


def two_of_each(folder):
    for path in folder.rglob("*.wav"):
        if path.stem not in "01":
            path.unlink()
    return folder


def empty_class(folder):
    (folder / "middle").mkdir()
    return folder / "middle"


def nothing(folder):
    folder.rename(folder.parent / "away")
    return folder


def make_empty(folder):
    nothing(folder).mkdir()
    return folder


BROKEN = {
    "cut short": (lambda folder: beginning(folder, 1044), "cut short: its head promises 4,000 bytes of sound, 1,000"),
    "cut in its head": (lambda folder: beginning(folder, 30), "cannot be read as a WAV file .it ends too early"),
    "empty file": (lambda folder: damage(folder, b""), "cannot be read as a WAV file .it ends too early"),
    "a picture": (lambda folder: damage(folder, b"\x89PNG\r\n\x1a\n" + bytes(99)), "does not start with RIFF"),
    "an mp3": (lambda folder: damage(folder, b"ID3" + bytes(99)), "does not start with RIFF"),
    "floats": (float_file, "unknown format: 3.\n  Save it as WAV of whole numbers"),
    "no sound": (lambda folder: write(folder / "low" / "x.wav", tone(1, 0)), "there is no sound in it"),
    "outside": (lambda folder: write(folder / "x.wav", tone(300)), "a WAV file outside of a class"),
    "empty class": (empty_class, "no WAV files in it"),
    "one class": (only_one_class, "one class only, 'low'"),
    "too few": (two_of_each, "no WAV files for validation"),
    "empty": (make_empty, "no WAV files in it"),
    "missing": (nothing, "no such file or folder"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_folders_give_an_error_that_names_the_place_and_the_reason(case, folder, audio_spec):
    break_it, reason = BROKEN[case]
    place = break_it(folder)
    with pytest.raises(DataError, match=reason) as error:
        load_dataset(audio_spec("path: own"))
    assert str(place) in str(error.value)
