"""A search starts from what ships where the machine remembers nothing that is more similar."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from metagen_jax import api
from metagen_jax.automl.pipeline import Options, Prepared, prepare
from metagen_jax.automl.start import MEMORY, PORTFOLIO, Start
from metagen_jax.automl.transfer import Translator
from metagen_jax.cli import main
from metagen_jax.memory import Entry, Memory, RunRecord, read_portfolio
from metagen_jax.spec import load_spec
from metagen_jax.synth.architecture import Blueprint
from tests.runs import ROOT, tiny_command
from tests.short import in_short

DIGITS = "image_digits_demo"


def prepared_of(name: str) -> Prepared:
    return prepare(load_spec(ROOT / "specs" / f"{name}.yaml"))


@pytest.fixture(scope="module")
def digits() -> Prepared:
    return prepared_of(DIGITS)


def starts(prepared: Prepared, folder: Path, memory: Path | None = None, given=None, **options) -> tuple[Start, ...]:
    return api.starts_of(prepared, Options(out=folder / "run", **options), given, memory, pytest.fail)


def ship(monkeypatch: pytest.MonkeyPatch, change: Callable[[Entry], Entry]) -> None:
    """Has the package ship other entries."""
    monkeypatch.setattr(api, "read_portfolio", lambda: [change(entry) for entry in read_portfolio()])


def similar(run: RunRecord, steps: float) -> RunRecord:
    """As if the examples of its task had been more, by so many steps of similarity."""
    return dataclasses.replace(run, features={**run.features, "log_classes": run.features["log_classes"] + steps})


@pytest.mark.parametrize("name", in_short([entry.run.name for entry in read_portfolio()], (DIGITS,)))
def test_every_candidate_that_ships_is_what_it_was_in_the_space_of_its_spec(name: str, digits: Prepared):
    prepared = digits if name == DIGITS else prepared_of(name)
    (entry,) = (each for each in read_portfolio() if each.run.name == name)
    translate, budget = Translator(prepared.space), prepared.spec.constraints.max_params
    for candidate in entry.run.candidates:
        blueprint = Blueprint.from_json(candidate.blueprint)
        genotype = translate(blueprint, entry.run.space, candidate.costs["params"], budget)
        assert prepared.space.blueprint(genotype) == blueprint
        costs, feasible = prepared.space.judge(genotype[None])
        assert feasible.all() and costs[0]["params"] == candidate.costs["params"]
    assert api.starts_of(prepared, Options(out=Path("nowhere")), None, None, pytest.fail)


def test_without_a_memory_half_of_the_first_round_comes_from_the_portfolio(digits: Prepared, tmp_path: Path):
    found = starts(digits, tmp_path)
    (entry,) = (each for each in read_portfolio() if each.run.name == DIGITS)
    assert [(start.source, start.run, start.candidate) for start in found] == [
        (PORTFOLIO, entry.run.id, number)
        for number in range(2)  # of a round of four
    ]
    assert found[0].similarity == 1.0
    assert starts(digits, tmp_path, tmp_path / "empty.sqlite") == found


def test_nothing_is_taken_where_a_search_is_to_be_cold_or_there_is_none(digits: Prepared, tmp_path: Path):
    assert starts(digits, tmp_path, given=()) == ()
    assert starts(digits, tmp_path, search=False) == starts(digits, tmp_path, train_prototypes=False) == ()


def test_an_unlike_task_and_another_family_get_nothing(
    digits: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ship(monkeypatch, lambda entry: dataclasses.replace(entry, run=dataclasses.replace(entry.run, task="text -> text")))
    assert starts(digits, tmp_path) == ()
    ship(monkeypatch, lambda entry: dataclasses.replace(entry, family="cnn"))
    assert starts(digits, tmp_path) == ()


def test_a_run_of_this_machine_comes_first_unless_what_ships_is_far_more_similar(digits: Prepared, tmp_path: Path):
    (entry,) = (each for each in read_portfolio() if each.run.name == DIGITS)
    near, far = (
        dataclasses.replace(similar(entry.run, steps), name=name) for name, steps in (("near", 1.0), ("far", 2.0))
    )
    one = dataclasses.replace(near, candidates=near.candidates[1:2])
    sources = []
    for number, runs in enumerate(([near], [one], [dataclasses.replace(far, task="text -> label")])):
        with Memory(tmp_path / f"{number}.sqlite", pytest.fail) as memory:
            memory.merge(runs)
        sources.append([start.source for start in starts(digits, tmp_path, memory.path)])
    assert sources == [[MEMORY, MEMORY], [MEMORY, PORTFOLIO], [PORTFOLIO, PORTFOLIO]]


def test_a_memory_that_cannot_be_used_is_a_note_and_the_portfolio_is_there(digits: Prepared, tmp_path: Path):
    (tmp_path / "file").touch()
    notes: list[str] = []
    found = api.starts_of(
        digits, Options(out=tmp_path / "run"), None, tmp_path / "file" / "memory.sqlite", notes.append
    )
    assert [start.source for start in found] == [PORTFOLIO, PORTFOLIO]
    assert len(notes) == 1 and "cannot be used as a memory" in notes[0]


def test_a_run_starts_from_the_portfolio_and_is_reproduced_when_another_one_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("METAGEN_COLD")
    run = tmp_path / "run"
    assert main(tiny_command("image", run, "--no-memory")) == 0
    manifest = json.loads((run / "manifest.json").read_text())
    (start,) = manifest["starts"]  # half of a round of three
    assert (start["source"], start["name"]) == (PORTFOLIO, DIGITS)
    assert f"shipped  starts from {DIGITS} ({start['run']}) of the portfolio, similarity" in capsys.readouterr().err
    result = json.loads((run / "result.json").read_text())
    assert [each["starts"] for each in result["rounds"]] == [1, 0]
    monkeypatch.setattr(api, "read_portfolio", lambda: pytest.fail("what ships now says what an old run started from"))
    assert main(["reproduce", str(run), "--quiet", "--workers", "1"]) == 0


def test_an_interrupted_run_keeps_its_starts_and_says_so_where_others_are_asked_for(
    digits: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    begun_with = starts(digits, tmp_path)
    origin = {"starts": [start.to_json() for start in begun_with]}
    monkeypatch.setattr(api.RunFolder, "unfinished_origin", lambda folder: origin)
    notes: list[str] = []
    asked = ((), notes.append), (begun_with, pytest.fail), (None, pytest.fail)  # cold, the same, whatever there is
    for given, note in asked:
        assert api.starts_of(digits, Options(out=tmp_path / "run"), given, None, note) == begun_with
    assert "--fresh" in notes[0] and len(notes) == 1
    assert api.starts_of(digits, Options(out=tmp_path / "run", fresh=True), (), None, pytest.fail) == ()
