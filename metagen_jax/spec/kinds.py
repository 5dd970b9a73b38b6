"""The kinds of value a key can take: each checks, explains itself in messages and documents itself.

A kind stands in a pydantic annotation, `Annotated[int, Whole(1, 100)]`. It never converts silently: text is
not a number, `true` is not 1, and 24.0 is not 24.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from metagen_jax.errors import did_you_mean
from metagen_jax.spec import units
from metagen_jax.spec.locations import show

MAX_CHOICE_VALUES = 64


def refuse(problem: str, remedy: str) -> NoReturn:
    """Raises the error that pydantic collects and `load_spec` reports."""
    raise PydanticCustomError("refused", "{problem}", {"problem": problem, "remedy": remedy})


@dataclass(frozen=True)
class Kind:
    """What all kinds share: the bridge to pydantic."""

    def parse(self, value: Any) -> Any:
        """Returns the checked value, or calls `refuse`."""
        raise NotImplementedError

    def json(self) -> dict[str, Any]:
        """Returns the JSON Schema of what may be written."""
        raise NotImplementedError

    def describe(self) -> str:
        """Says in a few words what may be written, for the reference."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.json()

    def checked(self, value: Any) -> Any:
        """Returns the checked value, or raises what pydantic collects."""
        try:
            return self.parse(value)
        except units.UnitError as error:
            refuse(error.problem, error.remedy)


