"""What was learnt from similar tasks is carried over into the limits of a new one, and recorded."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl.candidate import TRAINED, Candidate, Score
from metagen_jax.automl.chunks import Member
from metagen_jax.automl.keys import InitialKey
from metagen_jax.automl.meta_learner import NOISE_OF_SAME, MetaLearner
from metagen_jax.automl.pipeline import Prepared, Run, chunk_trainer, prepare
from metagen_jax.automl.prior import read_prior
from metagen_jax.automl.remembering import record_of, task_of
from metagen_jax.automl.start import read_starts
from metagen_jax.automl.transfer import Translator
from metagen_jax.cli import main
from metagen_jax.memory import Measured, Memory, RunRecord
from metagen_jax.spec import load_spec
from metagen_jax.synth.architecture import Blueprint
from tests.runs import ROOT, tiny_command

SPEC = ROOT / "specs" / "image_digits_demo.yaml"
QUALITY = ({"metric": "validation_accuracy", "direction": "maximize"},)


@pytest.fixture(scope="module")
def digits() -> Prepared:
    return prepare(load_spec(SPEC))


@pytest.fixture(scope="module")
def half() -> Prepared:
    budget = load_spec(SPEC).constraints.max_params
    assert budget is not None
    return prepare(load_spec(SPEC, [f"constraints.parameter_budget={budget // 2}"]))


def some(prepared: Prepared, count: int) -> np.ndarray:
    """Genotypes within the limits."""
    rng, space = np.random.default_rng(0), prepared.space
    genotypes = rng.choice(space.feasible_networks(), count, replace=False)
    for column, dimension in enumerate(space.dimensions):
        if dimension.kind == "hyperparameter":
            genotypes[:, column] = rng.integers(0, len(dimension.values), count)
    return genotypes


def record(prepared: Prepared, genotypes: np.ndarray, name: str = "earlier") -> RunRecord:
    """As if these had been trained, the first one with the best result."""
    task, features = task_of(prepared)
    costs = prepared.space.costs_of(genotypes)
    blueprints = prepared.space.blueprints(genotypes)
    return RunRecord(
        name=name,
        date="2026-11-27",
        task=task,
        spec="",
        features=features,
        objectives=QUALITY,
        versions={},
        candidates=tuple(
            Measured(number, blueprint.to_json(), cost, "trained", "", number, ())
            for number, (blueprint, cost) in enumerate(zip(blueprints, costs, strict=True))
        ),
        space={dimension.name: list(dimension.values) for dimension in prepared.space.dimensions},
    )


def remembered(folder: Path, *runs: RunRecord) -> Memory:
    memory = Memory(folder / "memory.sqlite", pytest.fail)
    memory.merge(runs)
    return memory


def translate(run: RunRecord, space: Translator, budget: float | None) -> list[np.ndarray]:
    return [
        space(Blueprint.from_json(each.blueprint), run.space, each.costs["params"], budget) for each in run.candidates
    ]


def test_in_its_own_space_a_candidate_is_what_it_was(digits: Prepared):
    genotypes = some(digits, 40)
    run, budget = record(digits, genotypes), digits.spec.constraints.max_params
    np.testing.assert_array_equal(translate(run, Translator(digits.space), budget), genotypes)


def test_within_half_the_budget_it_takes_the_same_share_of_it(digits: Prepared, half: Prepared):
    genotypes = some(digits, 40)
    run, budget = record(digits, genotypes), digits.spec.constraints.max_params
    carried = np.stack(translate(run, Translator(half.space), budget))
    costs, feasible = half.space.judge(carried)
    assert feasible.all()
    shares = np.array([own["params"] / old.costs["params"] for own, old in zip(costs, run.candidates, strict=True)])
    assert np.abs(np.log(shares / 0.5)).mean() < 0.2
    rates = [d.name for d in half.space.dimensions].index("learning_rate")
    np.testing.assert_array_equal(carried[:, rates], genotypes[:, rates])


def test_another_family_takes_over_what_has_the_same_name(digits: Prepared):
    cnn = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml"))
    run = record(cnn, some(cnn, 20))
    carried = np.stack(translate(run, Translator(digits.space), cnn.spec.constraints.max_params))
    assert digits.space.judge(carried)[1].all()
    depths = [d.name for d in digits.space.dimensions].index("num_layers")
    had = [Blueprint.from_json(each.blueprint).sizes["num_layers"] for each in run.candidates]
    assert np.corrcoef(carried[:, depths], had)[0, 1] > 0.5


def test_another_family_learns_at_a_rate_of_the_same_place_among_its_own(digits: Prepared):
    cnn = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml"))
    run = record(cnn, some(cnn, 20))
    carried = np.stack(translate(run, Translator(digits.space), cnn.spec.constraints.max_params))
    rates = [d.name for d in digits.space.dimensions].index("learning_rate")
    own, theirs = digits.space.dimensions[rates].values, run.space["learning_rate"]
    had = [Blueprint.from_json(each.blueprint).hyperparameters["learning_rate"] for each in run.candidates]
    assert max(own) < max(theirs) and len(set(carried[:, rates])) > 1
    for genotype, rate in zip(carried, had, strict=True):
        place = np.interp(np.log(rate), np.log([theirs[0], theirs[-1]]), np.log([own[0], own[-1]]))
        nearest = np.abs(np.log(own) - place).argmin()
        assert genotype[rates] == nearest


def test_of_other_families_come_one_in_four(digits: Prepared, tmp_path: Path):
    cnn = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml"))
    with remembered(tmp_path, record(cnn, some(cnn, 20), "other")) as memory:
        assert len(MetaLearner(memory).predict_good_starting_point(digits, 8)) == 2
        memory.merge([record(digits, some(digits, 20))])
        starts = MetaLearner(memory).predict_good_starting_point(digits, 8)
    assert len(starts) == 8 and sum(start.name == "other" for start in starts) <= 2


def test_the_best_of_the_most_similar_run_come_first(digits: Prepared, half: Prepared, tmp_path: Path):
    best, of_half = some(digits, 12), some(half, 3)
    with remembered(tmp_path, record(digits, best), record(half, of_half, "half")) as memory:
        starts = MetaLearner(memory).predict_good_starting_point(digits, 6)
    assert len({start.genotype for start in starts}) == 6
    assert starts[0].genotype == tuple(best[0].tolist())
    assert (starts[0].similarity, starts[0].place, starts[0].name) == (1.0, 0, "earlier")
    assert {start.name for start in starts} == {"earlier", "half"}
    assert digits.space.judge(np.array([start.genotype for start in starts]))[1].all()


def test_nothing_comes_from_tasks_that_are_not_similar_or_from_runs_that_were_after_a_cost(
    digits: Prepared, tmp_path: Path
):
    run = record(digits, some(digits, 5))
    unlike = dataclasses.replace(run, name="unlike", task="text -> text", features={"log_classes": 9.0})
    small = dataclasses.replace(run, name="small", objectives=({"metric": "params", "direction": "minimize"},))
    with remembered(tmp_path, unlike, small) as memory:
        assert MetaLearner(memory).predict_good_starting_point(digits, 6) == []


def test_what_was_never_trained_in_the_search_has_no_place(digits: Prepared):
    genotypes = some(digits, 4)
    costs, blueprints = digits.space.costs_of(genotypes), digits.space.blueprints(genotypes)
    candidates = [
        Candidate(number, 1, genotypes[number], blueprints[number], costs[number], TRAINED) for number in range(4)
    ]
    for number, loss in ((1, 0.5), (3, 0.25)):
        candidates[number].scores = [Score(20, {"loss": loss, "accuracy": 1 - loss})]
    trained = [candidates[3], candidates[1]]
    run = Run(Path(), {}, trained, trained[0], candidates, finalists=[], latency=None, complete=True)
    assert [each.place for each in record_of(digits, run, "2026-11-27").candidates] == [None, 1, None, 0]


def test_a_predictor_is_told_how_candidates_of_similar_tasks_ranked(digits: Prepared, tmp_path: Path):
    genotypes = some(digits, 5)
    run = record(digits, genotypes)
    measured = tuple(
        dataclasses.replace(
            each, measurements=({"stage": "prototype", "step": 20, "metrics": {"loss": 1.0 + each.number}},)
        )
        for each in run.candidates[:4]
    )
    of_accuracy = prepare(load_spec(SPEC, ["search.objectives=[{metric: validation_accuracy, direction: maximize}]"]))
    with remembered(tmp_path, dataclasses.replace(run, candidates=(*measured, run.candidates[4]))) as memory:
        prior = MetaLearner(memory).predict_prior(digits)  # validation_loss and params
        assert MetaLearner(memory).predict_prior(of_accuracy) == []  # which was not measured
    assert [known.genotype for known in prior] == [tuple(row.tolist()) for row in genotypes[:4]]
    assert [known.candidate for known in prior] == [0, 1, 2, 3]  # the last one has no loss
    by_loss, by_params = np.array([known.targets for known in prior]).T
    assert (np.diff(by_loss) > 0).all() and abs(by_loss.sum()) < 1e-6
    params = [cost["params"] for cost in digits.space.costs_of(genotypes[:4])]
    assert (np.argsort(by_params) == np.argsort(params)).all()
    assert {known.noise for known in prior} == {NOISE_OF_SAME}  # of a task that is the same
    assert list(read_prior({"prior": [known.to_json() for known in prior]})) == prior


def test_a_run_that_predicts_is_told_what_is_remembered_and_is_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("METAGEN_COLD")
    memory, second = tmp_path / "memory.sqlite", tmp_path / "second"
    predicting = ("--set", "search.strategy=predictor_guided")
    assert run_warm(tmp_path / "first", memory, "--cold") == 0
    assert main(tiny_command("image", second, "--memory", str(memory), *predicting)) == 0
    assert "the predictor knows 6 candidates of" in capsys.readouterr().err
    assert len(json.loads((second / "manifest.json").read_text())["prior"]) == 6
    assert main(["reproduce", str(second), "--quiet", "--workers", "1"]) == 0


def run_warm(out: Path, memory: Path, *more: str) -> int:
    return main(tiny_command("image", out, "--quiet", "--memory", str(memory), *more))


def test_a_run_starts_from_an_earlier_one_and_is_reproduced_while_the_memory_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("METAGEN_COLD")
    memory, first, second = tmp_path / "memory.sqlite", tmp_path / "first", tmp_path / "second"
    seeded = ("--set", "reproducibility.seed=1")
    assert run_warm(first, memory, "--cold") == 0
    assert "starts" not in json.loads((first / "manifest.json").read_text())
    command = tiny_command("image", second, "--memory", str(memory), *seeded)
    assert main(command) == 0
    shown = capsys.readouterr().err
    manifest = json.loads((second / "manifest.json").read_text())
    starts = manifest["starts"]
    assert len(starts) == 1  # half of a round of three
    assert f"starts from {starts[0]['name']} ({starts[0]['run']}), similarity" in shown
    winner, tried = (json.loads((run / "result.json").read_text()) for run in (first, second))
    assert starts[0]["candidate"] == winner["winner"]["number"] or starts[0]["place"] == 0
    assert tried["starts"] == starts
    assert main(["reproduce", str(second), "--quiet", "--workers", "1"]) == 0


def test_what_is_remembered_starts_from_the_weights_that_it_worked_with(digits: Prepared, tmp_path: Path):
    genotypes = some(digits, 2)
    candidates = [
        Candidate(number, 1, *own, TRAINED, scores=[Score(20, {"loss": 1.0 - number, "accuracy": 0.5 * number})])
        for number, own in enumerate(
            zip(genotypes, digits.space.blueprints(genotypes), digits.space.costs_of(genotypes), strict=True)
        )
    ]
    candidates[0].initial_key = InitialKey(seed=3, number=17)  # it was remembered itself
    run = Run(Path(), {}, [], candidates[1], candidates, finalists=[], latency=None, complete=True)
    with remembered(tmp_path, record_of(digits, run, "2026-11-27")) as memory:
        starts = MetaLearner(memory).predict_good_starting_point(digits, 2)
    assert [start.initial_key for start in starts] == [(digits.spec.seed, 1), (3, 17)]
    assert list(read_starts({"starts": [start.to_json() for start in starts]})) == starts
    trainer = chunk_trainer(digits, 1, pytest.fail)
    (again,) = trainer.initial_weights([Member(0, candidates[1].blueprint, starts[0].initial_key)])
    (before,) = trainer.initial_weights([Member(1, candidates[1].blueprint)])
    for path, values in before.items():
        np.testing.assert_array_equal(again[path], values)


def test_a_cold_run_starts_from_nothing(digits: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("METAGEN_COLD")
    remembered(tmp_path, record(digits, some(digits, 5))).__exit__()
    assert run_warm(tmp_path / "cold", tmp_path / "memory.sqlite", "--cold") == 0
    assert "starts" not in json.loads((tmp_path / "cold" / "manifest.json").read_text())
