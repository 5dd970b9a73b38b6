"""Packages that add to this one, such as a modality: found by their entry points, loaded once per process.

An extension names a function without arguments under `[project.entry-points."metagen_jax.extensions"]`. Called, it
hands what it adds to the functions beside each registry, such as `metagen_jax.spec.tasks.register_task`.
"""

import functools
import itertools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from metagen_jax.errors import ExtensionError

GROUP = "metagen_jax.extensions"

_loaded: dict[str, str] = {}


@functools.cache
def load_extensions() -> Mapping[str, str]:
    """Calls the function of every installed extension, in the order of their names; a second call does nothing.

    Returns:
      What `loaded_extensions` returns.
    Raises:
      ExtensionError: one raised something, or two have the same name; the message names the package.
    """
    entries = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _package(entry)))
    for one, other in itertools.pairwise(entries):
        if one.name == other.name:
            packages = f"{_package(one)} and {_package(other)}"
            raise ExtensionError(
                f"extension '{one.name}' is in two packages: {packages}\n  Remove one of them with pip uninstall."
            )
    for entry in entries:
        try:
            entry.load()()
        except Exception as error:
            raise ExtensionError(
                f"extension '{entry.name}' of {_package(entry)} cannot be used: {type(error).__name__}: {error}\n"
                "  Install a version of it that works, or remove it with pip uninstall."
            ) from error
        _loaded[entry.name] = _package(entry)
    return loaded_extensions()


def loaded_extensions() -> Mapping[str, str]:
    """The distribution and its version of every extension that has been loaded, by the name of the extension."""
    return MappingProxyType(_loaded)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