@dataclass(frozen=True)
class Flag(Kind):
    """true or false."""

    def parse(self, value: Any) -> bool:
        if not isinstance(value, bool):
            refuse(f"{show(value)} is not true or false", "Write true or false, without quotes.")
        return value

    def json(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def describe(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number within bounds, plain or with k, M, B, T."""

    low: int
    high: int

    def parse(self, value: Any) -> int:
        number = units.parse_count(value) if isinstance(value, str) else value
        if isinstance(number, float) and number.is_integer():
            number = _bounded(int(number), value, self.low, self.high, units.format_count)
            refuse(f"{show(value)} is not a whole number", f"Write {number}.")
        if isinstance(number, bool) or not isinstance(number, int):
            refuse(f"{show(value)} is not a whole number", "Write a whole number, such as 24, 10k or 50M.")
        return _bounded(number, value, self.low, self.high, units.format_count)

    def json(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?[kMBT]?$"}]}

    def describe(self) -> str:
        suffixes = "; k, M, B, T" if self.high >= 10_000 else ""
        return f"whole number, {units.format_count(self.low)} to {units.format_count(self.high)}{suffixes}"


@dataclass(frozen=True)
class Number(Kind):
    """A real number within bounds; `above` leaves the lower bound itself out."""

    low: float
    high: float
    above: bool = False

    def parse(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(
                f"{show(value)} is not a number", f"Write a number from {self.low:g} to {self.high:g}, without quotes."
            )
        if self.above and value == self.low:
            refuse(f"{show(value)} is too small", f"Write a number above {self.low:g}, at most {self.high:g}.")
        return float(_bounded(value, value, self.low, self.high, "{:g}".format))

    def json(self) -> dict[str, Any]:
        low = "exclusiveMinimum" if self.above else "minimum"
        return {"type": "number", low: self.low, "maximum": self.high}

    def describe(self) -> str:
        return f"number, {'above ' if self.above else ''}{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Quantity(Kind):
    """A number with a unit, within bounds.

    Attributes:
      what: the quantity in words, with examples.
      read, write: text to number, and a number to text that reads back to it.
      pattern: regular expression of the text, for editors.
      bare: whether a number without a unit has a meaning.
    """

    what: str
    read: Callable[[str], float]
    write: Callable[[Any], str]
    pattern: str
    low: float
    high: float
    bare: bool = False

    def parse(self, value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and not self.bare:
            refuse(f"{show(value)} has no unit", f"Write {self.what}.")
        if not is_number and not isinstance(value, str):
            refuse(f"{show(value)} is not {self.what.partition(',')[0]}", f"Write {self.what}.")
        if is_number and value > self.high:
            _bounded(value, value, self.low, self.high, self.write)
        if isinstance(value, float) and isinstance(self.low, int):
            refuse(f"{show(value)} is not a whole number", f"Write {self.what}.")
        number = self.read(units.plain_decimal(value) if is_number else value)
        return _bounded(number, value, self.low, self.high, self.write)

    def json(self) -> dict[str, Any]:
        text = {"type": "string", "pattern": self.pattern}
        bare = {"type": "integer" if isinstance(self.low, int) else "number", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [bare, text]} if self.bare else text

    def describe(self) -> str:
        return f"{self.what}; {self.write(self.low)} to {self.write(self.high)}"


@dataclass(frozen=True)
class Word(Kind):
    """One of a few known words.

    Attributes:
      words: the words; a function of those in a registry that may grow.
      note: what to add to the remedy; a function likewise.
      listed: whether the remedy lists the words even where it has a guess.
    """

    words: tuple[str, ...] | Callable[[], tuple[str, ...]]
    note: str | Callable[[], str] = ""
    listed: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        """The words by now."""
        return self.words() if callable(self.words) else self.words

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            refuse(f"{show(value)} is not a word", f"Write one of: {', '.join(self.known)}.")
        if value not in self.known:
            refuse(f"{show(value)} is not known here", self._remedy(value[:100]))
        return value

    def _remedy(self, value: str) -> str:
        guess = did_you_mean(value.lower() if value.lower() in self.known else value, self.known)
        words = f"Known: {', '.join(sorted(self.known))}." if self.listed and not guess.startswith("Known") else ""
        note = self.note() if callable(self.note) else self.note
        return " ".join(part for part in (guess, words, note) if part)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.known)}

    def describe(self) -> str:
        return " or ".join(f"`{word}`" for word in self.known)


@dataclass(frozen=True)
class Slug(Kind):
    """A short name that is safe in file names and needs no quotes anywhere."""

    pattern: str = "[a-z0-9][a-z0-9_-]{0,63}"
    rule: str = "1 to 64 of a-z, 0-9, '_' and '-', starting with a letter or digit"

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            refuse(f"{show(value)} is not text", f"Put it in quotes: {self.rule}.")
        if not re.fullmatch(self.pattern, value):
            refuse(f"{show(value)} is not a usable name", f"Write {self.rule}.{self._suggestion(value)}")
        return value

    def _suggestion(self, value: str) -> str:
        near = re.sub(r"[^a-z0-9_-]+", "_", value.lower()).strip("_-")[:64]
        return f" Perhaps '{near}'." if re.fullmatch(self.pattern, near) else ""

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def describe(self) -> str:
        return self.rule


@dataclass(frozen=True)
class Line(Kind):
    """Free text in one paragraph: only ever shown, never interpreted."""

    max_length: int

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            refuse(f"{show(value)} is not text", "Put it in quotes.")
        text = value.strip()
        if not text.isprintable():
            odd = next(char for char in text if not char.isprintable())
            remedy = "Write one paragraph of visible characters; start a long text with '>' instead of '|'."
            refuse(f"{show(value)} contains the character U+{ord(odd):04X}", remedy)
        if len(text) > self.max_length:
            refuse(f"{show(value)} has {len(text)} characters", f"Shorten it to at most {self.max_length}.")
        return text

    def json(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}

    def describe(self) -> str:
        return f"text, one paragraph, at most {self.max_length} characters"


@dataclass(frozen=True)
class FilePath(Kind):
    """A path to a file or folder; whether it exists is for the reader of the data to say."""

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            refuse(f"{show(value)} is not a path", "Put it in quotes.")
        if not value.strip() or not value.isprintable() or len(value) > 1024:
            refuse(f"{show(value)} is not a path", "Write the path of a file or folder, such as my_images.npz.")
        if "://" in value:
            refuse(
                f"{show(value)} is an address, and nothing is downloaded", "Download it and write the path of the file."
            )
        return value

    def json(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": 1024}

    def describe(self) -> str:
        return "path, relative to the spec file"


@dataclass(frozen=True)
class Version(Kind):
    """The version of the spec language; written as a number or as text."""

    current: str

    def parse(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            refuse(f"{show(value)} is not a version", f"Write '{self.current}'.")
        text = f"{value}.0" if re.fullmatch("[0-9]+", str(value)) else str(value)
        if text != self.current:
            refuse(f"{show(value)} is not a version of the spec language read here", f"Write '{self.current}'.")
        return text

    def json(self) -> dict[str, Any]:
        return {"enum": [self.current, float(self.current)]}

    def describe(self) -> str:
        return f"`'{self.current}'`"


@dataclass(frozen=True)
class Narrowing(Kind):
    """What a spec leaves of one architecture choice: a value (fixed), a list, or a range.

    Which choices and values exist belongs to the families, so that is checked where those are known.
    """

    def parse(self, value: Any) -> dict[str, Any]:
        """Returns a dict with `values`, or with `min`, `max` or both."""
        if isinstance(value, dict):
            return self._range(value)
        values = value if isinstance(value, list) else [value]
        if not 1 <= len(values) <= MAX_CHOICE_VALUES:
            refuse(f"{len(values)} values are listed", f"List 1 to {MAX_CHOICE_VALUES} values, or remove the line.")
        for each in values:
            self._check_value(each)
        if len({isinstance(each, str) for each in values}) > 1:
            refuse(f"{show(values)} mixes numbers and words", "List either numbers or words.")
        if len(set(values)) < len(values):
            repeated = next(each for each in values if values.count(each) > 1)
            refuse(f"{show(repeated)} is listed twice", "List each value once.")
        return {"values": tuple(values)}

    def _check_value(self, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            refuse(f"{show(value)} is not a number or a word", "Write a number, a word, a list of them or {min, max}.")
        if isinstance(value, str) and not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,63}", value):
            refuse(f"{show(value)} is not a number or a single word", "Write plain numbers, or words such as rms.")
        if not isinstance(value, str) and not (math.isfinite(value) and abs(value) <= 1e12):
            refuse(f"{show(value)} is out of any range", "Write sizes up to 100000, numbers of the training up to 1.")

    def _range(self, bounds: dict[str, Any]) -> dict[str, Any]:
        for key, bound in bounds.items():
            if key not in ("min", "max"):
                refuse(f"unknown key {show(key)}", did_you_mean(key[:100], ("min", "max")))
            if isinstance(bound, str):
                refuse(f"{key} is {show(bound)}, which is not a number", "Write numbers, such as {min: 32, max: 96}.")
            self._check_value(bound)
        if not bounds:
            refuse("neither min nor max is given", "Write {min: 32, max: 96}, or remove the line.")
        if "min" in bounds and "max" in bounds and bounds["min"] > bounds["max"]:
            refuse(f"min {show(bounds['min'])} is above max {show(bounds['max'])}", "Swap the two.")
        return dict(bounds)

    def json(self) -> dict[str, Any]:
        one = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$"}]}
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_CHOICE_VALUES, "uniqueItems": True}
        bounds = {"min": {"type": "number"}, "max": {"type": "number"}}
        span = {"type": "object", "properties": bounds, "additionalProperties": False, "minProperties": 1}
        return {"anyOf": [one, several, span]}

    def describe(self) -> str:
        return "for each name one value (fixed), a list, or {min, max}"


@dataclass(frozen=True)
class OrAlone:
    """Annotates a section: a single value may stand for a mapping with one key.

    Attributes:
      key: that key.
      kind: of the value.
    """

    key: str
    kind: Kind

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._mapping, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [self.kind.json(), handler(schema)]}

    def _mapping(self, value: Any) -> Any:
        return value if isinstance(value, dict) else {self.key: self.kind.checked(value)}


@dataclass(frozen=True)
class OneOrMore:
    """Annotates a tuple: a single word may stand for a list of one, and an empty list is refused."""

    max_items: int = 16

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        several = handler(schema)
        return {"anyOf": [several["items"], several | {"minItems": 1, "maxItems": self.max_items}]}

    def _listed(self, value: Any) -> Any:
        if isinstance(value, list) and not 1 <= len(value) <= self.max_items:
            refuse(f"{len(value)} words are listed", f"List 1 to {self.max_items}.")
        return [value] if isinstance(value, str) else value


def _bounded(number: Any, written: Any, low: Any, high: Any, write: Callable[[Any], str]) -> Any:
    if number < low:
        refuse(f"{show(written)} is too small", f"Write at least {write(low)}.")
    if number > high:
        refuse(f"{show(written)} is too large", f"Write at most {write(high)}.")
    return number
