"""Which strategies stand for all in tests that compile a whole program for each: half a minute for the larger ones."""

from collections.abc import Iterable
from typing import Any

import pytest

IN_SHORT = ("cma_es", "evolution", "random")


def in_time(names: Iterable[str]) -> list[Any]:
    """All of them as parameters of a test, most of which `make test-all` alone runs."""
    return [name if name in IN_SHORT else pytest.param(name, marks=pytest.mark.slow) for name in sorted(names)]
