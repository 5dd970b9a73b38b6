"""Targets keep their limits, and their prototypes keep the order of targets and keep them apart."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen, scaling
from metagen_jax.synth.modalities import HYPERPARAMETER, SIZE
from tests.runs import ROOT
from tests.short import in_short

LARGE = ("text_llm_8b", "text_llm_125m", "image_vit_base")
SMALL = ("text_edge_tiny", "image_vit_edge", "image_digits_demo")


@pytest.fixture(scope="module", params=in_short(LARGE, ["text_llm_125m"]))
def large(request: pytest.FixtureRequest) -> Prepared:
    return prepare(load_spec(ROOT / "specs" / f"{request.param}.yaml"))


def drawn(prepared: Prepared, count: int = 64) -> np.ndarray:
    networks = prepared.space.feasible_networks()
    return networks[np.random.default_rng(3).permutation(len(networks))[:count]]


def test_targets_are_within_the_budget_and_are_what_the_rendered_model_has(large: Prepared):
    limits, space = large.spec.constraints, large.space
    genotypes = drawn(large)
    params = [costs["params"] for costs in space.costs_of(genotypes)]
    assert min(params) >= limits.min_params
    assert max(params) <= limits.max_params
    blueprint = space.blueprint(genotypes[0])
    module = codegen.load_module(space.sources[space.structure_key(blueprint)])
    config = dataclasses.replace(module.Config(), **blueprint.sizes)
    model = nnx.eval_shape(lambda: getattr(module, space.family.model_class)(config, nnx.Rngs(0)))
    assert params[0] == sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def test_of_64_targets_at_least_56_prototypes_are_distinct(large: Prepared):
    targets, prototypes = scaling.distinct(large.space, large.prototypes)
    assert targets == 64
    assert prototypes >= 56


def test_prototypes_keep_the_order_of_lengths_and_are_small(large: Prepared):
    for target, prototype in zip(large.space.dimensions, large.prototypes.dimensions, strict=True):
        if target.kind == SIZE:
            assert list(prototype.values) == sorted(prototype.values)
            assert len(prototype.values) == len(target.values)
        if target.kind == HYPERPARAMETER:
            assert target == prototype
    assert max(costs["params"] for costs in large.prototypes.costs_of(drawn(large))) < 1_000_000


def test_targets_are_built_for_what_the_spec_says_and_prototypes_for_the_data(large: Prepared):
    target, prototype = ({f.name: f.value for f in space.fixed} for space in (large.space, large.prototypes))
    wanted = {name: value for name, value in dataclasses.asdict(large.spec.target).items() if value is not None}
    assert wanted.items() <= target.items()
    if "context" in target:
        assert target["context"] == large.spec.constraints.context_window
        assert prototype["context"] == scaling.PROTOTYPE_CONTEXT
    else:
        assert (prototype["image_size"], prototype["channels"], prototype["num_classes"]) == (28, 1, 10)
        patches = [space.blueprint(space.largest_feasible()).structure["patch_size"] for space in _spaces(large)]
        assert target["image_size"] // patches[0] == prototype["image_size"] // patches[1]


def _spaces(prepared: Prepared):
    return prepared.space, prepared.prototypes


@pytest.mark.parametrize("name", in_short(SMALL, ["image_digits_demo"]))
def test_what_can_be_trained_is_trained_itself(name: str):
    prepared = prepare(load_spec(ROOT / "specs" / f"{name}.yaml"))
    assert prepared.prototypes is prepared.space


def test_what_counts_as_trainable_is_up_to_the_spec():
    prepared = prepare(load_spec(ROOT / "specs" / "image_digits_demo.yaml", ("search.prototype_params=10k",)))
    assert prepared.prototypes.target is prepared.space
    prepared = prepare(load_spec(ROOT / "specs" / "image_digits_demo.yaml", ("target.num_classes=20",)))
    assert {f.name: f.value for f in prepared.prototypes.fixed}["num_classes"] == 10
    assert prepared.prototypes.largest == prepared.space.largest


def test_the_learning_rate_falls_with_the_width():
    prepared = prepare(load_spec(ROOT / "specs" / "image_digits_demo.yaml", ("search.prototype_params=10k",)))
    genotype = prepared.space.largest_feasible()
    target = prepared.space.blueprint(genotype)
    prototype = dataclasses.replace(target, sizes=dict(target.sizes) | {"d_model": target.sizes["d_model"] // 4})
    settings = scaling.transferred(target, prototype, ["d_model"])
    assert settings["learning_rate"] == pytest.approx(target.hyperparameters["learning_rate"] / 4)
    assert settings["weight_decay"] == target.hyperparameters["weight_decay"]
