"""YAML text to plain values with the line of each, refusing every part of YAML that surprises.

The tree is built from the parser's events, not by a YAML constructor: tags, anchors and aliases never get a meaning,
so nothing can be executed, referenced or multiplied. Plain scalars follow the YAML 1.2 core schema; those that YAML 1.1
and 1.2 read differently (`no`, `010`, `1_000`, dates) are refused instead of guessed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NoReturn

import yaml

from metagen_jax.errors import SpecError
from metagen_jax.spec.locations import Path, Problem, dotted, show

MAX_BYTES = 2**20
MAX_DEPTH = 12
MAX_VALUES = 5_000

_QUOTES = "or put it in quotes if it is text."
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SURPRISES = (
    (
        re.compile(r"yes|no|on|off", re.I),
        "means true or false to some YAML readers and text to others",
        f"Write true or false, {_QUOTES}",
    ),
    (
        re.compile(r"[-+]?0([0-9_]+(\.[0-9]*)?|x[0-9a-f_]+|o[0-7_]+|b[01_]+)", re.I),
        "is an octal, hexadecimal or binary number to some YAML readers",
        f"Write it as a plain decimal number, {_QUOTES}",
    ),
    (
        re.compile(r"[-+]?[0-9]+_[0-9_.]*"),
        "is a number to some YAML readers and text to others",
        f"Write the digits without '_', {_QUOTES}",
    ),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"),
        "is a date to some YAML readers",
        "Put it in quotes if it is text.",
    ),
    (
        re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"),
        "is a number in base 60 to some YAML readers",
        f"Write it as a plain decimal number, {_QUOTES}",
    ),
    (re.compile(r"[-+]?\.inf|\.nan", re.I), "is not a finite number", "Write a finite number."),
)


class Refused:
    """Stands in the tree for a value that was refused while reading; no kind of value accepts it."""


REFUSED = Refused()


@dataclass
class Source:
    """A parsed YAML text.

    Attributes:
      tree: plain dicts, lists, str, int, float and bool; None where the text is empty.
      lines: dotted path to line, from 1.
      problems: what was refused; the tree holds `REFUSED` or the first of two values there.
    """

    tree: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_text(path: str, shown: str) -> str:
    """Reads a spec file as text.

    Args:
      path: the file.
      shown: how messages name it.
    Raises:
      SpecError: the file is missing, not a file, unreadable, too large, or not UTF-8 text.
    """
    try:
        if not path or FilePath(path).is_dir():
            raise SpecError(f"{shown}: is a folder, not a spec file\n  Name the YAML file inside it.")
        if not FilePath(path).is_file():
            raise SpecError(f"{shown}: there is no such file\n  Check the path; a spec is a YAML file.")
        with FilePath(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{shown}: cannot be read: {error.strerror}\n  Check the path and its permissions.") from error
    return _decode(shown, content)


def parse(text: str, name: str) -> Source:
    """Parses one YAML document.

    Args:
      text: the document.
      name: the file, or the `--set` text, that messages name.
    Raises:
      SpecError: what makes the rest unreadable: broken syntax, several documents, runaway nesting or size. What is
        wrong with single values is collected in `Source.problems` instead.
    """
    try:
        return _Reader(name, yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{int(error.character):04X} is not allowed in YAML"
        raise SpecError(f"{_place(name, line)}: {problem}\n  Remove it, or save the file as UTF-8 text.") from error
    except yaml.MarkedYAMLError as error:
        raise SpecError(_syntax_message(name, error)) from error
    except (ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF", beyond Unicode
        raise SpecError(f"{name}: not valid YAML: {error}\n  Look for a wrong escape in a quoted text.") from error


def resolve_plain(text: str) -> str | int | float | bool | None:
    """Returns the value of an unquoted scalar in the YAML 1.2 core schema.

    Examples:
      >>> [resolve_plain(text) for text in ("24", "1e-4", "true", "10k", "~")]
      [24, 0.0001, True, '10k', None]
    """
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if len(text) <= 40 and _INT.fullmatch(text):
        return int(text)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text


def surprise(text: str) -> tuple[str, str] | None:
    """Returns why an unquoted scalar is refused and what to write instead, or None where it is plain enough."""
    for pattern, problem, remedy in _SURPRISES:
        if pattern.fullmatch(text):
            return problem, remedy
    if resolve_plain(text) in (float("inf"), float("-inf")):
        return "is not a finite number", "Write a finite number."
    return None


def dump(tree: dict[str, Any]) -> str:
    """Writes plain values as YAML that every reader, 1.1 or 1.2, reads the same way."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def flow(value: Any) -> str:
    """Writes a value as YAML on one line.

    Examples:
      >>> flow([{"metric": "params"}, 2])
      '[{metric: params}, 2]'
    """
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("\n").removesuffix("...").strip()


