"""Quantities with units: text such as "50M", "12GB", "10ms" or "500/s" to exact numbers, and back.

A unit is part of the meaning, so its letter case counts (`M` is a million, `m` a minute) and a missing unit is refused
where it would have to be guessed. `k` is 1000, except in context windows, where the field means 1024.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from metagen_jax.errors import SpecError

COUNT_UNITS = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
CONTEXT_UNITS = {"": 1, "k": 2**10, "M": 2**20}
BYTE_UNITS = {
    "B": 1,
    **{"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    **{"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40},
}
DURATION_UNITS_MS: dict[str, int | Fraction] = {
    "us": Fraction(1, 1000),
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
}
RATE_UNITS = {"": 1, "/s": 1, "fps": 1, "k/s": 10**3, "M/s": 10**6}
REAL_TIME_PER_S = 30  # what video calls real time

_QUANTITY = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?) ?([A-Za-z/]{0,5})")


class UnitError(SpecError):
    """A quantity that cannot be read: what is wrong with it, and what to write instead."""

    def __init__(self, problem: str, remedy: str):
        super().__init__(f"{problem}\n  {remedy}")
        self.problem = problem
        self.remedy = remedy


def parse_count(text: str) -> int:
    """Reads a number of things; `k`, `M`, `B` and `T` are powers of a thousand.

    Examples:
      >>> parse_count("1.5k"), parse_count("7B")
      (1500, 7000000000)
    """
    return _whole(text, COUNT_UNITS, "a whole number", "24, 10k or 50M")


def parse_context_window(text: str) -> int:
    """Reads a length in tokens; `k` is 1024.

    Examples:
      >>> parse_context_window("8k")
      8192
    """
    return _whole(text, CONTEXT_UNITS, "a number of tokens", "128 or 8k (8k is 8192)")


def parse_bytes(text: str) -> int:
    """Reads an amount of memory; `GB` is 10^9 bytes, `GiB` is 2^30.

    Examples:
      >>> parse_bytes("2GB"), parse_bytes("2GiB")
      (2000000000, 2147483648)
    """
    return _whole(text, BYTE_UNITS, "an amount of memory", "500MB, 2GB or 2GiB")


def parse_duration_ms(text: str) -> float:
    """Reads a duration in milliseconds.

    Examples:
      >>> parse_duration_ms("2s"), parse_duration_ms("10m")
      (2000.0, 600000.0)
    """
    return float(_exact(text, DURATION_UNITS_MS, "a duration", "10ms, 2s or 5min"))


def parse_latency_ms(text: str) -> float:
    """Reads how long one answer may take, in milliseconds: a duration, one frame of so many a second, or `real-time`.

    Examples:
      >>> parse_latency_ms("10ms"), parse_latency_ms("50fps")
      (10.0, 20.0)
      >>> round(parse_latency_ms("real-time"), 1)
      33.3
    """
    if text == "real-time":
        return 1000 / REAL_TIME_PER_S
    if re.fullmatch("real[ _]?time", text.lower().replace("-", "")):
        raise UnitError(f"{text!r} is not a duration", "Write real-time.")
    if text.lower().endswith("fps"):
        frames = _exact(text, {"fps": 1}, "a duration", "10ms, 30fps or real-time")
        if frames == 0:
            raise UnitError(f"{text!r} is no frame at all", "Write a rate above 0, such as 30fps.")
        return float(1000 / frames)
    return float(_exact(text, DURATION_UNITS_MS, "a duration", "10ms, 30fps or real-time"))


def parse_rate_per_s(text: str) -> float:
    """Reads how many in a second.

    Examples:
      >>> parse_rate_per_s("500/s"), parse_rate_per_s("30fps")
      (500.0, 30.0)
    """
    return float(_exact(text, RATE_UNITS, "a rate", "500/s or 30fps"))


def format_count(count: int) -> str:
    """Writes a count with the largest unit that keeps it exact.

    Examples:
      >>> format_count(250_000), format_count(1_234)
      ('250k', '1234')
    """
    return _format(count, COUNT_UNITS)


def format_bytes(num_bytes: int) -> str:
    """Writes an amount of memory with the largest unit that keeps it exact.

    Examples:
      >>> format_bytes(2 * 10**9), format_bytes(2**30)
      ('2GB', '1GiB')
    """
    return _format(num_bytes, BYTE_UNITS)


def format_duration_ms(duration_ms: float) -> str:
    """Writes a duration in milliseconds so that it reads back to the same float.

    Examples:
      >>> format_duration_ms(10.0)
      '10ms'
    """
    return plain_decimal(duration_ms) + "ms"


def format_rate_per_s(rate: float) -> str:
    """Writes a rate so that it reads back to the same float.

    Examples:
      >>> format_rate_per_s(500.0)
      '500/s'
    """
    return plain_decimal(rate) + "/s"


def _whole(text: str, units: Mapping[str, int], what: str, examples: str) -> int:
    exact = _exact(text, units, what, examples)
    if exact.denominator != 1:
        raise UnitError(
            f"{text!r} is {float(exact):g}, which is not a whole number", f"Write {what}, such as {examples}."
        )
    return int(exact)


def _exact(text: str, units: Mapping[str, int] | Mapping[str, int | Fraction], what: str, examples: str) -> Fraction:
    match = _QUANTITY.fullmatch(text)
    number, unit = match.groups() if match else ("", "")
    if match and unit in units:
        return Fraction(number) * units[unit]
    shown = text if len(text) <= 40 else text[:37] + "..."
    if text.startswith("-") and _QUANTITY.fullmatch(text[1:]):
        raise UnitError(f"{shown!r} is negative", f"Write {what} without a minus sign, such as {examples}.")
    same_letters = [known for known in units if known and known.lower() == unit.lower()]
    if same_letters:
        raise UnitError(f"{shown!r} has a unit in the wrong letter case", f"Write {number}{same_letters[0]}.")
    if match and not unit:
        raise UnitError(f"{shown!r} has no unit", f"Write {what} with its unit, such as {examples}.")
    raise UnitError(f"{shown!r} is not {what}", f"Write {what}, such as {examples}.")


def _format(whole: int, units: Mapping[str, int]) -> str:
    fitting = [(size, unit) for unit, size in units.items() if whole and whole % size == 0]
    size, unit = max(fitting, default=(1, next(iter(units))))
    return f"{whole // size}{unit}"


def plain_decimal(number: float) -> str:
    """Writes a number without an exponent so that it reads back to the same float."""
    text = format(Decimal(repr(float(number))), "f")
    return text.removesuffix(".0")
