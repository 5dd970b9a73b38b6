"""The autoencoder that a run of two stages has trained first: its codes, and images from them."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from metagen_jax.automl.run_folder import CODES, RunFolder
from metagen_jax.data import CodeDataset, ImageDataset, codes_of, load_dataset, save_npz
from metagen_jax.population.checkpoints import load_weights
from metagen_jax.population.weights import Structure
from metagen_jax.spec import ModelSpec
from metagen_jax.synth import codegen
from metagen_jax.synth.choices import choose_family
from metagen_jax.synth.modalities import modality_of

AT_ONCE = 256  # images


@dataclasses.dataclass(frozen=True)
class LatentDrawer:
    """What draws images of labels in two steps: a denoiser draws codes, an autoencoder images from them.

    Attributes:
      denoiser, autoencoder: models.
      dataset: the codes that the denoiser was trained on, with their scale.
    """

    denoiser: Any
    autoencoder: Any
    dataset: CodeDataset

    def draw(self, noise: jax.Array, labels: jax.Array) -> jax.Array:
        """Noise `(N, L)` and labels `(N,)` to images `(N, H, W, C)`, values around 0..1."""
        codes = self.denoiser.draw(noise, labels)
        return self.autoencoder.decode(codes * self.dataset.deviation + self.dataset.mean)


def load_autoencoder(folder: Path, spec: ModelSpec) -> nnx.Module:
    """The winner of a finished run of an autoencoder, trained."""
    winner = json.loads((folder / "result.json").read_text(encoding="utf-8"))["winner"]
    modality = modality_of(spec)
    family, fixed = choose_family(spec, modality), modality.fixed_fields(spec, load_dataset(spec))
    sizes = winner["sizes"]
    source = codegen.program_source(modality, family, winner["structure"], sizes, fixed, spec.training, spec.seed)
    structure = Structure(codegen.load_module(source), family.model_class, sizes)
    return structure.apply(sizes, load_weights(folder / "winner" / "checkpoint"))


def write_codes(folder: RunFolder, spec: ModelSpec) -> Path:
    """Leaves the codes of a spec's images in its run's folder, unless they are there; returns their file."""
    file = folder.path / CODES
    if not file.is_file():
        images, autoencoder = load_dataset(spec), spec.data.autoencoder
        assert isinstance(images, ImageDataset) and autoencoder is not None
        part = file.with_name(f"{CODES}.part")
        save_npz(codes_of(images, _encoder(load_autoencoder(folder.autoencoder.path, autoencoder))), part)
        part.replace(file)
    return file


def _encoder(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Images `(N, H, W, C)` uint8 to the means of their codes `(N, L)`."""
    encode = jax.jit(lambda images: model.encode(images / np.float32(255))[0])

    def encode_all(images: np.ndarray) -> np.ndarray:
        blank = np.zeros((-len(images) % AT_ONCE, *images.shape[1:]), images.dtype)
        batches = np.concatenate([images, blank]).reshape(-1, AT_ONCE, *images.shape[1:])
        return np.concatenate([np.asarray(encode(batch)) for batch in batches])[: len(images)]

    return encode_all
