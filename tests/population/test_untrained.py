"""Zero-cost proxies of padded networks are those of the plain ones."""

import jax
import numpy as np
import pytest

from metagen_jax.automl.pipeline import prepare
from metagen_jax.population import zero_cost
from metagen_jax.population.untrained import Untrained
from metagen_jax.population.weights import Structure
from metagen_jax.spec import load_spec
from metagen_jax.synth import codegen
from metagen_jax.synth.modalities import SIZE, lengths_of
from tests.population.conftest import FAMILIES, SPECS
from tests.short import in_short


@pytest.mark.parametrize(
    "family", in_short(["vit", "vit with layer norm and silu", "cnn", "decoder_transformer"], ["cnn"])
)
def test_padding_changes_no_score(family: str):
    file, overrides = FAMILIES[family]
    prepared = prepare(load_spec(SPECS / file, overrides))
    space = prepared.space
    source = next(iter(space.sources.values()))
    structure = Structure(codegen.load_module(source), space.family.model_class, space.largest)
    sizes = {d.name: min(d.values) for d in space.dimensions if d.kind == SIZE}
    assert all(sizes[axis] <= length for axis, length in space.largest.items()) and sizes != space.largest
    batch = structure.module.train_batch(*space.modality.train_arrays(prepared.dataset), 0)
    example = space.modality.abstract_example(lengths_of(space.fixed))
    untrained = Untrained(structure, batch, example)
    weights = structure.initial_weights(jax.random.key(0), sizes)
    plain = structure.apply(sizes, weights)

    expected = zero_cost.grad_norm(plain, structure.module.loss_fn, batch)
    assert untrained.grad_norm(sizes, weights) == pytest.approx(expected, rel=1e-5)
    (inputs,) = (np.ones(each.shape, each.dtype) for each in example)
    # The population keeps sizes in float32, the plain network divides by them in float64.
    assert untrained.synflow(sizes, weights) == pytest.approx(zero_cost.synflow(plain, inputs), rel=1e-6)

    larger = structure.initial_weights(jax.random.key(0), space.largest)
    assert untrained.grad_norm(space.largest, larger) != untrained.grad_norm(sizes, weights)
    programs = untrained._grad_norm[1], untrained._synflow[1]
    untrained.synflow(space.largest, larger)
    assert [program._cache_size() for program in programs] == [1, 1]  # no size compiles anything
