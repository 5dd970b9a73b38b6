"""Targets that no test trains, with prototypes that a test trains in seconds, and their projects."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metagen_jax.automl.run_folder import versions
from metagen_jax.data import Dataset, load_dataset
from metagen_jax.spec import load_spec
from metagen_jax.synth.architecture import Blueprint
from metagen_jax.synth.modalities import Field, Modality, modality_of
from metagen_jax.synth.target_project import Scale, TargetFacts, write_target_project

SPECS = Path(__file__).parents[2] / "specs"
NUMBERS = {"learning_rate": 0.01, "weight_decay": 0.1, "warmup_steps": 3}
WORDS = {"norm": "rms", "activation": "gelu"}


@dataclasses.dataclass(frozen=True)
class Target:
    """The arguments of `write_target_project`."""

    modality: Modality
    target: Scale
    prototype: Scale
    dataset: Dataset
    facts: TargetFacts
    seed: int = 0

    def write(self, folder: Path, **changes: Any) -> Path:
        """Writes the project, some of the arguments changed."""
        write_target_project(folder, **(vars(self) | changes))
        return folder


def make_target(
    spec_file: str,
    overrides: tuple[str, ...],
    *,
    family: str,
    grid: tuple[Mapping[str, int], Mapping[str, int]],
    sizes: tuple[Mapping[str, int], Mapping[str, int]],
    fixed: Mapping[str, int],
    params: tuple[int, int],
    cache_bytes: int | None = None,
) -> Target:
    """Makes a target from a spec's data; of each pair, the first is the target's and the second the prototype's."""
    spec = load_spec(SPECS / spec_file, overrides)
    modality, dataset = modality_of(spec), load_dataset(spec)
    of_prototype = modality.fixed_fields(spec, dataset)
    of_target = tuple(Field(field.name, fixed.get(field.name, field.value), field.comment) for field in of_prototype)
    scales = [
        Scale(Blueprint(family, WORDS | dict(squares), lengths, NUMBERS), fields, spec.training)
        for squares, lengths, fields in zip(grid, sizes, (of_target, of_prototype), strict=True)
    ]
    facts = TargetFacts(
        spec_name=spec.name,
        spec_hash=spec.hash,
        seed=0,
        description="A large network.",
        versions=versions(),
        params=params[0],
        flops=1e12,
        weight_bytes=4 * params[0],
        memory_bytes=2e12,
        cache_bytes=cache_bytes,
        prototype_params=params[1],
        factors={axis: length / sizes[1][axis] for axis, length in sizes[0].items()},
        validation={"loss": 1.25, "accuracy": 0.5},
        num_candidates=24,
        transfer="The learning rate was divided by the ratio of the widths (Yang et al., 2022).",
    )
    return Target(modality, scales[0], scales[1], dataset, facts)


def decoder_params(sizes: Mapping[str, int], vocabulary: int, context: int) -> int:
    """Counted by hand: embeddings, head, last norm; four projections, two matmuls and two norms of each layer."""
    shared = sizes.get("num_kv_heads", sizes.get("num_heads")) * sizes["head_dim"]
    queries = shared * sizes.get("queries_per_kv_head", 1)
    layer = sizes["d_model"] * (2 * queries + 2 * shared + 2 * sizes["d_ff"] + 2)
    return sizes["d_model"] * (2 * vocabulary + context + 1) + sizes["num_layers"] * layer


def vit_params(sizes: Mapping[str, int], patch_values: int, num_patches: int, num_classes: int) -> int:
    """Counted by hand, like `decoder_params`."""
    width, heads = sizes["d_model"], sizes["num_heads"] * sizes["head_dim"]
    layer = width * (4 * heads + 2 * sizes["d_ff"] + 2)
    return width * (patch_values + num_patches + num_classes + 1) + sizes["num_layers"] * layer


def cnn_params(sizes: Mapping[str, int], square_values: int, num_classes: int) -> int:
    """Counted by hand: stem and its bias, head, last norm; two convolutions and a norm of each block."""
    width = sizes["width"]
    return width * (9 * square_values + num_classes + 2) + sizes["num_layers"] * width * (18 * sizes["hidden"] + 1)


