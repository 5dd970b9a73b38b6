"""A spec written out and read again asks for the same."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metagen_jax.spec import load_spec
from metagen_jax.spec.yaml_source import dump, parse

SPECS = Path(__file__).parents[2] / "specs"
TEXT = st.text(max_size=60).map(str.strip).filter(str.isprintable)
TRICKY = st.sampled_from(
    ["no", "Yes", "null", "~", "1e-4", "010", "2024-01-01", "1:30", "<<", "=", "- a", "a: b", "#", ""]
)
NUMBER = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6, allow_nan=False))
WORD = st.from_regex("[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
NARROWING = st.one_of(
    NUMBER,
    WORD,
    st.lists(NUMBER, min_size=1, max_size=4, unique=True),
    st.lists(WORD, min_size=1, max_size=4, unique=True),
    st.tuples(NUMBER, NUMBER).map(lambda pair: {"min": min(pair), "max": max(pair)}),
    st.fixed_dictionaries({"max": NUMBER}),
)


def mappings(**optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of the keys."""
    return st.fixed_dictionaries({}, optional=optional)


BUDGET_AND_ROUNDS = st.tuples(st.integers(1, 200), st.integers(1, 200)).map(
    lambda pair: {"budget": max(pair), "rounds": min(pair), "finalists": 1, "prototype_params": 10**4 * pair[0]}
)
SPEC = st.fixed_dictionaries(
    {
        "name": st.from_regex("[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
        "modality": st.just({"inputs": ["image"], "outputs": ["label"]}),
        "task": st.fixed_dictionaries(
            {"type": st.just("classification"), "num_classes": st.just(10)}, optional={"domain": TEXT | TRICKY}
        ),
        "data": st.one_of(
            mappings(max_examples=st.integers(10, 10**6)).map(lambda tree: tree | {"source": "digits"}),
            mappings(
                image_size=st.integers(4, 64), channels=st.sampled_from([1, 3]), test_fraction=st.floats(0.01, 0.3)
            ).map(lambda tree: tree | {"path": "my images/β.npz"}),
            mappings(columns=mappings(image=TEXT.filter(bool), label=st.just("no"))).map(
                lambda tree: tree | {"hub": {"name": "a/b.c", "revision": "010"}}
            ),
            st.just({"hub": "ylecun/mnist"}),
        ),
    },
    optional={
        "description": TEXT | TRICKY,
        "constraints": mappings(
            parameter_budget=mappings(max=st.integers(10**6, 10**9), min=st.sampled_from([0, "10k", "1M"]))
            | st.sampled_from(["7B", "1.5T", 250_000]),
            memory_budget=st.integers(10**8, 10**12).map("{}B".format),
            inference_memory=st.integers(10**7, 10**12).map("{}B".format),
            latency=st.floats(0.01, 1000).map("{:f}ms".format) | st.sampled_from(["real-time", "7fps"]),
            device=st.sampled_from(["gpu", "edge", "datacenter_gpu", "tpu_core"]),
            throughput=st.floats(0.01, 1e6),
        ),
        "target": mappings(image_size=st.integers(4, 4096), channels=st.integers(1, 16), num_classes=st.just("21k")),
        "training": mappings(label_smoothing=st.floats(0, 0.5), steps=st.integers(1, 10**6)),
        "architecture": mappings(
            family=st.just("vit"),
            choices=st.dictionaries(st.from_regex("[a-z][a-z0-9_]{0,8}", fullmatch=True), NARROWING),
        ),
        "search": BUDGET_AND_ROUNDS,
        "outputs": mappings(figures=st.booleans(), samples=st.integers(0, 20)),
        "reproducibility": mappings(seed=st.integers(0, 2**31 - 1)),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=SPEC)
def test_canonical_yaml_reads_back_to_an_equal_spec(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    path.write_text(dump(tree), encoding="utf-8")
    spec = load_spec(path)
    path.write_text(spec.to_yaml(), encoding="utf-8")
    again = load_spec(path)
    assert again == spec
    assert again.hash == spec.hash
    assert again.to_yaml() == spec.to_yaml()
    assert again.data.path == spec.data.path


@given(st.recursive(TEXT | TRICKY | NUMBER | st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_values_read_back_the_same_in_our_reader_and_in_yaml_1_1(value):
    text = dump({"key": value})
    assert parse(text, "text").tree == {"key": value}
    assert yaml.safe_load(text) == {"key": value}


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_resolved_form_of_shipped_specs_is_a_fixed_point(path, tmp_path):
    spec = load_spec(path)
    (tmp_path / "resolved.yaml").write_text(spec.to_yaml())
    if spec.data.autoencoder is not None:  # which is looked for beside it
        (tmp_path / spec.to_dict()["data"]["autoencoder"]).write_text(spec.data.autoencoder.to_yaml())
    again = load_spec(tmp_path / "resolved.yaml")
    assert again == spec
    assert again.to_dict() == spec.to_dict()
