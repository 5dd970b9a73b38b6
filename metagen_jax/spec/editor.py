"""The JSON Schema of a spec, with which an editor completes keys and marks mistakes while typing."""

from typing import Any

from metagen_jax.spec.schema import SpecFile


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of what may be written in a spec file.

    It covers what each key accepts, units included, not what several keys must agree on: `metagen validate` knows more.
    """
    schema = _tidied(SpecFile.model_json_schema(mode="validation"))
    schema["$defs"]["SearchSection"]["properties"]["objectives"] |= {"minItems": 1, "maxItems": 3}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "metagen_jax spec"}
    return head | schema


def _tidied(node: Any) -> Any:
    """Drops the titles that pydantic derives from field names, and defaults that nobody could write."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: _tidied(item) for name, item in node.items() if not _is_noise(name, item)}


def _is_noise(name: str, item: Any) -> bool:
    if name == "default":
        return item is None or item == [] or isinstance(item, dict)
    return name == "title" and isinstance(item, str)