def resnet_params(sizes: Mapping[str, int], square_values: int, num_classes: int) -> int:
    """Counted by hand: stem and its bias, head, last norm; blocks as in `cnn_params`; a product between two levels."""
    widths = [sizes[f"width_{level}"] for level in (1, 2, 3)]
    blocks = sum(
        sizes[f"num_layers_{level}"] * width * (18 * sizes[f"hidden_{level}"] + 1)
        for level, width in enumerate(widths, start=1)
    )
    passages = 4 * widths[0] * widths[1] + 4 * widths[1] * widths[2]
    return widths[0] * (9 * square_values + 1) + blocks + passages + widths[2] * (num_classes + 1)


def text_target(*overrides: str) -> Target:
    """Eight billion parameters, for 128,256 tokens; the prototype reads 16 characters of 64 different ones."""
    return _text_target({"num_heads": 32}, {"num_heads": 2}, 2 * 2 * 32 * 32 * 128 * 8192, overrides)


def grouped_target(*overrides: str) -> Target:
    """As `text_target`, with the eight key/value heads of Llama 3 (Grattafiori et al., 2024)."""
    heads = {"num_kv_heads": 8, "queries_per_kv_head": 4}
    return _text_target(heads, {"num_kv_heads": 2, "queries_per_kv_head": 4}, 2 * 2 * 32 * 8 * 128 * 8192, overrides)


def _text_target(
    heads: Mapping[str, int], heads_of_prototype: Mapping[str, int], cache_bytes: int, overrides: tuple[str, ...]
) -> Target:
    large = {"d_model": 4096, "num_layers": 32, **heads, "head_dim": 128, "d_ff": 21504}
    small = {"d_model": 32, "num_layers": 2, **heads_of_prototype, "head_dim": 8, "d_ff": 64}
    more = ("constraints.context_window=16", "training.batch_size=16", "training.steps=40", *overrides)
    made = make_target(
        "text_char_lm.yaml",
        more,
        family="decoder_transformer",
        grid=({}, {}),
        sizes=(large, small),
        fixed={"vocabulary": 128256, "context": 8192},
        params=(decoder_params(large, 128256, 8192), decoder_params(small, 64, 16)),
        cache_bytes=cache_bytes,
    )
    vocabulary, context = made.prototype.fixed
    more_characters = "".join(chr(ord("~") + i) for i in range(64 - vocabulary.value))  # so that tensor 2 divides them
    return dataclasses.replace(
        made,
        prototype=dataclasses.replace(made.prototype, fixed=(dataclasses.replace(vocabulary, value=64), context)),
        dataset=dataclasses.replace(made.dataset, vocabulary=made.dataset.vocabulary + more_characters),
    )


def encoder_params(sizes: Mapping[str, int], vocabulary: int, neighbours: int, positions: int, num_classes: int) -> int:
    """Counted by hand, like `decoder_params`; a character is 16 numbers wide."""
    width, heads = sizes["d_model"], sizes["num_heads"] * sizes["head_dim"]
    layer = width * (4 * heads + 2 * sizes["d_ff"] + 2)
    return 16 * (vocabulary + neighbours * width) + width * (positions + num_classes + 1) + sizes["num_layers"] * layer


def labelled_text_target(*overrides: str) -> Target:
    """A network as large as BERT-Base (Devlin et al., 2019) for 32,000 tokens; the prototype reads 18 characters."""
    large = {"d_model": 768, "num_layers": 12, "num_heads": 12, "head_dim": 64, "d_ff": 3072}
    small = {"d_model": 16, "num_layers": 2, "num_heads": 2, "head_dim": 8, "d_ff": 32}
    more = ("constraints.context_window=18", "training.batch_size=16", "training.steps=40", *overrides)
    return make_target(
        "text_classification.yaml",
        more,
        family="encoder_transformer",
        grid=({"stride": 4}, {"stride": 4}),
        sizes=(large, small),
        fixed={"vocabulary": 32000, "context": 2048, "num_classes": 100},
        params=(encoder_params(large, 32000, 8, 512, 100), encoder_params(small, 64, 8, 5, 6)),
    )


def audio_params(sizes: Mapping[str, int], neighbours: int, positions: int, num_classes: int) -> int:
    """Counted by hand, like `decoder_params`; the first convolution is 3 frames of 32 bands to 32 channels and a bias."""
    width, heads = sizes["d_model"], sizes["num_heads"] * sizes["head_dim"]
    layer = width * (4 * heads + 2 * sizes["d_ff"] + 2)
    stem = 32 * (3 * 32 + 1) + neighbours * 32 * width
    return stem + width * (positions + num_classes + 1) + sizes["num_layers"] * layer


