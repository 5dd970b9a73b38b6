"""Reading a spec: file and overrides to a `ModelSpec`, or one error that lists everything wrong."""

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from metagen_jax.errors import SpecError, did_you_mean
from metagen_jax.spec import model_spec as plain
from metagen_jax.spec.checks import CHECKS, inferred_format
from metagen_jax.spec.devices import memory_of
from metagen_jax.spec.locations import Locations, Path, Problem, dotted, named_override, show
from metagen_jax.spec.schema import DEFAULT_CONTEXT_WINDOW, SpecFile, section_of, walk_keys
from metagen_jax.spec.tasks import TaskKind, arrow, directions, table_format_of, task_of
from metagen_jax.spec.yaml_source import Source, flow, parse, read_text

MAX_SHOWN = 25  # problems listed in one error


def load_spec(path: str | FilePath, overrides: Sequence[str] = ()) -> plain.ModelSpec:
    """Reads, checks and resolves a spec.

    Args:
      path: the YAML file.
      overrides: values to replace, each `PATH=VALUE` with a dotted path and a YAML value, such as "search.budget=8".
    Raises:
      SpecError: the file cannot be read, or something in it or in an override is wrong. One message lists all problems,
        each with its place, the value and what to write instead.
    """
    spec, file, locations = _read(path, overrides)
    return _resolve(spec, file, locations)


def _read(path: str | FilePath, overrides: Sequence[str]) -> tuple[SpecFile, str, Locations]:
    """Reads and checks a spec: its sections, its file, and where everything stands."""
    file = str(path)
    shown = file if file and file.isprintable() else ascii(file)
    source = parse(read_text(file, shown), shown)
    if source.tree is None:
        raise SpecError(f"{shown}:1: the spec is empty\n  Write at least name, modality, task and data.")
    whole = [each for each in source.problems if not each.path]  # a tag or anchor on the whole document
    if whole:
        raise SpecError(_report(Locations(shown), whole))
    if not isinstance(source.tree, dict):
        raise SpecError(f"{shown}:1: the top level is not a mapping of keys\n  Write lines such as name: my_model.")
    given: dict[str, str] = {}
    for override in overrides:
        *created, replaced = _override(source, override)
        given = {path: text for path, text in given.items() if not _inside(path, replaced)}
        given |= dict.fromkeys((*created, replaced), override)
    locations = Locations(shown, source.lines, given)
    sections, problems = _validate(source)
    problems = source.problems + [each for each in problems if not _covered(each.path, source.problems)]
    if problems:
        raise SpecError(_report(locations, problems))
    return SpecFile.model_construct(**sections), file, locations


def _override(source: Source, override: str) -> list[str]:
    """Replaces one value in the tree; returns the dotted paths of the sections created for it, then its own."""
    path, equals, text = override.partition("=")
    path, place = path.strip(), named_override(override)
    if not equals or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", path):
        raise SpecError(f"{place}: not of the form PATH=VALUE\n  Write for example --set search.budget=8.")
    value = parse(text, place)
    if value.tree is None and not value.problems:
        raise SpecError(f"{place}, {path}: has no value\n  Write a value after '='.")
    steps: Path = tuple(path.split("."))
    parent, created = source.tree, []
    for depth, step in enumerate(steps[:-1]):
        if step not in parent:
            created.append(dotted(steps[: depth + 1]))
        parent = parent.setdefault(step, {})
        if not isinstance(parent, dict):
            section = dotted(steps[: depth + 1])
            raise SpecError(f"{place}, {path}: {section} is not a section\n  Override {section} as a whole.")
    parent[steps[-1]] = value.tree
    source.lines = {known: line for known, line in source.lines.items() if not _inside(known, path)}
    source.problems = [each for each in source.problems if each.path[: len(steps)] != steps]
    source.problems += [Problem((*steps, *each.path), each.problem, each.remedy) for each in value.problems]
    return [*created, path]


def _inside(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))


