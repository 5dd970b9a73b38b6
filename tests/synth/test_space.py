"""The space keeps the limits, counts exactly, and says what it leaves out."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from metagen_jax.automl.pipeline import prepare
from metagen_jax.errors import InfeasibleError, SpecError
from metagen_jax.population.weights import Structure
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from metagen_jax.synth.costs import exact
from metagen_jax.synth.modalities import SIZE
from metagen_jax.synth.modalities.cnn import CNN as CNN_FAMILY
from metagen_jax.synth.space import SearchSpace
from tests.runs import ROOT
from tests.short import FAMILIES as SHORT
from tests.short import in_short

IMAGE = ROOT / "specs" / "image_digits_demo.yaml"
CNN = ROOT / "specs" / "image_digits_cnn.yaml"
TEXT = ROOT / "specs" / "text_char_lm.yaml"
AUDIO = ROOT / "specs" / "audio_classification.yaml"
VIDEO = ROOT / "specs" / "video_classification.yaml"
PAIRS = ROOT / "specs" / "multimodal_clip.yaml"
CAPTIONS = ROOT / "specs" / "multimodal_captioning.yaml"
LABELLED_TEXT = ROOT / "specs" / "text_classification.yaml"
VAE = ROOT / "specs" / "image_vae.yaml"
FAMILIES = {
    "vit": IMAGE,
    "cnn": CNN,
    "vae": VAE,
    "decoder_transformer": TEXT,
    "encoder_transformer": LABELLED_TEXT,
    "spectrogram_transformer": AUDIO,
    "video_transformer": VIDEO,
    "dual_encoder": PAIRS,
    "captioner": CAPTIONS,
}
LATENCY_MS = 0.1
FEW_LENGTHS = "architecture.choices={d_model: [16, 32, 48], num_layers: [1, 3], num_heads: [1, 3], head_dim: [8, 16], d_ff: [32, 96]}"
CHOICES = "architecture.choices={{norm: [rms, layer], {width}: [8, 20], {layers}: [1, 3]}}"
AXES = {
    CNN: ("width", "num_layers"),
    VAE: ("width", "encoder_layers"),
    VIDEO: ("d_model", "time_layers"),
    PAIRS: ("d_model", "image_layers"),
    CAPTIONS: ("d_model", "text_layers"),
}  # of the residual stream and its blocks


def choices_of(spec: Path) -> str:
    """Two norms, widths and depths of a spec's family."""
    width, layers = AXES.get(spec, ("d_model", "num_layers"))
    return CHOICES.format(width=width, layers=layers)


def space_of(spec: Path, *overrides: str) -> SearchSpace:
    return prepare(load_spec(spec, overrides)).space


@pytest.fixture(scope="module", params=in_short(FAMILIES, SHORT))
def space(request: pytest.FixtureRequest) -> SearchSpace:
    spec = FAMILIES[request.param]
    return space_of(spec, choices_of(spec))


def sample(space: SearchSpace, count: int, seed: int = 0) -> np.ndarray:
    counts = space.discrete.num_choices
    return np.random.default_rng(seed).integers(0, counts, size=(count, len(counts)), dtype=np.int32)


def structure_of(space: SearchSpace, genotype: np.ndarray) -> Structure:
    source = space.sources[space.structure_key(space.blueprint(genotype))]
    return Structure(codegen.load_module(source), space.family.model_class, space.largest)


def test_parameters_predicted_are_those_of_the_rendered_model(space: SearchSpace):
    genotypes = sample(space, 25)
    predicted = exact(jax.jit(space.cost)(genotypes).params)
    for genotype, params in zip(genotypes, predicted, strict=True):
        model = structure_of(space, genotype).abstract(space.blueprint(genotype).sizes)
        assert params == sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def test_a_genotype_decodes_to_the_values_that_its_costs_are_of(space: SearchSpace):
    genotypes = sample(space, 10)
    sizes = space.sizes(jnp.asarray(genotypes))
    for row, genotype in enumerate(genotypes):
        blueprint = space.blueprint(genotype)
        assert {axis: int(lengths[row]) for axis, lengths in sizes.items()} == dict(blueprint.sizes)
        assert len(blueprint.structure) + len(blueprint.sizes) + len(blueprint.hyperparameters) == len(space.dimensions)