def audio_target(*overrides: str) -> Target:
    """A network as large as AST (Gong et al., 2021) for 527 labels of half a second of sound."""
    large = {"d_model": 768, "num_layers": 12, "num_heads": 12, "head_dim": 64, "d_ff": 3072}
    small = {"d_model": 16, "num_layers": 2, "num_heads": 2, "head_dim": 8, "d_ff": 32}
    return make_target(
        "audio_classification.yaml",
        ("training.batch_size=16", "training.steps=40", *overrides),
        family="spectrogram_transformer",
        grid=({"stride": 2}, {"stride": 2}),
        sizes=(large, small),
        fixed={"num_classes": 527},
        params=(audio_params(large, 4, 16, 527), audio_params(small, 4, 16, 5)),
    )


def sound_target(*overrides: str) -> Target:
    """As many parameters as the smallest MusicGen (Copet et al., 2023), for 511 tokens."""
    large = {"d_model": 1024, "num_layers": 24, "num_heads": 16, "head_dim": 64, "d_ff": 4096}
    small = {"d_model": 16, "num_layers": 2, "num_heads": 2, "head_dim": 8, "d_ff": 32}
    more = ("constraints.context_window=16", "data.max_examples=50", "training.batch_size=16", "training.steps=40")
    return make_target(
        "audio_musicgen.yaml",
        (*more, *overrides),
        family="decoder_transformer",
        grid=({}, {}),
        sizes=(large, small),
        fixed={"context": 2048},
        params=(decoder_params(large, 511, 2048), decoder_params(small, 511, 16)),
        cache_bytes=2 * 4 * 24 * 1024 * 2048,
    )


def video_params(sizes: Mapping[str, int], tubelet_values: int, patches: int, moments: int, num_classes: int) -> int:
    """Counted by hand, like `vit_params`: two depths and a second norm and position."""
    width, heads = sizes["d_model"], sizes["num_heads"] * sizes["head_dim"]
    layers = sizes["space_layers"] + sizes["time_layers"]
    layer = width * (4 * heads + 2 * sizes["d_ff"] + 2)
    return width * (tubelet_values + patches + moments + num_classes + 2) + layers * layer


def video_target(*overrides: str) -> Target:
    """Model 2 of ViViT-Base (Arnab et al., 2021) for 8 frames of 224 x 224 colour pixels and 400 labels."""
    large = {"d_model": 768, "space_layers": 12, "time_layers": 4, "num_heads": 12, "head_dim": 64, "d_ff": 3072}
    small = {"d_model": 16, "space_layers": 1, "time_layers": 2, "num_heads": 2, "head_dim": 8, "d_ff": 32}
    return make_target(
        "video_classification.yaml",
        ("training.batch_size=16", "training.steps=40", "data.max_examples=500", *overrides),
        family="video_transformer",
        grid=({"patch_size": 16, "tubelet_frames": 2}, {"patch_size": 14, "tubelet_frames": 2}),
        sizes=(large, small),
        fixed={"image_size": 224, "channels": 3, "num_classes": 400},
        params=(
            video_params(large, 2 * 16 * 16 * 3, 14 * 14, 4, 400),
            video_params(small, 2 * 14 * 14, 2 * 2, 4, 8),
        ),
    )


def pairs_params(sizes: Mapping[str, int], vocabulary: int, words: int, values: int, patches: int) -> int:
    """Counted by hand; 32 channels before the patches, 16 numbers a character, 8 characters a word, and a scale."""
    width, heads, embedding = sizes["d_model"], sizes["num_heads"] * sizes["head_dim"], sizes["embedding"]
    layer = width * (4 * heads + 2 * sizes["d_ff"] + 2)
    stem = 32 * (9 * 4 * 3 + 1) + values * width
    text = 16 * (vocabulary + 8 * width)
    of_both = 2 * width * (1 + embedding) + (sizes["image_layers"] + sizes["text_layers"]) * layer
    return stem + text + width * (patches + words) + of_both + 1


def captions_params(sizes: Mapping[str, int], vocabulary: int, context: int, values: int, patches: int) -> int:
    """Counted by hand; 32 channels before the patches, 16 numbers a character, four characters in a row."""
    width, heads = sizes["d_model"], sizes["num_heads"] * sizes["head_dim"]
    attention, feed_forward = width * (4 * heads + 1), width * (2 * sizes["d_ff"] + 1)
    stem = 32 * (9 * 4 * 3 + 1) + values * width
    blocks = sizes["image_layers"] * (attention + feed_forward) + sizes["text_layers"] * (2 * attention + feed_forward)
    text = 16 * (vocabulary + 4 * width) + width * (context + vocabulary)
    return stem + text + width * (patches + 2) + blocks