def _validate(source: Source) -> tuple[dict[str, Any], list[Problem]]:
    """Checks each top-level key on its own, then together those that are sound."""
    sections: dict[str, Any] = {}
    problems = [_unknown_key((name,), SpecFile) for name in source.tree if name not in SpecFile.model_fields]
    for name, field in SpecFile.model_fields.items():
        if name not in source.tree:
            if field.is_required():
                problems.append(_missing((name,), field.examples))
            else:
                sections[name] = field.get_default(call_default_factory=True)
            continue
        try:
            annotation: Any = Annotated[field.annotation, field]
            sections[name] = TypeAdapter(annotation).validate_python(source.tree[name])
        except ValidationError as error:
            problems += [problem for details in error.errors() for problem in _translate((name,), details)]
    spec = SpecFile.model_construct(**sections)
    for needs, check in CHECKS:
        if all(name in sections for name in needs):
            problems += check(spec)
    return sections, problems


def _translate(top: Path, details: ErrorDetails) -> Iterator[Problem]:
    """Says one pydantic error in our words."""
    path, value, context = (*top, *details["loc"]), details["input"], details.get("ctx", {})
    match details["type"]:
        case "refused":
            yield Problem(path, context["problem"], context["remedy"])
        case "extra_forbidden":
            yield _unknown_key(path, _model_at(path[:-1]))
        case "missing":
            yield _missing(path, _model_at(path[:-1]).model_fields[str(path[-1])].examples)
        case "model_type" | "model_attributes_type":
            yield Problem(path, f"{show(value)} is not a mapping of keys", _mapping_remedy(path, value))
        case "dict_type":
            yield Problem(
                path, f"{show(value)} is not a mapping of keys", "Write lines such as d_model: [32, 48] below it."
            )
        case "tuple_type":
            yield Problem(path, f"{show(value)} is not a list", f"Write a list, such as {_example_at(path)}.")
        case "default_factory_not_called":
            return  # it waits for a key that has its own error
        case other:
            raise AssertionError(f"pydantic error without words: {other} at {dotted(path)}")


def _model_at(path: Path) -> type[BaseModel]:
    """Returns the model that describes the section at a path."""
    model: type[BaseModel] = SpecFile
    for step in path:
        if isinstance(step, str):
            model = section_of(model.model_fields[step]) or model
    return model


def _unknown_key(path: Path, model: type[BaseModel]) -> Problem:
    key = str(path[-1])
    homes = [dotted(home) for home, _ in walk_keys() if home[-1] == key]
    remedy = did_you_mean(key[:100], model.model_fields)
    if homes and remedy.startswith("Known"):
        remedy = f"This key belongs at {' or '.join(homes)}."
    return Problem(path, f"unknown key {show(key)}", remedy)


def _mapping_remedy(path: Path, value: Any) -> str:
    known = list(_model_at(path).model_fields)
    if isinstance(path[-1], int) and isinstance(value, str):
        return f"Write {{{known[0]}: {show(value)[1:-1]}}}."
    return f"Write keys below it: {', '.join(known)}."


def _example_at(path: Path) -> str:
    examples = _model_at(path[:-1]).model_fields[str(path[-1])].examples
    return flow(examples[0]) if examples else "[first, second]"


def _missing(path: Path, examples: list[Any] | None) -> Problem:
    example = f", such as {path[-1]}: {flow(examples[0])}" if examples else " and the keys below it"
    return Problem(path, "is missing", f"Add it{example}.")


def _covered(path: Path, refused: list[Problem]) -> bool:
    """Whether a problem only follows from a value that was refused while reading."""
    return any(path[: len(each.path)] == each.path for each in refused)


def _report(locations: Locations, problems: list[Problem]) -> str:
    named = [(dotted(each.path), each) for each in problems]
    named.sort(key=lambda pair: locations.sort_key(pair[0]))
    messages = [locations.message(path, each.problem, each.remedy) for path, each in named]
    if len(messages) > MAX_SHOWN:
        messages = [*messages[:MAX_SHOWN], f"... and {len(messages) - MAX_SHOWN} more problems."]
    return "\n".join(messages)


