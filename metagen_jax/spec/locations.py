"""Where in a spec each value stands, so that every message can say it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from metagen_jax.errors import SpecError

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """Writes a path the way messages and `--set` do.

    Examples:
      >>> dotted(("search", "objectives", 0, "metric"))
      'search.objectives[0].metric'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if re.fullmatch(r"[\w-]{1,64}", step) else show(step))
    return text


def show(value: object) -> str:
    """Shows an offending value as YAML users know it, on one line, cut to a readable length.

    Examples:
      >>> show("ten"), show(True), show([1, 2])
      ("'ten'", 'true', '[1, 2]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        value = value if len(value) <= 60 else value[:57] + "..."
        return ascii(value) if not value.isprintable() else repr(value)
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def named_override(override: str) -> str:
    """Names an override in a message, on one line."""
    text = override if len(override) <= 100 else override[:97] + "..."
    return f"--set {text if text.isprintable() else ascii(text)}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a spec, and what to write instead."""

    path: Path
    problem: str
    remedy: str = ""


@dataclass(frozen=True)
class Locations:
    """The lines of a spec's file and the overrides that replaced parts of it.

    Attributes:
      file: the file, as the user named it.
      lines: dotted path to line, from 1.
      overrides: dotted path to the `--set` text that gave its value.
    """

    file: str
    lines: Mapping[str, int] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def describe(self, path: str) -> str:
        """Names the place of a dotted path: its own line, or that of its nearest parent in the file."""
        for parent in _self_and_parents(path):
            if parent in self.overrides:
                return named_override(self.overrides[parent])
            if parent in self.lines:
                return f"{self.file}:{self.lines[parent]}"
        return f"{self.file}:1"

    def sort_key(self, path: str) -> tuple[bool, int]:
        """Orders paths as a reader meets them: the file from top to bottom, then the overrides."""
        for parent in _self_and_parents(path):
            if parent in self.overrides:
                return True, list(self.overrides).index(parent)
            if parent in self.lines:
                return False, self.lines[parent]
        return False, 1

    def message(self, path: str, problem: str, remedy: str = "") -> str:
        """Formats one problem as `place, path: problem`, the remedy indented below."""
        where = f"{self.describe(path)}, {path}" if path else self.describe(path)
        return f"{where}: {problem}" + (f"\n  {remedy}" if remedy else "")

    def error(self, path: str, problem: str, remedy: str = "") -> SpecError:
        """Returns the error to raise for one problem."""
        return SpecError(self.message(path, problem, remedy))


def _self_and_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
