"""Renders templates, those of extensions too; loads a rendered program as a module."""

import functools
import hashlib
import pathlib
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2

from metagen_jax.errors import ExtensionError
from metagen_jax.spec import Training
from metagen_jax.synth.modalities.base import Family, Field, Modality, lengths_of
from metagen_jax.synth.modalities.parts import ACTIVATIONS, NORM_CLASSES


def template_folder() -> pathlib.Path:
    """The folder of the templates: beside the package in a checkout, inside it in an installed wheel."""
    package = pathlib.Path(__file__).parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


# Where templates are looked for, in this order; the environment reads it anew each time.
_LOADER = jinja2.FileSystemLoader(template_folder())


def register_templates(folder: pathlib.Path) -> None:
    """Adds a folder of templates, such as `folder/fragments/tables/mlp.py.j2`.

    Raises:
      ExtensionError: there is no such folder, it has no templates, or one in it is called like one that is there.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.j2"))
    if not names:
        raise ExtensionError(
            f"{folder}: no templates in it\n  They end in .j2; does the package that you built hold them?"
        )
    for name in names:
        if has_template(name):
            raise ExtensionError(
                f"{folder}: there is a template {name} already, which would hide this one\n  Call yours otherwise."
            )
    _LOADER.searchpath.append(str(folder))


def has_template(name: str) -> bool:
    """Whether there is a template of this name."""
    return any((pathlib.Path(folder) / name).is_file() for folder in _LOADER.searchpath)


@functools.cache
def environment() -> jinja2.Environment:
    """Strict: an unknown variable is an error, and nothing is escaped."""
    return jinja2.Environment(
        loader=_LOADER,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def model_context(
    family: Family, structure: Mapping[str, Any], sizes: Mapping[str, int], fixed: Sequence[Field], precision: str
) -> dict[str, Any]:
    """What the templates of a model need: the rendered fragments, and the settings at the head."""
    comments = {dimension.name: dimension.comment for dimension in family.dimensions}
    searched = [Field(name, value, comments[name]) for name, value in sizes.items()]
    numbers = [Field(name, value, comments[name]) for name, value in structure.items() if isinstance(value, int)]
    function, label = ACTIVATIONS[structure["activation"]]
    choices = {
        "causal": family.causal,
        "masked": family.masked,
        "width_axis": family.width,
        "widths": family.widths,
        **_level_context(family),
        "norm_class": NORM_CLASSES[structure["norm"]],
        "activation_function": function,
        "activation_label": label,
        **_precision_context(precision),
    }
    fragments = [render(fragment.format(**structure), choices) for fragment in family.fragments]
    return {
        "config_doc": f"The sizes of this {family.title}.",
        "config_fields": [*fixed, *numbers, *searched],
        "model_fragments": fragments,
        "model_has_constants": any(re.search(r"\bnp\.", fragment) for fragment in fragments),
        "model_class": family.model_class,
    }


def _level_context(family: Family) -> dict[str, str | Callable[[str], str]]:
    """How the parts of a level name its axes: `axis(NAME)` is an expression in their text.

    Where there is one level, it is not spoken of; where there are several, every part is told its number.
    """
    if family.levels == 1:
        return {"level_parameter": "", "level_argument": "", "axis": '"{}"'.format}
    return {"level_parameter": "level: int, ", "level_argument": "level, ", "axis": 'f"{}_{{level}}"'.format}


def _precision_context(precision: str) -> dict[str, Any]:
    """How the products of a model are written: `factor(TEXT)` is what goes into one.

    GPUs and TPUs round the float32 factors of a product unless they are told otherwise.
    Where numbers depend on a run-time size, such as in a norm, they have to be float32: a population reads sizes as
    float32 numbers, and would silently go on in float32 behind a bfloat16 one, which a plain integer does not change.
    """
    if precision == "bfloat16":
        return {"bfloat16": True, "product_precision": None, "factor": "jnp.bfloat16({})".format}
    return {"bfloat16": False, "product_precision": precision, "factor": str}


def recipe_context(modality: Modality, training: Training, seed: int, fixed: Mapping[str, int]) -> dict[str, Any]:
    """What the templates of the training need: the rendered fragments, and the constants that they read."""
    constants = {"SEED": seed, "BATCH_SIZE": training.batch_size}
    if training.augmentation != "none":
        constants["MAX_SHIFT"] = max(1, fixed["image_size"] // 14)
    if "context" in fixed:
        constants["CONTEXT"] = fixed["context"]
    choices = {
        "label_smoothing": training.label_smoothing,
        "schedule": training.schedule,
        "augmentation": training.augmentation,
        **modality.recipe_words,
    }
    return {
        "constants": constants,
        "recipe_fragments": [render(fragment, choices) for fragment in modality.recipe_fragments],
    }


def render(template: str, context: Mapping[str, Any]) -> str:
    """Renders one template; white space at both ends is cut off."""
    return environment().get_template(template).render(context).strip()


def program_source(
    modality: Modality,
    family: Family,
    structure: Mapping[str, Any],
    sizes: Mapping[str, int],
    fixed: Sequence[Field],
    training: Training,
    seed: int,
) -> str:
    """Renders everything that a candidate of this structure is trained with as one module."""
    recipe = recipe_context(modality, training, seed, lengths_of(fixed))
    model = model_context(family, structure, sizes, fixed, training.precision)
    return render("program.py.j2", model | recipe) + "\n"


def load_module(source: str) -> types.ModuleType:
    """Executes a rendered program. Only our own fragments and checked integers ever stand in one."""
    name = "metagen_jax_program_" + hashlib.sha256(source.encode()).hexdigest()[:16]
    if name not in sys.modules:
        module = types.ModuleType(name)
        sys.modules[name] = module  # dataclasses look their module up
        exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return sys.modules[name]
