"""One small population of each family, trained once and shared by all tests."""

import dataclasses
import functools
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from experiments.codes import prepare_any
from experiments.faults.common import Skipped
from experiments.faults.disk_full import build_interposer
from metagen_jax.automl.pipeline import Prepared
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.program import Hyperparameters, Job, Population, Program
from metagen_jax.population.weights import Structure, Weights
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from tests.short import FAMILIES as SHORT
from tests.short import in_short

SPECS = Path(__file__).parents[2] / "specs"
SMALL = (
    "architecture.choices.d_model=[8, 12, 16]",
    "architecture.choices.num_layers=[1, 2]",
    "architecture.choices.num_heads=[1, 2]",
    "architecture.choices.head_dim=[4, 6]",
    "architecture.choices.d_ff=[8, 16, 24]",
    "training.batch_size=8",
)
GROUPED_QUERIES = (
    *(override for override in SMALL if "num_heads" not in override),
    "architecture.choices.num_kv_heads=[1, 2]",
    "architecture.choices.queries_per_kv_head=[1, 2, 3]",
)
RESNET = (
    "architecture={family: resnet, choices: {stride: 1, width_1: [4, 8], hidden_1: [4, 8], width_2: [8, 12], hidden_2: [8, 12], "
    "width_3: [8, 12, 16], hidden_3: [8, 16], num_layers_1: 1, num_layers_2: [1, 2], num_layers_3: [1, 2]}}"
)
FAMILIES = {
    "vit": ("image_digits_demo.yaml", ("training.augmentation=shift", *SMALL)),
    "vit with layer norm and silu": (
        "image_digits_demo.yaml",
        ("architecture.choices.norm=layer", "architecture.choices.activation=silu", "training.schedule=linear", *SMALL),
    ),
    "cnn": (
        "image_digits_cnn.yaml",
        (
            "architecture.choices.width=[8, 12, 16]",
            "architecture.choices.num_layers=[1, 2, 3]",
            "architecture.choices.hidden=[8, 16, 24]",
            "training.augmentation=shift",
            "training.batch_size=8",
        ),
    ),
    "resnet": ("image_digits_cnn.yaml", (RESNET, "training.augmentation=shift", "training.batch_size=8")),
    "resnet with layer norm and depthwise separable blocks": (
        "image_digits_cnn.yaml",
        (
            RESNET,
            "architecture.choices.norm=layer",
            "architecture.choices.block=depthwise_separable",
            "training.batch_size=8",
        ),
    ),
    "vae": (
        "image_vae.yaml",
        (
            "architecture.choices={stride: 7, latent: [3, 5, 8], width: [8, 12], hidden: [8, 16], "
            "encoder_layers: [1, 2], decoder_layers: [1, 2, 3]}",
            "training.batch_size=8",
        ),
    ),
    "unet": (
        "image_diffusion_pixel.yaml",
        (
            "data.source=digits",
            "architecture.choices={stride: 1, condition: [6, 8], width_1: [4, 8], hidden_1: [4, 8], width_2: [8, 12], "
            "hidden_2: [8, 12], width_3: [8, 12], hidden_3: [8, 16], num_layers_1: [1, 2], num_layers_2: 1, num_layers_3: [1, 2]}",
            "training.augmentation=shift",
            "training.batch_size=8",
        ),
    ),
    "latent_denoiser": (
        "image_diffusion_latent.yaml",
        (
            "architecture.choices={condition: [6, 8], width: [8, 12, 16], hidden: [8, 16, 24], num_layers: [1, 2, 3]}",
            "training.batch_size=8",
        ),
    ),
    "decoder_transformer": (
        "text_char_lm.yaml",
        ("constraints.context_window=12", "training.label_smoothing=0.1", *SMALL),
    ),
    "decoder_transformer with grouped queries": (
        "text_char_lm.yaml",
        ("constraints.context_window=12", *GROUPED_QUERIES),
    ),
    "decoder_transformer of sound": (
        "audio_musicgen.yaml",
        ("constraints.context_window=12", "data.max_examples=20", *SMALL),
    ),
    "spectrogram_transformer": ("audio_classification.yaml", ("architecture.choices.stride=4", *SMALL)),
    "video_transformer": (
        "video_classification.yaml",
        (
            "architecture.choices={patch_size: 14, tubelet_frames: 4, d_model: [8, 12, 16], space_layers: [1, 2, 3], "
            "time_layers: [1, 2, 3], num_heads: [1, 2], head_dim: [4, 6], d_ff: [8, 16, 24]}",
            "training.batch_size=8",
        ),
    ),
    "encoder_transformer": (
        "text_classification.yaml",
        ("constraints.context_window=30", "architecture.choices.stride=4", *SMALL),
    ),
    "encoder_transformer with grouped queries": (
        "text_classification.yaml",
        ("constraints.context_window=30", "architecture.choices.stride=4", *GROUPED_QUERIES),
    ),
    "dual_encoder": (
        "multimodal_clip.yaml",
        (
            "constraints.context_window=30",
            "architecture.choices={patch_size: 16, d_model: [16, 24], image_layers: [1, 2], text_layers: [1, 2, 3], "
            "num_heads: [1, 2], head_dim: [8], d_ff: [32, 64], embedding: [16, 24]}",
            "training.batch_size=8",
            "data.max_examples=200",
        ),
    ),
    "captioner": (
        "multimodal_captioning.yaml",
        (
            "constraints.context_window=20",
            "architecture.choices={patch_size: 16, d_model: [16, 24], image_layers: [1, 2], text_layers: [1, 2, 3], "
            "num_heads: [1, 2], head_dim: [8], d_ff: [32, 64]}",
            "training.batch_size=8",
            "data.max_examples=200",
        ),
    ),
}
NUM_STEPS = 30
WIDTH = 2


