"""The parts of the rebuilding script that need no package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_embedded_data.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("build_embedded_data", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_verse_numbers_vanish_and_a_passage_is_broken_at_the_end_of_its_chapter(script):
    passages = [
        (1, "1:1 In the beginning.", "Selah."),
        (1, "1:2 One sentence: 1:3 Another?  2:1 The next chapter.", ""),
        (2, "2:2 The end.", None),
    ]
    chapters = script.book_chapters(passages)
    assert chapters == ["In the beginning.\nSelah.\nOne sentence: Another?", "The next chapter.\nThe end."]


def test_comparison_tells_same_bytes_same_content_and_difference(script, tmp_path, capsys):
    import zipfile

    script.write_npz({"a": np.arange(100)}, tmp_path / "a.npz")
    script.write_npz({"a": np.arange(101)}, tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "a.npz") as packed, zipfile.ZipFile(tmp_path / "c.npz", "w") as stored:
        stored.writestr("a.npy", packed.read("a.npy"))
    verdicts = [script.compare(tmp_path / "a.npz", tmp_path / f"{other}.npz") for other in "abc"]
    assert verdicts == [True, False, True]
    assert "compressed differently" in capsys.readouterr().out


def test_missing_package_is_named(script, tmp_path):
    with pytest.raises(SystemExit, match=r"mnist_5k.csv.gz"):
        script.build_mnist5k(tmp_path, tmp_path / "out.npz")


def test_the_loudest_part_is_cut_out_and_scaled_in_whole_numbers(script):
    audio = np.zeros(3 * script.CLIP, np.int16)
    audio[5000 : 5000 + script.CLIP] = 1000
    audio[5100] = -2000
    part = script.loudest(audio)
    assert part.shape == (script.CLIP,) and part.dtype == np.int16
    assert part[0] == part[-1] == 15_000 and part[100] == -30_000


def test_a_recording_that_is_there_twice_is_found_wherever_it_begins(script):
    clips = np.random.RandomState(0).normal(0, 1000, (5, 2, script.CLIP)).cumsum(axis=-1)
    clips[2, 1] = np.roll(clips[0, 1], 80) * 2
    clips[4, 1] = clips[4, 0]
    assert script.repeated(clips).tolist() == [False, False, True, False, True]


def test_captions_of_twins_are_the_same_without_their_people(script):
    for captions in (
        ["woman judge", "man judge", "judge"],
        ["merman", "mermaid", "merperson"],
        ["prince", "princess"],
        ["person walking: facing right", "woman walking"],
        ["man", "woman"],
    ):
        assert len({script.who_is_left_out(caption) for caption in captions}) == 1, captions
    assert script.who_is_left_out("red apple") == "red apple"


def test_twins_are_found_by_caption_by_picture_and_by_way_of_others(script):
    pictures = np.zeros((5, 2, 2, 3), np.uint8)
    pictures[1:3] = 100
    pictures[3], pictures[4] = 200, 250
    assert script.twins(["a", "b", "c", "c", "d"], pictures).tolist() == [0, 1, 1, 1, 2]
