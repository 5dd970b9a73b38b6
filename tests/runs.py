"""A run small enough for tests."""

from pathlib import Path

from metagen_jax.cli import main

HOST_DEVICES = 8  # of the process of the tests, for meshes of several
ROOT = Path(__file__).parents[1]
TINY_CHOICES = "architecture.choices={d_model: [8, 12, 16], num_layers: [1, 2], num_heads: [1, 2], head_dim: [4, 8], d_ff: [16, 32]}"
SHORT = (  # where a few examples take long enough
    "search.budget=3",
    "search.rounds=1",
    "search.finalists=1",
    "search.prototype_steps=12",
    "training.steps=24",
    "training.batch_size=8",
    "outputs.samples=2",
)
TINY = {
    "image": (
        "specs/image_digits_demo.yaml",
        [TINY_CHOICES, "search.budget=6", "search.rounds=2", "search.prototype_steps=20", "training.steps=40"],
    ),
    "cnn": (
        "specs/image_digits_cnn.yaml",
        [
            "architecture.choices={width: [8, 12], num_layers: [1, 2], hidden: [8, 12], stride: 2}",
            "search.budget=4",
            "search.rounds=1",
            "search.prototype_steps=12",
            "training.steps=24",
            "training.batch_size=16",
        ],
    ),
    "vae": (
        "specs/image_vae.yaml",
        [
            "architecture.choices={latent: [3, 4], width: [8, 12], hidden: 8, encoder_layers: 1, decoder_layers: [1, 2], stride: 2}",
            "data.source=digits",
            "search.budget=4",
            "search.rounds=1",
            "search.prototype_steps=12",
            "training.steps=24",
            "training.batch_size=16",
        ],
    ),
    "unet": (
        "specs/image_diffusion_pixel.yaml",
        [
            "architecture.choices={stride: 1, condition: 8, width_1: [8, 12], hidden_1: 8, num_layers_1: 1, width_2: 12, hidden_2: 12, "
            "num_layers_2: [1, 2], width_3: 12, hidden_3: 12, num_layers_3: 1}",
            "data.source=digits",
            "search.budget=3",
            "search.rounds=1",
            "search.finalists=1",
            "search.prototype_steps=12",
            "training.steps=24",
            "training.batch_size=16",
        ],
    ),
    "latent": (
        "specs/image_diffusion_latent.yaml",
        [
            "architecture.choices={condition: 8, width: [8, 12], hidden: [8, 12], num_layers: [1, 2]}",
            "data={source: digits, autoencoder: ../tests/tiny_autoencoder.yaml}",
            "search.budget=3",
            "search.rounds=1",
            "search.finalists=1",
            "search.prototype_steps=12",
            "training.steps=24",
            "training.batch_size=16",
        ],
    ),
    "text": (
        "specs/text_char_lm.yaml",
        [
            TINY_CHOICES,
            "constraints.context_window=16",
            *SHORT,
            "data.max_examples=100000",
        ],
    ),
    "audio": (
        "specs/audio_classification.yaml",
        [
            TINY_CHOICES,
            *SHORT,
        ],
    ),
    "sound": (
        "specs/audio_musicgen.yaml",
        [TINY_CHOICES, "constraints.context_window=64", *SHORT, "data.max_examples=50"],
    ),
    "video": (
        "specs/video_classification.yaml",
        [
            "architecture.choices={patch_size: 14, d_model: [8, 12], space_layers: 1, time_layers: [1, 2], num_heads: 2, "
            "head_dim: 4, d_ff: [16, 32]}",
            "data.max_examples=500",
            *SHORT,
        ],
    ),
    "pairs": (
        "specs/multimodal_clip.yaml",
        [
            "architecture.choices={patch_size: 16, d_model: 16, image_layers: 1, text_layers: 1, num_heads: [1, 2], "
            "head_dim: 8, d_ff: [32, 64], embedding: 16}",
            "constraints.context_window=32",
            *SHORT,
            "data.max_examples=200",
        ],
    ),
    "captions": (
        "specs/multimodal_captioning.yaml",
        [
            "architecture.choices={patch_size: 16, d_model: 16, image_layers: 1, text_layers: 1, num_heads: [1, 2], "
            "head_dim: 8, d_ff: [32, 64]}",
            "constraints.context_window=16",
            *SHORT,
            "data.max_examples=200",
        ],
    ),
    "labelled_text": (
        "specs/text_classification.yaml",
        [
            TINY_CHOICES,
            "constraints.context_window=32",
            *SHORT,
            "data.max_examples=1000",
        ],
    ),
}


def tiny_command(kind: str, out: Path, *more: str, verb: str = "automl") -> list[str]:
    spec, overrides = TINY[kind]
    chosen = [word for override in overrides for word in ("--set", override)]
    which = ["--spec"] if verb == "automl" else []
    alone = [] if "--workers" in more else ["--workers", "1", "--host-devices", str(HOST_DEVICES)]
    return [verb, *which, str(ROOT / spec), "--out", str(out), *chosen, *alone, *more]


def run_tiny(kind: str, out: Path, *more: str, verb: str = "automl") -> int:
    return main(tiny_command(kind, out, *more, verb=verb))
