"""Costs are those of the rendered program: parameters exactly, FLOPs and memory as XLA has them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.codes import prepare_any
from experiments.costs.counted import Counted, count
from metagen_jax.automl.pipeline import prepare
from metagen_jax.spec import ModelSpec, load_spec
from metagen_jax.synth.build import program_of
from metagen_jax.synth.costs import FLOAT_BYTES, build_cost_model
from metagen_jax.synth.costs.polynomials import Rulers, rulers_for
from metagen_jax.synth.modalities import SIZE
from metagen_jax.synth.space import SearchSpace
from tests.runs import ROOT
from tests.short import in_short

SPECS = {
    "vit": ("image_digits_demo.yaml", ()),
    "cnn": ("image_digits_cnn.yaml", ()),
    "vae": ("image_vae.yaml", ("training.batch_size=16",)),
    # At a batch of 16, a tenth of its activations does not depend on the batch: about as much as its weights.
    "unet": ("image_diffusion_pixel.yaml", ("data.source=digits", "training.batch_size=64")),
    "latent_denoiser": ("image_diffusion_latent.yaml", ()),  # at small batches as for a U-Net
    "decoder_transformer": ("text_char_lm.yaml", ("constraints.context_window=24", "training.batch_size=4")),
    "decoder_transformer with grouped queries": (
        "text_char_lm.yaml",
        (
            "architecture.choices.num_kv_heads=[1, 2, 3]",
            "architecture.choices.queries_per_kv_head=[2, 3]",
            "architecture.choices.d_ff={min: 96}",  # of narrower layers most is norms, with ordinary attention as well
            "constraints.context_window=24",
            "training.batch_size=4",
        ),
    ),
    "spectrogram_transformer": (
        "audio_classification.yaml",
        ("architecture.choices.stride=2", "training.batch_size=4"),
    ),
    "video_transformer": (
        "video_classification.yaml",
        # Of networks with fewer heads and narrower layers most is norms, of which XLA computes up to a seventh twice.
        ("architecture.choices.d_ff={min: 96}", "architecture.choices.num_heads={min: 2}", "training.batch_size=4"),
    ),
    "encoder_transformer": (
        "text_classification.yaml",
        ("constraints.context_window=96", "architecture.choices.stride=4", "training.batch_size=4"),
    ),
    "captioner": ("multimodal_captioning.yaml", ("architecture.choices.patch_size=8", "training.batch_size=4")),
    "dual_encoder": ("multimodal_clip.yaml", ("architecture.choices.patch_size=8", "training.batch_size=4")),
}


@pytest.fixture(scope="module", params=in_short(SPECS, ["cnn"]))
def space(request: pytest.FixtureRequest) -> SearchSpace:
    name, overrides = SPECS[request.param]
    words = "architecture.choices={norm: [layer], activation: [relu, silu]}"
    return prepare_any(load_spec(ROOT / "specs" / name, (words, "constraints.parameter_budget={}", *overrides))).space


@pytest.fixture(scope="module")
def counted(space: SearchSpace) -> list[tuple[Mapping[str, Any], Counted]]:
    counts = space.discrete.num_choices
    genotypes = np.random.default_rng(5).integers(0, counts, size=(2, len(counts)), dtype=np.int32)
    return list(zip(space.costs_of(genotypes), [count(space, space.blueprint(g)) for g in genotypes], strict=True))


def test_parameters_are_counted_exactly(counted: list[tuple[Mapping[str, Any], Counted]]):
    assert all(predicted["params"] == xla.params for predicted, xla in counted)


def test_flops_are_those_of_xla(counted: list[tuple[Mapping[str, Any], Counted]]):
    for predicted, xla in counted:
        assert predicted["flops"] == pytest.approx(xla.flops, rel=0.005)
        assert predicted["training_flops"] == pytest.approx(xla.training_flops, rel=0.005)
        assert predicted["training_flops"] == pytest.approx(xla.training_flops_compiled, rel=0.1)


def test_memory_is_within_a_fifth_of_what_xla_allocates_and_rarely_below(
    counted: list[tuple[Mapping[str, Any], Counted]],
):
    for predicted, xla in counted:
        assert 0.9 < predicted["memory_bytes"] / xla.memory_bytes < 1.2


def test_memory_is_that_of_xla_where_attention_weights_are_most_of_it():
    choices = "{norm: [layer], activation: [gelu], patch_size: [2], d_model: [32], num_layers: [1], num_heads: [2]}"
    overrides = (f"architecture.choices={choices}", "constraints.parameter_budget={}", "training.batch_size=32")
    space = prepare(load_spec(ROOT / "specs" / "image_vit_classification.yaml", overrides)).space
    genotype = np.zeros(len(space.dimensions), np.int32)
    (predicted,) = space.costs_of(genotype[None])
    xla = count(space, space.blueprint(genotype), compiled=False)
    assert predicted["memory_bytes"] / xla.memory_bytes == pytest.approx(1, abs=0.1)


def test_memory_is_that_of_xla_where_a_convolution_is_much_wider_than_the_next():
    choices = "{stride: [1], norm: [rms], activation: [relu], width: [64], hidden: [20], num_layers: [1]}"
    overrides = (f"architecture.choices={choices}", "constraints.parameter_budget={}")
    space = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml", overrides)).space
    genotype = np.zeros(len(space.dimensions), np.int32)
    (predicted,) = space.costs_of(genotype[None])
    xla = count(space, space.blueprint(genotype), compiled=False)
    assert 0.95 < predicted["memory_bytes"] / xla.memory_bytes < 1.15


RESNET = {"width_1": 16, "hidden_1": 12, "width_2": 12, "hidden_2": 20, "width_3": 24, "hidden_3": 16, "stride": 1}


@pytest.mark.parametrize(("block", "depths"), [("convolution", (3, 1, 4)), ("depthwise_separable", (1, 3, 2))])
def test_costs_are_those_of_xla_where_three_lists_of_layers_have_depths_of_their_own(
    block: str, depths: tuple[int, int, int]
):
    """Networks of these depths are not among those that the costs were counted in."""
    layers = {f"num_layers_{level}": depth for level, depth in enumerate(depths, start=1)}
    architecture = {"family": "resnet", "choices": RESNET | layers | {"block": block}}
    overrides = (f"architecture={architecture}", "constraints.parameter_budget={}")
    space = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml", overrides)).space
    genotype = np.zeros(len(space.dimensions), np.int32)
    (predicted,) = space.costs_of(genotype[None])
    xla = count(space, space.blueprint(genotype), compiled=False)
    assert predicted["params"] == xla.params
    assert predicted["flops"] == pytest.approx(xla.flops, rel=0.005)
    assert predicted["training_flops"] == pytest.approx(xla.training_flops, rel=0.005)
    assert 0.9 < predicted["memory_bytes"] / xla.memory_bytes < 1.2


def test_the_cache_holds_keys_and_values_of_every_position(space: SearchSpace):
    sizes = {"num_layers": 3, "num_heads": 2, "head_dim": 8, "d_model": 16, "d_ff": 32}
    sizes |= {"num_kv_heads": 2, "queries_per_kv_head": 3}  # of which keys and values are only of the former
    sizes |= {"condition": 16} | {
        f"{axis}_{n}": 3 if axis == "num_layers" else 16
        for axis in ("width", "hidden", "num_layers")
        for n in (1, 2, 3)
    }
    sizes |= {
        "width": 16,
        "hidden": 16,
        "latent": 8,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "space_layers": 2,
        "time_layers": 3,
        "image_layers": 2,
        "text_layers": 3,
        "embedding": 16,
    }
    model = next(iter(space.cost_models.values()))
    costs = model({axis: jnp.array([sizes[axis]]) for axis in space.largest})
    context = space.spec.constraints.context_window or 0 if space.family.causal else 0  # only what continues a text
    expected = 2 * 3 * 2 * 8 * context * FLOAT_BYTES
    assert float(costs.cache_bytes[0]) == expected
    assert float(costs.optimizer_bytes[0]) == 2 * FLOAT_BYTES * int(costs.params.low[0])
    assert float(costs.inference_bytes[0]) > expected + FLOAT_BYTES * int(costs.params.low[0])


def test_activations_are_those_of_a_batch(space: SearchSpace):
    source, model = next((space.sources[key], model) for key, model in space.cost_models.items())
    batch = space.spec.training.batch_size
    twice = build_cost_model(
        program_of(dataclasses.replace(space, spec=_with_batch_size(space.spec, 2 * batch)), source),
        model.leaves,
        _ranges(space),
        fixed=tuple(field.value for field in space.fixed),
        causal=space.family.causal,
        predictor=model.predictor,
    )
    sizes = {axis: jnp.array([length]) for axis, length in space.largest.items()}
    once, double = (float(each(sizes).activation_bytes[0]) for each in (model, twice))
    assert double / once == pytest.approx(2, rel=0.05)
    assert once < float(model(sizes).memory_bytes[0])


def _ranges(space: SearchSpace) -> dict[str, tuple[int, int]]:
    lengths = {dimension.name: dimension.values for dimension in space.dimensions if dimension.kind == SIZE}
    return {axis: (min(values), max(values)) for axis, values in lengths.items()}


def _with_batch_size(spec: ModelSpec, batch_size: int) -> ModelSpec:
    return dataclasses.replace(spec, training=dataclasses.replace(spec.training, batch_size=batch_size))


def test_other_rulers_give_the_same_costs(space: SearchSpace, monkeypatch: pytest.MonkeyPatch):
    """Every length that comes up in the program is a product of axes and fixed numbers, so it is recognised."""

    def others(axes: tuple[str, ...], fixed: Any) -> Rulers:
        return rulers_for(axes, fixed, skip=7)

    (source, model), *_ = ((space.sources[key], model) for key, model in space.cost_models.items())
    monkeypatch.setattr("metagen_jax.synth.costs.model.rulers_for", others)
    again = build_cost_model(
        program_of(space, source),
        model.leaves,
        _ranges(space),
        fixed=tuple(field.value for field in space.fixed),
        causal=space.family.causal,
        predictor=model.predictor,
    )
    assert dataclasses.asdict(again) == dataclasses.asdict(model)


def test_a_network_of_billions_of_parameters_is_counted_exactly():
    space = prepare(load_spec(ROOT / "specs" / "text_char_lm.yaml", ("constraints.parameter_budget={}",))).space
    model = next(iter(space.cost_models.values()))
    sizes = {"d_model": 16_384, "num_layers": 3, "num_heads": 128, "head_dim": 128, "d_ff": 65_536}
    d, layers, inner, d_ff = 16_384, 3, 128 * 128, 65_536
    vocabulary, context = (field.value for field in space.fixed)
    expected = layers * (4 * d * inner + 2 * d * d_ff + 2 * d) + (2 * vocabulary + context + 1) * d
    costs = model({axis: jnp.array([length]) for axis, length in sizes.items()})
    assert (int(costs.params.high[0]) << 32) + int(costs.params.low[0]) == expected
