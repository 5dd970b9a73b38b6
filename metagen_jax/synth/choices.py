"""What a spec says about the choices of a family: which there are, which values are left of them. Knows nothing of JAX."""

import dataclasses
import itertools
import math
from typing import Any

from metagen_jax.errors import did_you_mean
from metagen_jax.spec import Choice, ModelSpec
from metagen_jax.synth.modalities import SIZE, STRUCTURE, Dimension, Family, Modality
from metagen_jax.synth.modalities.parts import KNOWN_STRUCTURE

MOST_LENGTH = 100_000


def choose_family(spec: ModelSpec, modality: Modality) -> Family:
    """Returns the family that the spec names, or the modality's first, in the form that has the choices of the spec."""
    for number, name in enumerate(spec.architecture.families):
        if name not in modality.families:
            path = f"architecture.family[{number}]" if len(spec.architecture.families) > 1 else "architecture.family"
            raise spec.error(path, f"there is no family '{name}' for this task", did_you_mean(name, modality.families))
    if len(spec.architecture.families) > 1:
        raise spec.error("architecture.family", "several families are not searched in one run", "Keep one of them.")
    family = modality.families[next(iter(spec.architecture.families or modality.families))]
    return family.form_of(spec.architecture.choices)


def check_choices(spec: ModelSpec, modality: Modality) -> None:
    """Refuses names of families and choices that there are not; needs no data and no JAX program.

    Raises:
      SpecError: located at the first unknown name, or at one that does not go with another.
    """
    family, named = choose_family(spec, modality), tuple(spec.architecture.choices)
    known = {dimension.name for form in family.forms for dimension in form.dimensions}
    for name in named:
        if name not in known:
            raise spec.error(f"architecture.choices.{name}", f"unknown choice '{name}'", did_you_mean(name, known))
    for one, other in itertools.combinations(named, 2):
        if not any(form.has((one, other)) for form in family.forms):
            raise spec.error(
                f"architecture.choices.{other}", f"'{other}' does not go with '{one}'", "Remove one of them."
            )


def narrow(spec: ModelSpec, dimension: Dimension, default: tuple[Any, ...]) -> Dimension:
    """Returns the dimension with the values that the spec leaves of it."""
    choice = spec.architecture.choices.get(dimension.name)
    if choice is None:
        return dataclasses.replace(dimension, values=default)
    values = _narrowed(spec, dimension, choice)
    return dataclasses.replace(dimension, values=values)


def _narrowed(spec: ModelSpec, dimension: Dimension, choice: Choice) -> tuple[Any, ...]:
    path = f"architecture.choices.{dimension.name}"
    known = KNOWN_STRUCTURE.get(dimension.name, dimension.values)
    if choice.values is None:
        low = -math.inf if choice.min is None else choice.min
        high = math.inf if choice.max is None else choice.max
        if any(isinstance(value, str) for value in known):
            raise spec.error(path, "a range makes no sense for words", f"Write one or several of {', '.join(known)}.")
        within = tuple(value for value in known if low <= value <= high)
        if not within:
            raise spec.error(path, f"no value is within {low} and {high}", f"Known: {_listed(known)}.")
        return within
    for value in choice.values:
        _check_value(spec, path, dimension, value, known)
    if isinstance(choice.values[0], str):
        return tuple(dict.fromkeys(choice.values))
    return tuple(sorted(set(choice.values)))


def _check_value(spec: ModelSpec, path: str, dimension: Dimension, value: Any, known: tuple[Any, ...]) -> None:
    if dimension.kind == STRUCTURE:
        if value not in known:
            raise spec.error(path, f"{value!r} is not a {dimension.name} for this data", f"Known: {_listed(known)}.")
        return
    if isinstance(value, str):
        raise spec.error(path, f"{value!r} is not a number", f"Write numbers, such as {_listed(known)}.")
    whole = dimension.kind == SIZE or dimension.name == "warmup_steps"
    if whole and (not isinstance(value, int) or not 1 <= value <= MOST_LENGTH):
        problem = "too large" if value > MOST_LENGTH else "not a length"
        remedy = f"Write whole numbers from 1 to {MOST_LENGTH}, such as {_listed(known)}."
        raise spec.error(path, f"{value!r} is {problem}", remedy)
    if not whole and not 0 <= value <= 1:
        raise spec.error(path, f"{value!r} is out of range", f"Write numbers from 0 to 1, such as {_listed(known)}.")


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(str(value) for value in values)