def _resolve(spec: SpecFile, file: str, locations: Locations) -> plain.ModelSpec:
    """Turns a checked spec into plain numbers and fills in the defaults that depend on other keys."""
    search, outputs = spec.search, spec.outputs
    task = task_of(spec.modality.inputs, spec.modality.outputs)
    assert task is not None  # `check_modality` saw to it
    training = spec.training.model_dump() | {"objective": task.loss}
    return plain.ModelSpec(
        metagen_version=spec.metagen_version,
        name=spec.name,
        description=spec.description,
        modality=plain.Modality(spec.modality.inputs, spec.modality.outputs),
        task=plain.Task(spec.task.type, spec.task.domain, spec.task.num_classes),
        data=_resolve_data(spec, file, locations),
        constraints=_resolve_constraints(spec, task),
        target=plain.Target(**spec.target.model_dump()),
        training=plain.Training(**training),
        architecture=plain.Architecture(
            spec.architecture.family,
            {name: plain.Choice(**choice) for name, choice in sorted(spec.architecture.choices.items())},
        ),
        search=plain.Search(
            strategy=search.strategy,
            proxy=search.proxy,
            proxies=search.proxies,
            oversampling=search.oversampling,
            objectives=tuple(
                plain.Objective(each.metric, each.direction or directions(task)[each.metric])
                for each in search.objectives
            ),
            budget=search.budget,
            rounds=search.rounds,
            patience=search.patience,
            prototype_steps=search.prototype_steps,
            prototype_params=search.prototype_params,
            rungs=search.rungs,
            reduction_factor=search.reduction_factor,
            finalists=search.finalists,
        ),
        evaluation=plain.Evaluation(spec.evaluation.metrics or task.metrics),
        outputs=plain.Outputs(**outputs.model_dump()),
        seed=spec.reproducibility.seed,
        locations=locations,
    )


def _resolve_data(spec: SpecFile, file: str, locations: Locations) -> plain.DataSpec:
    written = spec.data.model_dump()
    path = spec.data.path
    if path is not None:
        written["path"] = os.path.abspath(FilePath(file).parent / path)  # noqa: PTH100  does not follow links
        written["format"] = spec.data.format or inferred_format(path, spec.modality.inputs, spec.modality.outputs)
    written["columns"] = {role: name for role, name in written["columns"].items() if name is not None}
    hub = written.pop("hub")
    if hub["name"] is not None:
        task = task_of(spec.modality.inputs, spec.modality.outputs)
        written |= {"hub": plain.Hub(**hub), "format": table_format_of(task.contents) if task else None}
    autoencoder = written.pop("autoencoder")
    data = plain.DataSpec(written_path=path, **written)
    return data if autoencoder is None else _with_autoencoder(data, autoencoder, file, locations)


def _with_autoencoder(data: plain.DataSpec, written: str, file: str, locations: Locations) -> plain.DataSpec:
    """Adds the autoencoder whose spec stands at `written`, seen from the folder of `file`."""
    path, here = FilePath(file).parent / written, "data.autoencoder"
    if not path.is_file():
        raise locations.error(
            here, f"{show(written)}: no such file", "Write a path relative to the folder of the spec."
        )
    spec, own_file, own_locations = _read(path, ())
    if (spec.modality.inputs, spec.modality.outputs) != (("image",), ("image",)):
        task = arrow(spec.modality.inputs, spec.modality.outputs)
        problem = f"{show(written)} is for {task}, and an autoencoder is for image -> image"
        raise locations.error(here, problem, "Write the spec of an autoencoder, such as image_vae.yaml.")
    autoencoder = _resolve(spec, own_file, own_locations)
    if not _same_data(data, autoencoder.data):
        raise locations.error(here, f"{show(written)} has other data than this spec", "Write the same data into both.")
    if not autoencoder.outputs.project:
        problem = f"{show(written)} leaves no project, which holds the weights"
        raise locations.error(here, problem, "Remove outputs.project there.")
    return dataclasses.replace(data, autoencoder=autoencoder, written_autoencoder=written)


def _same_data(one: plain.DataSpec, other: plain.DataSpec) -> bool:
    """Whether two specs learn from the same; a path is the same where it is written alike or leads to the same place."""
    same_place = one.path == other.path or one.written_path == other.written_path
    return same_place and dataclasses.replace(one, written_path=other.written_path) == other


def _resolve_constraints(spec: SpecFile, task: TaskKind) -> plain.Constraints:
    limits = spec.constraints
    window = limits.context_window or (DEFAULT_CONTEXT_WINDOW if task.has_context else None)
    return plain.Constraints(
        min_params=limits.parameter_budget.min,
        max_params=limits.parameter_budget.max,
        memory_bytes=limits.memory_budget,
        inference_memory_bytes=limits.inference_memory or memory_of(limits.device),
        latency_ms=limits.latency,
        throughput_per_s=limits.throughput,
        context_window=window,
        device=limits.device,
    )
