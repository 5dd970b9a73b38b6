"""Projects find the frames of a clip as the package does."""

import re
import types

import numpy as np
import pytest

from metagen_jax.data.sources.image_folder import PICTURES
from metagen_jax.data.sources.video_folder import CLIPS, spread
from metagen_jax.synth import codegen


@pytest.fixture(scope="module")
def project() -> types.ModuleType:
    module = types.ModuleType("data")
    vars(module).update(re=re, np=np)
    exec(codegen.render("fragments/data/clip_folder.py.j2", {}), vars(module))
    return module


@pytest.fixture
def clip(tmp_path):
    """A folder with frames of all kinds of names, and other files."""
    names = ("10", "9", "01", "2b", "b", "a10", "a9", "a9.5", "a", "x y 3", "X", "²", "\u0663")
    for name in names:
        (tmp_path / f"{name}.png").touch()
    for name in (".hidden.png", "notes.txt", "picture"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def test_the_same_files_are_frames(project, clip):
    assert set(project.PICTURES) == PICTURES.suffixes
    _, count = project.frame_files(clip, 2)
    assert count == len(CLIPS.files_of(clip)) == 13


@pytest.mark.parametrize("count", [2, 3, 7, 13])
def test_the_same_frames_are_taken_in_the_same_order(project, clip, count):
    files, _ = project.frame_files(clip, count)
    assert files == spread(CLIPS.files_of(clip), count)


def test_a_clip_of_too_few_frames_is_refused(project, clip):
    with pytest.raises(ValueError, match="13 of the 14 frames that it takes"):
        project.frame_files(clip, 14)
