"""The programs of a process are built once, and not more of them are kept than it can hold."""

from collections.abc import Callable
from typing import Any

import pytest

from metagen_jax.automl import programs
from metagen_jax.automl.programs import Programs
from metagen_jax.population.devices import population_mesh
from metagen_jax.population.plan import ProgramPlan


def planned(name: str) -> ProgramPlan:
    return ProgramPlan((name,), {}, "loop", 1)


class StandIn:
    """A program that is only a name."""

    def __init__(self, structure: str, *settings: Any):
        self.name, self.is_held = structure, True

    def let_go(self) -> None:
        self.is_held = False


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[StandIn]:
    """All programs that were built."""
    own: list[StandIn] = []

    def build(*settings: Any) -> StandIn:
        own.append(StandIn(*settings))
        return own[-1]

    monkeypatch.setattr(programs, "Program", build)
    monkeypatch.setattr(programs, "MOST_PROGRAMS", 2)
    return own


@pytest.fixture
def get(built: list[StandIn]) -> Callable[[str], Any]:
    own = Programs(population_mesh(1), lambda note: None)
    return lambda name: own.get(planned(name), lambda: name)  # type: ignore[arg-type, return-value]


def test_a_program_is_built_once(get: Callable[[str], Any], built: list[StandIn]):
    assert [get(name).name for name in ("a", "b", "a", "b")] == ["a", "b", "a", "b"]
    assert [program.name for program in built] == ["a", "b"]


def test_the_one_that_was_not_used_for_longest_is_let_go_of(get: Callable[[str], Any], built: list[StandIn]):
    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert [program.name for program in built] == ["a", "b", "c", "b"]
    assert [program.is_held for program in built] == [True, False, False, True]


def test_what_was_let_go_of_is_compiled_again(built: list[StandIn]):
    own, compiled = Programs(population_mesh(1), lambda note: None), list[Any]()
    for name in ("a", "b", "c", "a"):
        own.begin(planned(name), lambda: name, compiled.append)  # type: ignore[arg-type, return-value]  # noqa: B023
        own.wait(planned(name))
    assert [program.name for program in compiled] == ["a", "b", "c", "a"]
