"""Specs around data, written to a temporary folder."""

import pytest

from metagen_jax.spec import load_spec

IMAGES = "modality: {inputs: [image], outputs: [label]}\ntask: {type: classification, num_classes: %d}\n"
LABELLED_TEXTS = IMAGES.replace("image", "text")
AUDIO = IMAGES.replace("image", "audio")
VIDEO = IMAGES.replace("image", "video")
CAPTIONS = "modality: {inputs: [image, text], outputs: [embedding]}\ntask: {type: contrastive}\n"
TEXT = "modality: {inputs: [text], outputs: [text]}\ntask: {type: generation}\n"


@pytest.fixture
def image_spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for classification."""

    def make(data, num_classes=2):
        (tmp_path / "spec.yaml").write_text(f"name: test\n{IMAGES % num_classes}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


@pytest.fixture
def text_spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for text generation."""

    def make(data, context_window=8):
        limits = f"constraints: {{context_window: {context_window}}}\n"
        (tmp_path / "spec.yaml").write_text(f"name: test\n{TEXT}{limits}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


@pytest.fixture
def labelled_text_spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for text classification."""

    def make(data, num_classes=2, context_window=16):
        limits = f"constraints: {{context_window: {context_window}}}\n"
        (tmp_path / "spec.yaml").write_text(f"name: test\n{LABELLED_TEXTS % num_classes}{limits}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


@pytest.fixture
def audio_spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for audio classification."""

    def make(data, num_classes=2):
        (tmp_path / "spec.yaml").write_text(f"name: test\n{AUDIO % num_classes}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


@pytest.fixture
def video_spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for video classification."""

    def make(data, num_classes=2):
        (tmp_path / "spec.yaml").write_text(f"name: test\n{VIDEO % num_classes}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make


@pytest.fixture
def caption_spec(tmp_path):
    """Returns a function from the YAML of the data section to a spec for images with texts."""

    def make(data, context_window=16):
        limits = f"constraints: {{context_window: {context_window}}}\n"
        (tmp_path / "spec.yaml").write_text(f"name: test\n{CAPTIONS}{limits}data: {{{data}}}\n")
        return load_spec(tmp_path / "spec.yaml")

    return make