def captions_target(*overrides: str) -> Target:
    """An encoder as ViT-B/16 (Dosovitskiy et al., 2020), for 224 x 224 pixels, and captions of 128 tokens."""
    large = {"d_model": 768, "num_heads": 12, "head_dim": 64, "d_ff": 3072, "image_layers": 12, "text_layers": 12}
    small = {"d_model": 16, "num_heads": 2, "head_dim": 8, "d_ff": 32, "image_layers": 1, "text_layers": 2}
    return make_target(
        "multimodal_captioning.yaml",
        ("constraints.context_window=24", "training.batch_size=16", "training.steps=40", *overrides),
        family="captioner",
        grid=({"patch_size": 16}, {"patch_size": 16}),
        sizes=(large, small),
        fixed={"image_size": 224, "context": 128, "vocabulary": 30000},
        params=(captions_params(large, 30000, 128, 8 * 8 * 32, 196), captions_params(small, 73, 24, 8 * 8 * 32, 4)),
    )


def pairs_target(*overrides: str) -> Target:
    """Towers as wide as that of ViT-B/32 (Radford et al., 2021), for 224 x 224 pixels and texts of 320 characters."""
    large = {"d_model": 768, "num_heads": 12, "head_dim": 64, "d_ff": 3072}
    small = {"d_model": 16, "num_heads": 2, "head_dim": 8, "d_ff": 32}
    large |= {"image_layers": 12, "text_layers": 12, "embedding": 512}
    small |= {"image_layers": 1, "text_layers": 2, "embedding": 8}
    return make_target(
        "multimodal_clip.yaml",
        ("constraints.context_window=32", "training.batch_size=16", "training.steps=40", *overrides),
        family="dual_encoder",
        grid=({"patch_size": 32, "word_length": 8}, {"patch_size": 16, "word_length": 8}),
        sizes=(large, small),
        fixed={"image_size": 224, "context": 320, "vocabulary": 1000},
        params=(pairs_params(large, 1000, 80, 16 * 16 * 32, 49), pairs_params(small, 99, 8, 8 * 8 * 32, 4)),
    )


def cnn_target(*overrides: str) -> Target:
    """A network of 1.9 billion parameters for 224 x 224 colour pixels; the prototype reads 8 x 8 grey ones."""
    large, small = {"width": 1024, "num_layers": 50, "hidden": 2048}, {"width": 8, "num_layers": 2, "hidden": 12}
    return make_target(
        "image_digits_cnn.yaml",
        ("training.batch_size=16", "training.steps=40", *overrides),
        family="cnn",
        grid=({"stride": 16}, {"stride": 2}),
        sizes=(large, small),
        fixed={"image_size": 224, "channels": 3, "num_classes": 1000},
        params=(cnn_params(large, 16 * 16 * 3, 1000), cnn_params(small, 2 * 2, 10)),
    )


def resnet_sizes(widths: tuple[int, int, int], depths: tuple[int, int, int], factor: int) -> dict[str, int]:
    """The lengths of three levels, blocks `factor` times as wide inside as the stream is."""
    return {
        f"{axis}_{level}": length
        for level, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1)
        for axis, length in (("width", width), ("num_layers", depth), ("hidden", factor * width))
    }


def resnet_target(*overrides: str) -> Target:
    """A network of 1.1 billion parameters for 224 x 224 colour pixels; the prototype reads 8 x 8 grey ones."""
    large, small = resnet_sizes((512, 1024, 2048), (3, 4, 6), 2), resnet_sizes((8, 8, 16), (1, 2, 1), 1)
    return make_target(
        "image_digits_cnn.yaml",
        ("training.batch_size=16", "training.steps=40", *overrides),
        family="resnet",
        grid=({"stride": 16, "block": "convolution"}, {"stride": 1, "block": "convolution"}),
        sizes=(large, small),
        fixed={"image_size": 224, "channels": 3, "num_classes": 1000},
        params=(resnet_params(large, 16 * 16 * 3, 1000), resnet_params(small, 1, 10)),
    )


