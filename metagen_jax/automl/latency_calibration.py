"""Fits the predictor of latencies to the machine at hand: a few networks of every family are built and timed."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from metagen_jax import __version__
from metagen_jax.automl.latency import Answer, answering, time_interleaved
from metagen_jax.population.weights import Structure
from metagen_jax.spec import Training
from metagen_jax.synth import codegen
from metagen_jax.synth.costs import Effort, Predictor, effort_of
from metagen_jax.synth.costs.latency import fit
from metagen_jax.synth.modalities import MODALITIES, Field

# How a network is trained does not change how it answers.
UNTRAINED = Training("cross_entropy", "constant", 1, 1, 0.0, "none", "float32")


@dataclasses.dataclass(frozen=True)
class Network:
    """One network, whatever spec it may belong to.

    Attributes:
      family: its name.
      fixed: sizes that data decide.
      structure: the choices that change its text.
      sizes: lengths of its searched axes.
    """

    family: str
    fixed: Mapping[str, int]
    structure: Mapping[str, Any]
    sizes: Mapping[str, int]

    def __str__(self) -> str:
        facts = (*self.fixed.items(), *self.structure.items(), *self.sizes.items())
        return f"{self.family}, " + ", ".join(f"{name} {value}" for name, value in facts)


def vit(image: tuple[int, int], patch_size: int, words: str, sizes: tuple[int, int, int, int, int]) -> Network:
    """A vision transformer for 10 classes: pixels a side and channels; norm and activation; width to feed-forward."""
    fixed = {"image_size": image[0], "channels": image[1], "num_classes": 10}
    return Network("vit", fixed, {"patch_size": patch_size, **_words(words)}, _transformer(sizes))


def cnn(image: tuple[int, int], stride: int, words: str, sizes: tuple[int, int, int]) -> Network:
    """A convolutional network for 10 classes: pixels a side and channels; norm and activation; width, blocks, hidden."""
    fixed = {"image_size": image[0], "channels": image[1], "num_classes": 10}
    names = ("width", "num_layers", "hidden")
    return Network("cnn", fixed, {"stride": stride, **_words(words)}, dict(zip(names, sizes, strict=True)))


def decoder(vocabulary: int, context: int, words: str, sizes: tuple[int, int, int, int, int]) -> Network:
    """A decoder-only transformer: norm and activation; width to feed-forward."""
    fixed = {"vocabulary": vocabulary, "context": context}
    return Network("decoder_transformer", fixed, _words(words), _transformer(sizes))


def _words(words: str) -> dict[str, str]:
    return dict(zip(("norm", "activation"), words.split(), strict=True))


def _transformer(sizes: tuple[int, int, int, int, int]) -> dict[str, int]:
    return dict(zip(("d_model", "num_layers", "num_heads", "head_dim", "d_ff"), sizes, strict=True))


# Chosen from 204 so that they determine the coefficients best (by the determinant of the terms' moments): tiny and
# large, of few and of many positions, with lengths that do and do not suit the machine.
NETWORKS = (
    vit((8, 1), 4, "rms gelu", (16, 1, 1, 8, 32)),
    vit((28, 1), 2, "rms relu", (24, 4, 4, 8, 96)),
    vit((24, 1), 4, "layer silu", (160, 6, 2, 28, 24)),
    vit((28, 1), 14, "rms silu", (40, 6, 3, 20, 24)),
    vit((8, 1), 4, "layer gelu", (40, 2, 5, 28, 48)),
    vit((8, 1), 2, "rms relu", (128, 6, 6, 28, 48)),
    vit((8, 1), 4, "rms gelu", (176, 5, 1, 18, 256)),
    vit((8, 1), 4, "rms relu", (26, 6, 2, 18, 100)),
    vit((20, 1), 5, "rms relu", (136, 4, 6, 24, 36)),
    vit((40, 3), 4, "rms relu", (56, 1, 4, 36, 300)),
    vit((8, 1), 4, "rms silu", (200, 6, 1, 9, 144)),
    vit((20, 1), 2, "rms relu", (200, 2, 3, 18, 360)),
    cnn((32, 3), 1, "rms relu", (16, 2, 48)),
    cnn((32, 3), 2, "layer silu", (12, 5, 80)),
    cnn((28, 1), 7, "rms gelu", (144, 4, 144)),
    cnn((20, 1), 2, "rms silu", (200, 2, 60)),
    decoder(64, 16, "rms gelu", (16, 1, 1, 8, 32)),
    decoder(64, 128, "rms relu", (32, 3, 4, 8, 64)),
    decoder(90, 96, "rms relu", (40, 1, 5, 20, 80)),
    decoder(65, 56, "rms silu", (12, 4, 6, 28, 224)),
    decoder(65, 80, "layer relu", (12, 3, 6, 6, 24)),
    decoder(50, 24, "layer silu", (12, 3, 2, 6, 24)),
    decoder(75, 18, "layer gelu", (44, 1, 6, 4, 360)),
    decoder(75, 144, "layer silu", (200, 2, 1, 4, 56)),
)

# Such as specs are about: what a predictor errs by on those that it has not seen is its error.
ORDINARY = (
    vit((28, 1), 7, "rms gelu", (64, 2, 4, 16, 192)),
    vit((28, 1), 7, "rms silu", (96, 4, 4, 24, 256)),
    vit((28, 1), 4, "layer gelu", (48, 3, 3, 12, 128)),
    vit((28, 1), 2, "rms gelu", (64, 2, 2, 16, 128)),
    vit((24, 1), 3, "rms relu", (56, 2, 1, 28, 24)),
    vit((32, 3), 8, "layer gelu", (160, 6, 2, 14, 224)),
    vit((32, 3), 4, "rms gelu", (40, 5, 2, 6, 224)),
    vit((24, 1), 4, "rms gelu", (200, 6, 1, 14, 224)),
    vit((36, 3), 6, "layer gelu", (44, 4, 3, 24, 96)),
    vit((28, 1), 2, "layer gelu", (136, 5, 5, 32, 32)),
    vit((36, 3), 4, "rms gelu", (144, 4, 2, 32, 64)),
    vit((24, 1), 3, "rms relu", (12, 1, 2, 32, 192)),
    vit((28, 1), 2, "rms silu", (160, 6, 6, 20, 160)),
    vit((28, 1), 7, "rms gelu", (20, 5, 2, 14, 32)),
    cnn((8, 1), 1, "rms gelu", (64, 2, 96)),
    cnn((28, 1), 4, "rms gelu", (24, 4, 48)),
    cnn((28, 1), 2, "rms gelu", (32, 2, 24)),
    cnn((28, 1), 2, "rms silu", (12, 1, 40)),
    cnn((28, 1), 4, "layer gelu", (128, 1, 128)),
    cnn((28, 1), 4, "rms silu", (40, 5, 20)),
    cnn((32, 3), 8, "layer relu", (176, 5, 160)),
    cnn((36, 3), 4, "layer gelu", (120, 1, 100)),
    cnn((32, 3), 8, "layer gelu", (136, 5, 80)),
    cnn((36, 3), 6, "rms gelu", (176, 6, 80)),
    cnn((24, 1), 2, "layer gelu", (80, 6, 176)),
    cnn((28, 1), 7, "rms relu", (176, 1, 80)),
    cnn((8, 1), 4, "layer relu", (128, 2, 12)),
    decoder(64, 64, "rms silu", (64, 4, 4, 16, 192)),
    decoder(80, 64, "rms gelu", (96, 2, 2, 24, 256)),
    decoder(96, 128, "layer gelu", (128, 3, 4, 32, 384)),
    decoder(65, 56, "rms gelu", (56, 2, 2, 6, 48)),
    decoder(65, 80, "rms gelu", (100, 5, 6, 14, 80)),
    decoder(65, 20, "rms gelu", (128, 4, 5, 20, 160)),
    decoder(50, 56, "layer gelu", (72, 4, 5, 28, 224)),
    decoder(50, 16, "rms relu", (100, 1, 4, 6, 320)),
    decoder(65, 96, "rms silu", (100, 1, 6, 24, 96)),
    decoder(90, 80, "layer gelu", (200, 1, 5, 14, 48)),
    decoder(80, 80, "layer relu", (200, 6, 4, 28, 112)),
    decoder(90, 128, "layer gelu", (144, 5, 6, 6, 80)),
    decoder(50, 24, "layer gelu", (144, 2, 4, 6, 32)),
    decoder(90, 96, "rms silu", (32, 5, 2, 32, 224)),
)


def calibrate_latency(say: Callable[[str], None] = lambda line: None) -> Predictor:
    """Builds `NETWORKS` and `ORDINARY` with random weights, times them in turns and fits. One compilation each.

    Args:
      say: told what each takes.
    """
    networks = (*NETWORKS, *ORDINARY)
    built = [prepare(network) for network in networks]
    efforts = [effort for effort, _ in built]
    timings = time_interleaved([(answer, 1) for _, answer in built])
    measured = [timing.median_ms for timing in timings]
    source = f"{jax.devices()[0].device_kind}; metagen {__version__}, jax {jax.__version__}"
    predictor = fit(efforts, measured, len(ORDINARY), device=jax.default_backend(), source=source)
    for network, effort, timing in zip(networks, efforts, timings, strict=True):
        say(f"{network}: {timing.written}, fitted {float(predictor.predicted_ms(effort)):.3g} ms")
    return predictor


def prepare(network: Network) -> tuple[Effort, Answer]:
    """What one answer of a network takes as it is counted, and the network compiled."""
    modality = next(each for each in MODALITIES if network.family in each.families)
    family = modality.families[network.family]
    fixed = [Field(name, length, "") for name, length in network.fixed.items()]
    source = codegen.program_source(modality, family, network.structure, network.sizes, fixed, UNTRAINED, seed=0)
    structure = Structure(codegen.load_module(source), family.model_class, network.sizes)
    example = modality.abstract_example(network.fixed)
    effort = effort_of(structure.abstract(network.sizes), tuple(jax.ShapeDtypeStruct(*each) for each in example))
    random = np.random.default_rng(0)
    weights = {leaf.path: random.normal(0, 0.05, leaf.shape).astype(np.float32) for leaf in structure.leaves}
    return effort, answering(structure, network.sizes, weights, example)
