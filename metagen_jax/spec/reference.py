"""The reference of the spec language, written from the schema so that it cannot go stale.

python -m metagen_jax.spec.reference > docs/spec.md
"""

from typing import Any, get_args

from pydantic.fields import FieldInfo

from metagen_jax.spec.kinds import Kind
from metagen_jax.spec.schema import Section, SpecFile, section_of
from metagen_jax.spec.tasks import task_table
from metagen_jax.spec.yaml_source import flow

INTRODUCTION = """\
# The spec language

A spec is one YAML file. `name`, `modality`, `task` and `data` are required; every other key has a default, and every
key changes something you can see. What works today:

@TASKS@

```bash
metagen validate my_model.yaml        # all mistakes at once, each with its line and what to write instead
metagen schema > metagen.schema.json  # for editors
```

With `# yaml-language-server: $schema=metagen.schema.json` as its first line, editors complete and check a spec.

- Any value can be replaced on the command line: `--set search.budget=8 --set architecture.choices.d_model=[32,48]`.
- Budgets are written in words, and units are part of the value. `metagen validate` and every run print the numbers
  that they come to, and `spec.resolved.yaml` records them:

  | written | means |
  |---|---|
  | `parameter_budget: 7B` | at most 7,000,000,000 parameters; `k`, `M`, `B`, `T` are powers of 1000, also in `1.5T` |
  | `memory_budget: 12GB` | 12,000,000,000 bytes; `kB`, `MB`, `GB`, `TB` are powers of 1000 and `KiB`, `MiB`, `GiB`, `TiB` of 1024 |
  | `latency: 10ms` | 10 milliseconds; also `us`, `s`, `min` |
  | `latency: 30fps`, `latency: real-time` | 33.3 milliseconds, one frame of 30 in a second |
  | `throughput: 30fps`, `throughput: 500/s` | 30 and 500 inputs a second |
  | `context_window: 8k` | 8,192 tokens: here `k` is 1024 |
  | `device: edge` | a CPU with 4,000,000,000 bytes for a model; [all classes](devices.md) |

- The letter case of a unit counts: `M` is a million, `m` a minute. `7b` is refused, with `7B` as the remedy.
- Limits that contradict each other are refused before anything is searched: a smallest number of parameters above the
  largest, or one whose weights do not fit into the memory (4 bytes each to answer, 16 to be trained by AdamW).
- YAML is read strictly: unknown and repeated keys, empty values, tags, anchors, aliases, several documents, and words
  that YAML versions read differently (`yes`, `no`, `010`, `1_000`, unquoted dates) are refused with their line.
- Text of a spec is only ever shown in documents. It never becomes part of a program.

This page is written by `python -m metagen_jax.spec.reference > docs/spec.md`.
"""


def reference_markdown() -> str:
    """Returns the reference of every key: what it accepts, its default, an example and what it changes."""
    return "\n".join([INTRODUCTION.replace("@TASKS@", task_table()), *_section(SpecFile, "")])


def _section(model: type[Section], path: str) -> list[str]:
    keys = {name: field for name, field in model.model_fields.items() if _is_plain(field)}
    lines = [f"## {path or 'Top level'}", "", (model.__doc__ or "").strip(), ""] if keys else []
    if keys:
        lines += ["| key | accepts | default | example | changes |", "|---|---|---|---|---|"]
        lines += [_row(f"{path}.{name}" if path else name, field) for name, field in keys.items()]
        lines.append("")
    for name, field in model.model_fields.items():
        below = section_of(field)
        if below is not None:
            lines += _section(below, f"{path}.{name}".lstrip(".") + ("" if _is_section(field) else "[]"))
    return lines


def _row(path: str, field: FieldInfo) -> str:
    example = flow(field.examples[0]) if field.examples else ""
    cells = [f"`{path}`", _accepts(field), _default(field), f"`{example}`", field.description or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _accepts(field: FieldInfo) -> str:
    below = section_of(field)
    if below is not None:
        return f"list of mappings with {', '.join(f'`{name}`' for name in below.model_fields)}"
    own = [each for each in field.metadata if isinstance(each, Kind)]
    if own:
        return own[0].describe()
    kind = _kind_inside(field.annotation)
    words = "one or a list of: " if str(field.annotation).startswith("tuple") else ""
    return words + kind.describe()


def _kind_inside(annotation: Any) -> Kind:
    """Returns the kind of the items of a list or mapping."""
    found = [each for item in get_args(annotation) for each in getattr(item, "__metadata__", ())]
    return next(each for each in found if isinstance(each, Kind))


def _default(field: FieldInfo) -> str:
    if isinstance(field.json_schema_extra, dict) and "x-default" in field.json_schema_extra:
        return str(field.json_schema_extra["x-default"])
    return "required" if field.is_required() else f"`{flow(field.default)}`"


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _is_plain(field: FieldInfo) -> bool:
    return not _is_section(field)


if __name__ == "__main__":
    print(reference_markdown(), end="")