def vae_params(sizes: Mapping[str, int], positions: int, square_values: int) -> int:
    """Counted by hand: stem and blocks as in `cnn_params`, two norms; to and from the code; pixels."""
    width, latent = sizes["width"], sizes["latent"]
    blocks = (sizes["encoder_layers"] + sizes["decoder_layers"]) * width * (18 * sizes["hidden"] + 1)
    codes = 2 * latent * (positions * width + 1) + positions * width * (latent + 1)
    pixels = square_values * (9 * width + positions)
    return width * (9 * square_values + 1) + blocks + 2 * width + codes + pixels


def vae_target(*overrides: str) -> Target:
    """A network of 1.0 billion parameters for 224 x 224 colour pixels; the prototype reads 8 x 8 grey ones."""
    large = {"latent": 256, "width": 1024, "hidden": 2048, "encoder_layers": 10, "decoder_layers": 14}
    small = {"latent": 4, "width": 8, "hidden": 12, "encoder_layers": 1, "decoder_layers": 2}
    return make_target(
        "image_vae.yaml",
        ("data.source=digits", "training.batch_size=16", "training.steps=40", *overrides),
        family="vae",
        grid=({"stride": 16}, {"stride": 2}),
        sizes=(large, small),
        fixed={"image_size": 224, "channels": 3},
        params=(vae_params(large, 14 * 14, 16 * 16 * 3), vae_params(small, 4 * 4, 2 * 2)),
    )


def unet_params(sizes: Mapping[str, int], square_values: int, num_classes: int) -> int:
    """Counted by hand: stem, blocks and last norm as in `resnet_params`, levels 1 and 2 twice; passages down and up; what
    tells time and label; the last convolution."""
    widths = [sizes[f"width_{level}"] for level in (1, 2, 3)]
    blocks = sum(
        times * sizes[f"num_layers_{level}"] * width * (18 * sizes[f"hidden_{level}"] + 1)
        for times, level, width in zip((2, 2, 1), (1, 2, 3), widths, strict=True)
    )
    passages = 2 * (4 * widths[0] * widths[1] + 4 * widths[1] * widths[2])
    told = sizes["condition"] * (32 + num_classes + 1 + 2 * widths[0] + 2 * widths[1] + widths[2])
    return widths[0] * (9 * square_values + 1) + blocks + passages + told + widths[0] * (9 * square_values + 1)


def latent_denoiser_params(sizes: Mapping[str, int], latent: int, num_classes: int) -> int:
    """Counted by hand: what tells time and label; to and from the code, last norm; three matmuls and a norm of each block."""
    width, condition = sizes["width"], sizes["condition"]
    told = condition * (32 + num_classes + 1 + width)
    return told + width * (2 * latent + 1) + sizes["num_layers"] * width * (3 * sizes["hidden"] + 1)


def unet_target(*overrides: str) -> Target:
    """A network of 1.5 billion parameters for 224 x 224 colour pixels; the prototype draws 8 x 8 grey ones."""
    large = {"condition": 1024} | resnet_sizes((512, 1024, 2048), (3, 4, 6), 2)
    small = {"condition": 8} | resnet_sizes((8, 8, 16), (1, 2, 1), 1)
    return make_target(
        "image_diffusion_pixel.yaml",
        ("data.source=digits", "training.batch_size=16", "training.steps=40", *overrides),
        family="unet",
        grid=({"stride": 16, "block": "convolution"}, {"stride": 1, "block": "convolution"}),
        sizes=(large, small),
        fixed={"image_size": 224, "channels": 3, "num_classes": 1000},
        params=(unet_params(large, 16 * 16 * 3, 1000), unet_params(small, 1, 10)),
    )


def image_target(*overrides: str) -> Target:
    """ViT-Base (Dosovitskiy et al., 2020) for 224 x 224 colour pixels; the prototype reads 8 x 8 grey ones."""
    large = {"d_model": 768, "num_layers": 12, "num_heads": 12, "head_dim": 64, "d_ff": 3072}
    small = {"d_model": 16, "num_layers": 2, "num_heads": 2, "head_dim": 8, "d_ff": 32}
    return make_target(
        "image_digits_demo.yaml",
        ("training.batch_size=16", "training.steps=40", "training.augmentation=shift", *overrides),
        family="vit",
        grid=({"patch_size": 16}, {"patch_size": 2}),
        sizes=(large, small),
        fixed={"image_size": 224, "channels": 3, "num_classes": 1000},
        params=(vit_params(large, 16 * 16 * 3, 14 * 14, 1000), vit_params(small, 2 * 2, 4 * 4, 10)),
    )
