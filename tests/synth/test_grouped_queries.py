"""Attention whose key/value heads serve several query heads each is ordinary attention with repeated heads."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from metagen_jax.data import load_dataset
from metagen_jax.errors import SpecError
from metagen_jax.population.weights import Structure
from metagen_jax.spec import ModelSpec, load_spec
from metagen_jax.synth import codegen
from metagen_jax.synth.choices import check_choices, choose_family
from metagen_jax.synth.modalities import SIZE, Family, Modality, modality_of
from metagen_jax.synth.modalities.base import lengths_of
from tests.runs import ROOT

SPECS = {  # families whose blocks look back alone, are told where to look, look everywhere, read another sequence
    "decoder_transformer": ("text_char_lm.yaml", "constraints.context_window=12"),
    "encoder_transformer": ("text_classification.yaml", "constraints.context_window=24"),
    "vit": ("image_digits_demo.yaml", "search.rounds=1"),
    "captioner": ("multimodal_captioning.yaml", "data.max_examples=200"),
}
GROUPED = {"num_kv_heads": 3, "queries_per_kv_head": 2}
OTHERS = {"d_model": 16, "head_dim": 4, "d_ff": 16}
DEPTHS = {"captioner": {"image_layers": 1, "text_layers": 2}}


def spec_of(family: str, *overrides: str) -> ModelSpec:
    file, override = SPECS[family]
    return load_spec(ROOT / "specs" / file, ("architecture={}", override, *overrides))


@functools.cache
def data_of(family: str) -> tuple[ModelSpec, Modality, tuple, Any]:
    spec = spec_of(family)
    modality, dataset = modality_of(spec), load_dataset(spec)
    return spec, modality, modality.fixed_fields(spec, dataset), dataset


def structure_of(family: str, form: Family, sizes: dict[str, int]) -> Structure:
    spec, modality, fixed, _ = data_of(family)
    words = {
        d.name: modality.default_structure(form, lengths_of(fixed), d)[0]
        for d in modality.dimensions(form, spec, lengths_of(fixed))
        if d.kind == "structure"
    }
    source = codegen.program_source(modality, form, words, sizes, fixed, spec.training, spec.seed)
    return Structure(codegen.load_module(source), form.model_class, sizes)


def with_repeated_heads(path: tuple, value: np.ndarray) -> np.ndarray:
    """A parameter of grouped attention as ordinary attention has it."""
    queries = GROUPED["queries_per_kv_head"]
    if path[-1] in ("key", "value"):  # (d_model, H, head_dim)
        return np.repeat(value, queries, axis=1)
    if path[-1] == "query":  # (d_model, H, Q, head_dim)
        return value.reshape(value.shape[0], -1, value.shape[-1])
    if path[-1] == "out":  # (H, Q, head_dim, d_model)
        return value.reshape(-1, *value.shape[2:])
    return value


@pytest.mark.parametrize("family", SPECS)
def test_it_is_ordinary_attention_whose_query_heads_share_keys_and_values(family: str):
    _, modality, fixed, dataset = data_of(family)
    ordinary = modality.families[family]
    (grouped,) = ordinary.variants
    others = OTHERS | DEPTHS.get(family, {"num_layers": 2})
    sizes = others | GROUPED
    sizes_of_ordinary = others | {"num_heads": sizes["num_kv_heads"] * sizes["queries_per_kv_head"]}
    one, other = structure_of(family, grouped, sizes), structure_of(family, ordinary, sizes_of_ordinary)
    weights = one.initial_weights(jax.random.key(0), sizes)
    repeated = {path: with_repeated_heads(path, value) for path, value in weights.items()}
    assert sum(v.size for v in weights.values()) < sum(v.size for v in repeated.values())
    arrays = modality.evaluation_arrays(dataset, "validation", lengths_of(fixed))
    arrays = arrays[: len(modality.abstract_example(lengths_of(fixed)))]
    inputs = [array[:8] / np.float32(255) if array.dtype == np.uint8 else array[:8] for array in arrays]
    logits = [
        jax.jit(structure.apply(lengths, values))(*inputs)
        for structure, lengths, values in ((one, sizes, weights), (other, sizes_of_ordinary, repeated))
    ]
    assert np.std(logits[0]) > 0.1  # so that the rest is not vacuous
    np.testing.assert_allclose(*logits, atol=1e-5)


def test_it_is_searched_where_the_spec_names_one_of_its_dimensions():
    names = {
        choices: [d.name for d in choose_family(spec, modality_of(spec)).dimensions if d.kind == SIZE]
        for choices in ("", "d_ff: 32", "num_kv_heads: 2", "queries_per_kv_head: [1, 2]")
        for spec in [spec_of("decoder_transformer", f"architecture.choices={{{choices}}}")]
    }
    ordinary = ["d_model", "num_layers", "num_heads", "head_dim", "d_ff"]
    grouped = ["d_model", "num_layers", "num_kv_heads", "queries_per_kv_head", "head_dim", "d_ff"]
    assert names[""] == names["d_ff: 32"] == ordinary
    assert names["num_kv_heads: 2"] == names["queries_per_kv_head: [1, 2]"] == grouped


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ("num_heads: 2, num_kv_heads: 1", "'num_kv_heads' does not go with 'num_heads'\n  Remove one of them."),
        ("num_kv_heds: 1, num_heads: 2", "unknown choice 'num_kv_heds'\n  Did you mean 'num_kv_heads'?"),
        ("num_kv_heads: 1, d_modle: 8", "unknown choice 'd_modle'\n  Did you mean 'd_model'?"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(choices: str, says: str):
    spec = spec_of("decoder_transformer", f"architecture.choices={{{choices}}}")
    with pytest.raises(SpecError) as raised:
        check_choices(spec, modality_of(spec))
    assert says in str(raised.value)


def test_a_large_network_that_is_known_to_work_keeps_its_query_heads():
    for modality, family in ((modality_of(spec_of(name)), name) for name in SPECS):
        ordinary = modality.families[family]
        for anchor, grouped in zip(ordinary.anchors, ordinary.variants[0].anchors, strict=True):
            assert grouped["num_kv_heads"] * grouped["queries_per_kv_head"] == anchor["num_heads"]
            assert grouped["num_kv_heads"] <= 8
            others = grouped.keys() - GROUPED.keys()
            assert {axis: grouped[axis] for axis in others} == {axis: anchor[axis] for axis in others}
