"""The reference and the editor's schema say what the reader accepts."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from metagen_jax.errors import SpecError
from metagen_jax.spec import json_schema, load_spec
from metagen_jax.spec.device_reference import devices_markdown
from metagen_jax.spec.locations import dotted
from metagen_jax.spec.reference import reference_markdown
from metagen_jax.spec.schema import section_of, walk_keys
from metagen_jax.spec.yaml_source import dump, flow

DOCS = Path(__file__).parents[2] / "docs" / "spec.md"
DEVICES = DOCS.with_name("devices.md")
LEAVES = {dotted(path): field for path, field in walk_keys() if section_of(field) is None}
BASES: list[dict[str, Any]] = [
    {
        "name": "demo",
        "modality": {"inputs": ["image"], "outputs": ["label"]},
        "task": {"type": "classification", "num_classes": 10},
        "data": {"source": "mnist5k"},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["text"], "outputs": ["text"]},
        "task": {"type": "generation"},
        "data": {"source": "kjv"},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["image"], "outputs": ["label"]},
        "task": {"type": "classification", "num_classes": 10},
        "data": {"path": "mine"},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["video"], "outputs": ["label"]},
        "task": {"type": "classification", "num_classes": 10},
        "data": {"path": "mine"},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["audio"], "outputs": ["label"]},
        "task": {"type": "classification", "num_classes": 10},
        "data": {"path": "mine"},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["label"], "outputs": ["image"]},
        "task": {"type": "generation"},
        "data": {"source": "mnist5k"},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["image"], "outputs": ["label"]},
        "task": {"type": "classification", "num_classes": 10},
        "data": {"hub": {"name": "ylecun/mnist"}},
    },
    {
        "name": "demo",
        "modality": {"inputs": ["image", "text"], "outputs": ["embedding"]},
        "task": {"type": "contrastive"},
        "data": {"path": "mine.parquet"},
    },
]


def section_in(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The section that a node of the editor's schema refers to, alone or beside a single value; else the node."""
    for each in (node, *node.get("anyOf", ())):
        if "$ref" in each:
            return schema["$defs"][each["$ref"].rpartition("/")[2]]
    return node


def test_the_page_is_what_the_schema_says():
    assert DOCS.read_text() == reference_markdown(), "run: python -m metagen_jax.spec.reference > docs/spec.md"


def test_the_page_of_devices_is_what_their_table_says():
    assert DEVICES.read_text() == devices_markdown(), (
        "run: python -m metagen_jax.spec.device_reference > docs/devices.md"
    )


@pytest.mark.parametrize("key", LEAVES)
def test_every_key_is_in_the_reference_with_a_description_and_an_example(key):
    row = next(line for line in DOCS.read_text().splitlines() if line.replace("[]", "").startswith(f"| `{key}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5
    assert all(cells), row
    assert LEAVES[key].description
    assert LEAVES[key].examples


@pytest.mark.parametrize("key", [key for key in LEAVES if not key.startswith("search.objectives.")])
def test_the_example_of_every_key_is_accepted_where_the_key_fits(key, tmp_path):
    value = LEAVES[key].examples[0]
    shutil.copy(DOCS.parents[1] / "specs" / "image_vae.yaml", tmp_path)  # for `data.autoencoder`
    accepted = False
    for base in BASES:
        (tmp_path / "base.yaml").write_text(dump(base))
        text = flow(value)
        try:
            load_spec(tmp_path / "base.yaml", [f"{key}={text}"])
            accepted = True
        except SpecError:
            continue
    assert accepted


def test_every_key_of_the_reader_is_in_the_editors_schema_and_no_more():
    schema = json_schema()

    def keys(node: dict[str, Any], parent: str) -> set[str]:
        node = section_in(schema, node)
        found = set()
        for name, value in node.get("properties", {}).items():
            here = f"{parent}.{name}".lstrip(".")
            found |= {here} | keys(value, here) | keys(value.get("items", {}), here)
        return found

    assert keys(schema, "") == {dotted(path) for path, _ in walk_keys()}


def test_the_editors_schema_refuses_unknown_keys_at_every_depth():
    def objects(node: Any) -> list[dict[str, Any]]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        own = [node] if isinstance(node, dict) and node.get("type") == "object" and "properties" in node else []
        return own + [each for item in inner for each in objects(item)]

    assert len(objects(json_schema())) > 10
    assert all(node["additionalProperties"] is False for node in objects(json_schema()))


@pytest.mark.parametrize("key", LEAVES)
def test_the_editors_patterns_accept_the_examples(key):
    schema = json_schema()
    node: dict[str, Any] = schema
    for step in key.split("."):
        node = node["properties"][step]
        node = section_in(schema, node.get("items", node))
    value = LEAVES[key].examples[0]
    patterns = re.findall(r"'pattern': '((?:[^'\\]|\\.)*)'", str(node))
    if isinstance(value, str) and patterns:
        assert any(re.search(pattern.replace("\\\\", "\\"), value) for pattern in patterns)
    if isinstance(value, str) and "enum" in node:
        assert value in node["enum"]
