"""What only several keys together can get wrong; a check runs if the sections it names are sound each on its own."""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

from metagen_jax.spec import units
from metagen_jax.spec.devices import memory_of
from metagen_jax.spec.locations import Problem, show
from metagen_jax.spec.schema import SpecFile
from metagen_jax.spec.tasks import (
    CAPTIONED_IMAGES,
    COLUMNS_OF_TABLES,
    EMBEDDED_SOURCES,
    FORMATS,
    FORMATS_OF_SUFFIX,
    TaskKind,
    arrow,
    directions,
    folder_format_of,
    formats_of,
    keys_of_some_data,
    quality_objectives,
    table_format_of,
    task_of,
    words_with_key,
    works_today,
)

NOT_FOR_SOURCE = ("format", *keys_of_some_data(), "validation_fraction", "test_fraction", "columns")


def inferred_format(path: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> str | None:
    """Returns how a data path is read, from its ending alone, or None where that does not tell.

    Examples:
      >>> [inferred_format(path, ("image",), ("label",)) for path in ("digits.npz", "cats", "cats.zip")]
      ['npz', 'image_folder', None]
    """
    suffix, task = PurePath(path).suffix.lower(), task_of(inputs, outputs)
    contents = task.contents if task else ""
    if not suffix:
        return folder_format_of(contents)
    known = FORMATS_OF_SUFFIX.get(suffix, ())
    return next((name for name in known if FORMATS[name] == contents), known[0] if known else None)


def check_modality(spec: SpecFile) -> Iterator[Problem]:
    task = _task(spec)
    if task is None:
        problem = f"{arrow(spec.modality.inputs, spec.modality.outputs)} is not supported yet"
        yield Problem(("modality",), problem, works_today())
    elif task.type != spec.task.type:
        problem = f"'{spec.task.type}' does not go with {arrow(task.inputs, task.outputs)}"
        yield Problem(("task", "type"), problem, f"Write {task.type}, or change modality. {works_today()}")


def check_num_classes(spec: SpecFile) -> Iterator[Problem]:
    num_classes = spec.task.num_classes
    if spec.task.type != "classification" and num_classes is not None:
        yield Problem(("task", "num_classes"), f"{num_classes} has no meaning for {spec.task.type}", "Remove the line.")
    if spec.task.type == "classification" and num_classes is None:
        remedy = "Write how many labels there are, such as num_classes: 10."
        yield Problem(("task", "num_classes"), "is missing, and classification needs it", remedy)


def check_embedded_classes(spec: SpecFile) -> Iterator[Problem]:
    source = EMBEDDED_SOURCES.get(spec.data.source or "")
    has = source.num_classes if source else None
    if has and spec.task.num_classes not in (None, has):
        problem = f"{spec.task.num_classes}, but data.source {spec.data.source} has {has} classes"
        yield Problem(("task", "num_classes"), problem, f"Write {has}.")


def check_data_origin(spec: SpecFile) -> Iterator[Problem]:
    data = spec.data
    origins = {"source": data.source, "path": data.path, "hub": data.hub.name}
    given = [(name, value) for name, value in origins.items() if value is not None]
    if data.hub.name is None and data.hub.model_fields_set:
        yield Problem(("data", "hub"), "names no data set", "Add name, such as name: ylecun/mnist.")
    elif not given:
        remedy = (
            f"Write source: one of {', '.join(EMBEDDED_SOURCES)}; path: a file or folder of your own; or hub: a data set of "
            "the Hugging Face Hub, such as ylecun/mnist."
        )
        yield Problem(("data",), "neither source nor path nor hub is given", remedy)
    if len(given) > 1:
        (one, first), (other, second), *_ = given
        problem = f"{one} {show(first)} and {other} {show(second)} are both given"
        yield Problem(("data", other), problem, "Keep one of the two.")
    if data.hub.name is not None and data.format is not None:
        problem = f"{show(data.format)} is how files are read, and data.hub names a data set"
        yield Problem(("data", "format"), problem, "Remove the line.")
    if data.source is None or len(given) > 1:
        return
    for name in NOT_FOR_SOURCE:
        if name in data.model_fields_set:
            value = "" if name == "columns" else f"{show(getattr(data, name))} "
            problem = f"{value}cannot be set for source {show(data.source)}"
            yield Problem(("data", name), problem, "Remove the line; embedded data has a fixed form and fixed splits.")


def check_data_modality(spec: SpecFile) -> Iterator[Problem]:
    data, task = spec.data, _task(spec)
    if task is None:
        return  # no data would do, which `check_modality` says
    asked = f"modality is {arrow(task.inputs, task.outputs)}, which takes {task.contents}"
    held = EMBEDDED_SOURCES[data.source].contents if data.source is not None else None
    if held is not None and data.path is None and held != task.contents:
        fitting = [name for name, source in EMBEDDED_SOURCES.items() if source.contents == task.contents]
        problem = f"{show(data.source)} holds {held}, but {asked}"
        yield Problem(("data", "source"), problem, f"Write {' or '.join(fitting)}, or change modality.")
    if data.hub.name is not None and table_format_of(task.contents) is None:
        problem = f"{show(data.hub.name)} is read as rows of images, texts and labels, but {asked}"
        files = " or ".join(formats_of(task.contents))
        yield Problem(("data", "hub"), problem, f"Save the data as {files}, and name it by data.path.")
    if data.path is None or data.source is not None:
        return
    chosen = data.format or inferred_format(data.path, task.inputs, task.outputs)
    readable = formats_of(task.contents)
    if chosen is None:
        problem = f"the ending of {show(data.path)} does not tell how to read it"
        yield Problem(("data", "path"), problem, f"Add format: {' or '.join(readable)}.")
    elif chosen not in readable:
        problem = f"{show(chosen)} holds {FORMATS[chosen]}, but {asked}"
        yield Problem(("data", "format" if data.format else "path"), problem, f"Use {' or '.join(readable)}.")


def check_columns(spec: SpecFile) -> Iterator[Problem]:
    data, task = spec.data, _task(spec)
    if task is None or data.source is not None:
        return
    table = chosen = table_format_of(task.contents)
    if data.path is not None:
        chosen = data.format or inferred_format(data.path, task.inputs, task.outputs)
    if chosen is None:
        return  # `check_data_modality` says that nothing reads the data
    if chosen != table:
        if data.columns.model_fields_set:
            problem = "has no meaning for data that are no table"
            yield Problem(("data", "columns"), problem, "Remove the section.")
        return
    held = COLUMNS_OF_TABLES[chosen]
    for name in data.columns.model_fields_set:
        if name not in held:
            problem = f"{show(getattr(data.columns, name))} has no meaning for {task.name}"
            yield Problem(("data", "columns", name), problem, f"Its columns are {' and '.join(held)}. Remove the line.")


def check_keys_of_modality(spec: SpecFile) -> Iterator[Problem]:
    if spec.data.source is not None:
        return
    for name in keys_of_some_data():
        owners = words_with_key(name)
        if name in spec.data.model_fields_set and not set(owners) & set(_words(spec)):
            problem = f"{getattr(spec.data, name)} has no meaning without {' or '.join(owners)} in modality"
            yield Problem(("data", name), problem, "Remove the line.")


def check_autoencoder(spec: SpecFile) -> Iterator[Problem]:
    path, task, target = spec.data.autoencoder, _task(spec), spec.target
    if path is None or task is None:
        return
    if (task.inputs, task.outputs) != (("label",), ("image",)):
        problem = f"{show(path)} has no meaning for {task.name}: codes are drawn from labels"
        yield Problem(("data", "autoencoder"), problem, "Remove the line.")
        return
    if spec.training.augmentation != "none":
        problem = f"{show(spec.training.augmentation)} moves images, and codes are learnt from"
        yield Problem(
            ("training", "augmentation"), problem, "Remove the line here; the autoencoder's spec may have it."
        )
    for name in target.model_fields_set:
        problem = "a model of codes is of the size of its data"
        yield Problem(("target", name), problem, "Remove the line, or data.autoencoder.")


def check_channels(spec: SpecFile) -> Iterator[Problem]:
    if spec.data.channels == 2:
        yield Problem(("data", "channels"), "2 is neither grey nor colour", "Write 1 for grey or 3 for colour.")


def check_fractions(spec: SpecFile) -> Iterator[Problem]:
    held_out = spec.data.validation_fraction + spec.data.test_fraction
    if held_out > 0.8:
        problem = f"validation_fraction and test_fraction together hold out {held_out:g} of the data"
        yield Problem(("data",), problem, "Leave at least 0.2 for training.")


def check_parameter_budget(spec: SpecFile) -> Iterator[Problem]:
    budget = spec.constraints.parameter_budget
    if budget.max is not None and budget.min > budget.max:
        problem = f"min {budget.min} is above max {budget.max}"
        yield Problem(("constraints", "parameter_budget"), problem, "Swap the two, or remove one.")


def check_memory_of_parameters(spec: SpecFile) -> Iterator[Problem]:
    """Refuses a fewest number of parameters whose weights alone are more than the memory."""
    limits = spec.constraints
    fewest, own = limits.parameter_budget.min, limits.inference_memory
    where = "constraints.inference_memory" if own else f"what constraints.device {limits.device} has for a model"
    for memory, each, what, whose in (
        (own or memory_of(limits.device), 4, "4 bytes each", where),
        (limits.memory_budget, 16, "16 bytes each with gradient and AdamW's two moments", "constraints.memory_budget"),
    ):
        if memory is not None and each * fewest > memory:
            taken, most = units.format_bytes(each * fewest), units.format_bytes(memory)
            problem = f"{units.format_count(fewest)} parameters take {taken} ({what}), more than {whose}: {most}"
            remedy = f"Write at most {units.format_count(memory // each)}, or allow more memory."
            yield Problem(("constraints", "parameter_budget", "min"), problem, remedy)


def check_target(spec: SpecFile) -> Iterator[Problem]:
    inputs, outputs = spec.modality.inputs, spec.modality.outputs
    for name, needs in (
        ("vocabulary", ("text",)),
        ("image_size", ("image", "video")),
        ("channels", ("image", "video")),
        ("num_classes", ("label",)),
    ):
        value = getattr(spec.target, name)
        if value is not None and not {*needs} & {*inputs, *outputs}:
            problem = f"{value} has no meaning for {arrow(inputs, outputs)}"
            yield Problem(("target", name), problem, "Remove the line.")


def check_context_window(spec: SpecFile) -> Iterator[Problem]:
    window, task = spec.constraints.context_window, _task(spec)
    if window is not None and task is not None and not task.has_context:
        problem = f"{window} has no meaning for {task.name}, which looks at no tokens"
        yield Problem(("constraints", "context_window"), problem, "Remove the line.")


def check_augmentation(spec: SpecFile) -> Iterator[Problem]:
    wanted, task = spec.training.augmentation, _task(spec)
    here, remedy = ("training", "augmentation"), "Write none, or remove the line."
    if wanted != "none" and "image" not in _words(spec):
        yield Problem(here, f"'{wanted}' moves images, and modality has none", remedy)
    elif wanted == "shift_and_words" and task and task.contents != CAPTIONED_IMAGES:
        yield Problem(
            here, f"'{wanted}' mixes words of texts, and the data have none", "Write shift, or remove the line."
        )
    elif wanted == "shift_and_words" and task and "text" in task.outputs:
        problem = f"'{wanted}' mixes words of texts, and these are to be learnt as they are"
        yield Problem(here, problem, "Write shift, or remove the line.")


def check_loss(spec: SpecFile) -> Iterator[Problem]:
    task = _task(spec)
    if task is None:
        return
    if spec.training.objective not in (None, task.loss):
        problem = f"{show(spec.training.objective)} is not what is minimised for {task.name}"
        yield Problem(("training", "objective"), problem, f"Write {task.loss}, or remove the line.")
    if spec.training.label_smoothing and task.loss != "cross_entropy":
        problem = f"{spec.training.label_smoothing} has no meaning for {task.name}"
        yield Problem(("training", "label_smoothing"), problem, "Remove the line.")


def check_families(spec: SpecFile) -> Iterator[Problem]:
    for number, family in enumerate(spec.architecture.family):
        if family in spec.architecture.family[:number]:
            here = ("architecture", "family", number)
            yield Problem(here, f"{show(family)} is listed twice", "List each family once.")


def check_choice_names(spec: SpecFile) -> Iterator[Problem]:
    for name in spec.architecture.choices:
        if not re.fullmatch("[a-z][a-z0-9_]{0,63}", name):
            problem = f"{show(name)} is not the name of a choice"
            yield Problem(("architecture", "choices", name), problem, "Write a name such as d_model or num_layers.")


def check_search_counts(spec: SpecFile) -> Iterator[Problem]:
    search = spec.search
    for name, what in (("rounds", "each round trains at least one"), ("finalists", "finalists are among them")):
        count = getattr(search, name)
        if count > search.budget:
            problem = f"{count} is more than search.budget, {search.budget} candidates, and {what}"
            yield Problem(("search", name), problem, f"Write at most {search.budget}, or raise search.budget.")


def check_proxies(spec: SpecFile) -> Iterator[Problem]:
    search = spec.search
    for number, name in enumerate(search.proxies):
        if name in search.proxies[:number]:
            yield Problem(("search", "proxies", number), f"{show(name)} is listed twice", "List each proxy once.")
    if search.oversampling > 1 and search.rounds == 1:
        problem = f"{search.oversampling} has no effect in one round, before which nothing is known of the proxies"
        yield Problem(("search", "oversampling"), problem, "Raise search.rounds, or remove the line.")


def check_objectives(spec: SpecFile) -> Iterator[Problem]:
    objectives = spec.search.objectives
    metrics = [objective.metric for objective in objectives]
    if not 1 <= len(objectives) <= 3:
        remedy = "List 1 to 3 objectives, such as validation_loss and params."
        yield Problem(("search", "objectives"), f"{len(objectives)} objectives are listed", remedy)
    elif not set(metrics) & quality_objectives().keys():
        remedy = f"Add one of {', '.join(quality_objectives())}; the cheapest model alone is never a good one."
        yield Problem(("search", "objectives"), f"{', '.join(metrics)}: none measures quality", remedy)
    for number, objective in enumerate(objectives):
        here = ("search", "objectives", number)
        if objective.metric in metrics[:number]:
            yield Problem(here, f"{show(objective.metric)} is listed twice", "List each objective once.")
        if objective.direction not in (None, directions()[objective.metric]):
            problem = f"{show(objective.direction)} makes no sense for {objective.metric}"
            yield Problem((*here, "direction"), problem, f"Write {directions()[objective.metric]}, or remove the line.")


def check_objective_task(spec: SpecFile) -> Iterator[Problem]:
    task = _task(spec)
    fitting = directions(task)
    for number, objective in enumerate(spec.search.objectives):
        if task and objective.metric not in fitting:
            problem = f"{show(objective.metric)} is not measured for {task.name}"
            yield Problem(("search", "objectives", number, "metric"), problem, f"Write one of {', '.join(fitting)}.")


def check_evaluation(spec: SpecFile) -> Iterator[Problem]:
    metrics, task = spec.evaluation.metrics, _task(spec)
    for number, metric in enumerate(metrics):
        here = ("evaluation", "metrics", number)
        if task and metric not in task.metrics:
            problem = f"{show(metric)} is not measured for {task.name}"
            yield Problem(here, problem, f"Write {' or '.join(task.metrics)}.")
        if metric in metrics[:number]:
            yield Problem(here, f"{show(metric)} is listed twice", "List each metric once.")


def _task(spec: SpecFile) -> TaskKind | None:
    return task_of(spec.modality.inputs, spec.modality.outputs)


def _words(spec: SpecFile) -> tuple[str, ...]:
    """What goes in and what comes out."""
    return *spec.modality.inputs, *spec.modality.outputs


CHECKS: tuple[tuple[tuple[str, ...], Callable[[SpecFile], Iterator[Problem]]], ...] = (
    (("modality", "task"), check_modality),
    (("task",), check_num_classes),
    (("task", "data"), check_embedded_classes),
    (("data",), check_data_origin),
    (("data", "modality"), check_data_modality),
    (("data", "modality"), check_columns),
    (("data", "modality"), check_keys_of_modality),
    (("data", "modality", "training", "target"), check_autoencoder),
    (("data",), check_channels),
    (("data",), check_fractions),
    (("constraints",), check_parameter_budget),
    (("constraints",), check_memory_of_parameters),
    (("constraints", "modality"), check_context_window),
    (("target", "modality"), check_target),
    (("training", "modality"), check_augmentation),
    (("training", "task", "modality"), check_loss),
    (("architecture",), check_families),
    (("architecture",), check_choice_names),
    (("search",), check_search_counts),
    (("search",), check_proxies),
    (("search",), check_objectives),
    (("search", "task", "modality"), check_objective_task),
    (("evaluation", "task", "modality"), check_evaluation),
)
