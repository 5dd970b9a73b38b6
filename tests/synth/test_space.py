"""The space keeps the limits, counts exactly, and says what it leaves out."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from metagen_jax.automl.pipeline import prepare
from metagen_jax.errors import InfeasibleError, SpecError
from metagen_jax.population.weights import Structure
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from metagen_jax.synth.modalities import SIZE
from metagen_jax.synth.modalities.cnn import CNN as CNN_FAMILY
from metagen_jax.synth.space import SearchSpace
from tests.runs import ROOT

IMAGE = ROOT / "specs" / "image_digits_demo.yaml"
CNN = ROOT / "specs" / "image_digits_cnn.yaml"
TEXT = ROOT / "specs" / "text_char_lm.yaml"
CHOICES = "architecture.choices={{norm: [rms, layer], {width}: [8, 20], num_layers: [1, 3]}}"


def space_of(spec: Path, *overrides: str) -> SearchSpace:
    return prepare(load_spec(spec, overrides)).space


@pytest.fixture(scope="module", params=[IMAGE, CNN, TEXT], ids=["vit", "cnn", "decoder_transformer"])
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return space_of(request.param, CHOICES.format(width="width" if request.param == CNN else "d_model"))


def sample(space: SearchSpace, count: int, seed: int = 0) -> np.ndarray:
    counts = space.discrete.num_choices
    return np.random.default_rng(seed).integers(0, counts, size=(count, len(counts)), dtype=np.int32)


def structure_of(space: SearchSpace, genotype: np.ndarray) -> Structure:
    source = space.sources[space.structure_key(space.blueprint(genotype))]
    return Structure(codegen.load_module(source), space.family.model_class, space.largest)


def test_parameters_predicted_are_those_of_the_rendered_model(space: SearchSpace):
    genotypes = sample(space, 25)
    predicted = np.asarray(jax.jit(space.cost)(genotypes).params)
    for genotype, params in zip(genotypes, predicted, strict=True):
        model = structure_of(space, genotype).abstract(space.blueprint(genotype).sizes)
        assert params == sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def test_flops_agree_with_what_xla_counts(space: SearchSpace):
    genotypes = sample(space, 4)
    predicted = np.asarray(space.cost(jnp.asarray(genotypes)).flops)
    inputs = {
        "image_classification": jnp.zeros((1, 8, 8, 1)),
        "text_generation": jnp.zeros((1, space.spec.constraints.context_window or 0), jnp.int32),
    }[space.modality.name]
    for genotype, flops in zip(genotypes, predicted, strict=True):
        structure = structure_of(space, genotype)
        model = structure.build(space.blueprint(genotype).sizes, jax.random.key(0))
        counted = jax.jit(lambda x, model=model: model(x)).lower(inputs).compile().cost_analysis()["flops"]
        assert 0.75 < flops / counted < 1.1  # norms and activations are not in ours


@pytest.mark.parametrize("spec", ["image_vit_classification.yaml", "image_digits_cnn.yaml"])
def test_the_memory_estimate_errs_on_the_large_side_and_not_by_much(spec: str):
    prepared = prepare(load_spec(ROOT / "specs" / spec))
    space = prepared.space
    for genotype in sample(space, 2):
        structure, blueprint = structure_of(space, genotype), space.blueprint(genotype)
        graph, params = nnx.split(structure.build(blueprint.sizes, jax.random.key(0)))
        optimizer = structure.module.make_optimizer(**blueprint.hyperparameters, num_steps=10)
        batch = structure.module.train_batch(*space.modality.train_arrays(prepared.dataset), 0)

        def step(params, opt_state, batch, structure=structure, graph=graph, optimizer=optimizer):
            gradients = jax.grad(lambda p: structure.module.loss_fn(nnx.merge(graph, p), *batch))(params)
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            return optax.apply_updates(params, updates), opt_state

        compiled = jax.jit(step, donate_argnums=(0, 1)).lower(params, optimizer.init(params), batch).compile()
        used = compiled.memory_analysis()
        allocated = used.argument_size_in_bytes + used.output_size_in_bytes + used.temp_size_in_bytes
        allocated -= used.alias_size_in_bytes
        assert 0.95 < float(space.cost(jnp.asarray(genotype[None])).memory_bytes[0]) / allocated < 1.4


def test_a_genotype_decodes_to_the_values_that_its_costs_are_of(space: SearchSpace):
    genotypes = sample(space, 10)
    sizes = space.sizes(jnp.asarray(genotypes))
    for row, genotype in enumerate(genotypes):
        blueprint = space.blueprint(genotype)
        assert {axis: int(lengths[row]) for axis, lengths in sizes.items()} == dict(blueprint.sizes)
        assert len(blueprint.structure) + len(blueprint.sizes) + len(blueprint.hyperparameters) == len(space.dimensions)


def test_violation_is_zero_exactly_where_every_limit_is_kept():
    space = space_of(IMAGE, "constraints={parameter_budget: {min: 5k, max: 20k}, latency: 0.15ms}")
    genotypes = sample(space, 500)
    costs = jax.tree.map(np.asarray, space.cost(jnp.asarray(genotypes)))
    kept = (costs.params >= 5_000) & (costs.params <= 20_000) & (costs.latency_ms <= 0.15)
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
    params = np.asarray(space.cost(jnp.asarray(np.stack(list(networks.values())))).params)
    assert len(networks) == np.prod([len(d.values) for d in space.dimensions if d.kind == SIZE])
    assert space.feasible_share() == (pytest.approx(np.mean(params <= 6_000)), True)


def test_what_a_program_must_hold_is_no_larger_than_the_limits_allow():
    free, tight = space_of(IMAGE), space_of(IMAGE, "constraints.parameter_budget={max: 4k}")
    assert all(tight.allocated[axis] <= free.allocated[axis] for axis in free.allocated)
    assert tight.allocated["d_model"] < free.allocated["d_model"]


def test_the_largest_feasible_network_is_the_largest_of_the_feasible():
    space = space_of(IMAGE, "constraints.parameter_budget={max: 12k}")
    genotypes = sample(space, 5_000)
    params = np.asarray(space.cost(jnp.asarray(genotypes)).params)
    best = int(space.cost(jnp.asarray(space.largest_feasible()[None])).params[0])
    assert params[params <= 12_000].max() <= best <= 12_000


@pytest.mark.parametrize(("low", "high"), [(100, 300), (30_000, 30_010), (10**7, 10**8)])
def test_the_closest_value_named_for_an_impossible_budget_is_the_closest_there_is(low: int, high: int):
    everything = space_of(IMAGE, "constraints.parameter_budget={max: 1B}")
    params = np.asarray(jax.jit(everything.cost)(everything._survey[0]).params)
    with pytest.raises(InfeasibleError) as raised:
        space_of(IMAGE, f"constraints.parameter_budget={{min: {low}, max: {high}}}")
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