class _Reader:
    """Builds a `Source` from the events of the YAML parser."""

    def __init__(self, name: str, events: Iterator[yaml.Event]):
        self.name = name
        self.events = events
        self.source = Source()
        self.num_values = 0

    def document(self) -> Source:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return self.source
        self.source.tree = self.value(next(self.events), (), 0)
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.stop(after, "a second YAML document starts here", "Keep one document in a file.")
        return self.source

    def value(self, event: yaml.Event, path: Path, depth: int) -> Any:
        self.num_values += 1
        if self.num_values > MAX_VALUES:
            self.stop(event, f"more than {MAX_VALUES} values", "A spec is short; check that this file is one.")
        if depth > MAX_DEPTH:
            self.stop(event, f"nested more than {MAX_DEPTH} levels deep", "A spec is shallow; check the brackets.")
        if isinstance(event, yaml.AliasEvent):
            return self.refuse(path, f"the alias '*{event.anchor}' is not supported", "Write the value out.")
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.anchor is not None:
            self.refuse(
                path, f"the anchor '&{event.anchor}' is not supported", "Write the value out where it is needed."
            )
        tag = event.tag
        if tag is not None:
            self.refuse(path, f"the tag {show(tag)} is not supported", "Remove it; write a plain value.")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path, depth)
        assert isinstance(event, yaml.ScalarEvent)
        return REFUSED if tag is not None else self.scalar(event, path)

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        while not isinstance(key_event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(key_event, yaml.ScalarEvent) or key_event.anchor or key_event.tag:
                self.stop(key_event, "a key that is not plain text", "Write keys as single words.")
            key, line = str(key_event.value), _line(key_event)
            if key in tree:
                first = self.source.lines[dotted((*path, key))]
                self.value(next(self.events), (*path, key), depth + 1)
                self.source.lines[dotted((*path, key))] = line
                self.refuse((*path, key), f"this key is already set in line {first}", "Keep one of the two.")
                continue
            self.source.lines[dotted((*path, key))] = line
            if key == "<<":
                self.refuse((*path, key), "merge keys are not supported", "Write the merged keys out.")
            tree[key] = self.value(next(self.events), (*path, key), depth + 1)
        return tree

    def sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.source.lines[dotted(here)] = _line(event)
            items.append(self.value(event, here, depth + 1))
        return items

    def scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:
        if not event.implicit[0]:  # quoted, or a block of text
            return event.value
        found = surprise(event.value)
        if found:
            return self.refuse(path, f"{event.value} {found[0]}", found[1])
        value = resolve_plain(event.value)
        if value is None and path:
            return self.refuse(path, "has no value", "Give it a value, or remove the line to get the default.")
        return value

    def refuse(self, path: Path, problem: str, remedy: str) -> Refused:
        self.source.problems.append(Problem(path, problem, remedy))
        return REFUSED

    def stop(self, event: yaml.Event, problem: str, remedy: str) -> NoReturn:
        raise SpecError(f"{_place(self.name, _line(event))}: {problem}\n  {remedy}")


class _Dumper(yaml.SafeDumper):
    """Quotes every string that any YAML reader could take for something else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)  # lists are indented below their key

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    plain = re.fullmatch(r"[A-Za-z][\w./-]*", text, re.ASCII) and resolve_plain(text) == text and not surprise(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    flat = not any(isinstance(item, dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)


def _decode(path: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise SpecError(f"{path}: larger than {MAX_BYTES // 2**20} MiB\n  Check that this file is a spec.")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise SpecError(f"{path}:{line}: a NUL byte; this is not a text file\n  Save the spec as UTF-8 text.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise SpecError(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8 text\n  Save the file as UTF-8.") from error


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _place(name: str, line: int) -> str:
    return name if name.startswith("--set ") else f"{name}:{line}"


def _syntax_message(name: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "cannot be parsed"
    remedy = "Check indentation, quotes and brackets in this line and the one above."
    if "'\\t'" in problem:
        problem, remedy = "a tab where YAML wants spaces", "Indent with spaces."
    elif "mapping values are not allowed" in problem:
        remedy = "Check the indentation; put text that contains ': ' in quotes."
    return f"{_place(name, mark.line + 1 if mark else 1)}: not valid YAML: {problem}\n  {remedy}"