def test_violation_is_zero_exactly_where_every_limit_is_kept():
    space = space_of(IMAGE, f"constraints={{parameter_budget: {{min: 5k, max: 20k}}, latency: {LATENCY_MS}ms}}")
    genotypes = sample(space, 500)
    costs = jax.tree.map(np.asarray, space.cost(jnp.asarray(genotypes)))
    params = exact(costs.params)
    kept = (params >= 5_000) & (params <= 20_000) & (costs.latency_ms * (1 + space.predictor.error) <= LATENCY_MS)
    violation = np.asarray(space.violation(jnp.asarray(genotypes)))
    assert kept.any()
    assert not kept.all()
    assert ((violation == 0) == kept).all()


def test_the_feasible_share_is_that_of_all_networks():
    space = space_of(
        IMAGE, "constraints.parameter_budget={max: 6k}", "architecture.choices={d_model: [8, 16], d_ff: [32, 64]}"
    )
    networks = {}
    for genotype in sample(space, 20_000):
        networks[tuple(space.blueprint(genotype).sizes.items())] = genotype
    params = exact(space.cost(jnp.asarray(np.stack(list(networks.values())))).params)
    assert len(networks) == np.prod([len(d.values) for d in space.dimensions if d.kind == SIZE])
    assert space.feasible_share() == (pytest.approx(np.mean(params <= 6_000)), True)


def test_what_a_program_must_hold_is_no_larger_than_the_limits_allow():
    free, tight = space_of(IMAGE), space_of(IMAGE, "constraints.parameter_budget={max: 4k}")
    assert all(tight.allocated[axis] <= free.allocated[axis] for axis in free.allocated)
    assert tight.allocated["d_model"] < free.allocated["d_model"]


def test_the_largest_feasible_network_is_the_largest_of_the_feasible():
    space = space_of(IMAGE, "constraints.parameter_budget={max: 12k}")
    genotypes = sample(space, 5_000)
    params = exact(space.cost(jnp.asarray(genotypes)).params)
    best = space.costs_of(space.largest_feasible()[None])[0]["params"]
    assert params[params <= 12_000].max() <= best <= 12_000


@pytest.mark.parametrize(("low", "high"), [(100, 300), (30_000, 30_010), (10**7, 10**8)])
def test_the_closest_value_named_for_an_impossible_budget_is_the_closest_there_is(low: int, high: int):
    everything = space_of(IMAGE, "constraints.parameter_budget={}", FEW_LENGTHS)
    params = exact(jax.jit(everything.cost)(everything._survey[0]).params)
    with pytest.raises(InfeasibleError) as raised:
        space_of(IMAGE, f"constraints.parameter_budget={{min: {low}, max: {high}}}", FEW_LENGTHS)
    named = {int(text.replace(",", "")) for text in re.findall(r"closest is ([\d,]+) parameters", str(raised.value))}
    assert named
    for value in named:
        assert value in params
    if (params < low).any() and (params > high).any():
        assert named == {params[params < low].max(), params[params > high].min()}


def test_a_choice_of_words_makes_one_program_each(space: SearchSpace):
    assert len(space.sources) == 2
    assert len(set(space.sources.values())) == 2


def test_unknown_names_are_refused_where_they_stand():
    with pytest.raises(SpecError, match="there is no family 'unet'"):
        space_of(IMAGE, "architecture.family=unet")
    with pytest.raises(SpecError, match="several families are not searched in one run"):
        space_of(IMAGE, "architecture.family=[vit, cnn]")


def test_images_get_a_transformer_unless_the_spec_names_another_family():
    assert load_spec(CNN).architecture.families == ("cnn",)
    unnamed = load_spec(IMAGE, ("architecture={}",))
    assert prepare(unnamed).space.family.name == "vit"


@pytest.mark.parametrize(("image_size", "stride"), [(8, 1), (28, 4), (32, 4), (64, 8), (7, 1)])
def test_a_convolutional_network_has_about_eight_positions_along_each_side(image_size: int, stride: int):
    assert CNN_FAMILY.grid.usual_side(image_size) == stride