@dataclasses.dataclass(frozen=True)
class Trained:
    """A population after `NUM_STEPS` steps, and all that it takes to repeat it."""

    name: str  # in `FAMILIES`
    prepared: Prepared
    module: ModuleType
    structure: Structure
    program: Program
    jobs: list[Job]
    train_arrays: tuple[np.ndarray, ...]
    validation: tuple[np.ndarray, ...]
    losses: np.ndarray
    population: Population
    weights: list[Weights]

    def inputs(self, count: int) -> tuple[np.ndarray, ...]:
        """What the models are called with to answer some of the validation data."""
        if self.name == "dual_encoder":  # the first pairs of the only group
            images, tokens = (array[0, :count] for array in self.validation)
            return images / np.float32(255), tokens
        if self.name == "captioner":  # what is read is some text
            images, tokens = (array[:count] for array in self.validation)
            return images / np.float32(255), tokens
        first = self.validation[0][:count]
        first = first / np.float32(255) if first.dtype == np.uint8 else first
        if self.name not in ("unet", "latent_denoiser"):
            return (first,)
        return first, np.linspace(0, 1, count, dtype=np.float32), self.validation[1][:count]

    def train(
        self, program: Program, jobs: list[Job], batches: list[Any] | None = None
    ) -> tuple[Population, np.ndarray]:
        batches = batches or [self.module.train_batch(*self.train_arrays, step) for step in range(NUM_STEPS)]
        return program.train(program.start(jobs), batches, NUM_STEPS, NUM_STEPS)


@pytest.fixture(scope="session", params=in_short(FAMILIES, SHORT))
def trained(request: pytest.FixtureRequest) -> Trained:
    return train_family(request.param)


@functools.cache
def train_family(family: str, *more: str) -> Trained:
    """Trains four members of different sizes; `more` overrides the spec."""
    file, overrides = FAMILIES[family]
    prepared = prepare_any(load_spec(SPECS / file, (*overrides, *more)))
    space, modality = prepared.space, prepared.modality
    (source,) = space.sources.values()
    module = codegen.load_module(source)
    structure = Structure(module, space.family.model_class, space.largest)
    rng = np.random.default_rng(0)
    jobs = []
    for number in range(4):
        blueprint = space.blueprint(rng.integers(0, space.discrete.num_choices))
        key = jax.random.fold_in(jax.random.key(0), number)
        hyper = Hyperparameters(**blueprint.hyperparameters)
        jobs.append(Job(blueprint.sizes, hyper, structure.initial_weights(key, blueprint.sizes)))
    program = Program(structure, space.largest, WIDTH, population_mesh(2))
    fixed = {field.name: field.value for field in space.fixed}
    validation = tuple(a[:20] for a in modality.evaluation_arrays(prepared.dataset, "validation", fixed))
    arrays = modality.train_arrays(prepared.dataset)
    batches = [module.train_batch(*arrays, step) for step in range(NUM_STEPS)]
    population, losses = program.train(program.start(jobs), batches, NUM_STEPS, NUM_STEPS)
    weights = program.weights(population, [job.sizes for job in jobs])
    return Trained(family, prepared, module, structure, program, jobs, arrays, validation, losses, population, weights)


def train_alone(trained: Trained, job: Job) -> tuple[np.ndarray, dict[Any, np.ndarray]]:
    """The plain source at the candidate's own sizes, without a population: losses and final parameters."""
    graph, params = nnx.split(trained.structure.apply(job.sizes, job.weights))
    rates = [float(np.float32(value)) for value in job.hyperparameters]
    optimizer = trained.module.make_optimizer(*rates, NUM_STEPS)
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params: Any, opt_state: Any, batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(lambda p: trained.module.loss_fn(nnx.merge(graph, p), *batch))(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    losses = []
    for number in range(NUM_STEPS):
        params, opt_state, loss = step(params, opt_state, trained.module.train_batch(*trained.train_arrays, number))
        losses.append(float(loss))
    return np.array(losses), {path: np.asarray(param[...]) for path, param in nnx.to_flat_state(params)}


@pytest.fixture(scope="session")
def interposer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that plays a full disk to the process that it is preloaded into."""
    try:
        return build_interposer(tmp_path_factory.mktemp("interposer"))
    except Skipped as reason:
        pytest.skip(str(reason))
