"""The search of a run, with candidates that are judged by a formula instead of being trained."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from metagen_jax.automl.candidate import FAILED, TRAINED, Candidate, Score
from metagen_jax.automl.keys import InitialKey
from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.automl.progress import Silent
from metagen_jax.automl.refiner import ArchitectureRefiner, SearchResult
from metagen_jax.automl.rungs import Schedule
from metagen_jax.automl.search_engine import ArchitectureSearchEngine
from metagen_jax.search import STRATEGIES
from metagen_jax.spec import load_spec
from metagen_jax.spec.schema import STRATEGIES as STRATEGY_WORDS
from tests.runs import ROOT
from tests.short import STRATEGIES as SHORT
from tests.short import in_short


class JudgedBySize:
    """Stands where prototypes are trained: larger networks have lower losses, and every fifth one fails."""

    def train_prototypes(self, candidates: list[Candidate], length: Schedule, record, promote) -> None:
        for candidate in candidates:
            candidate.status = FAILED if candidate.number % 5 == 3 else TRAINED
            loss = 20.0 - math.log(candidate.costs["params"])
            candidate.scores = [Score(length.steps, {"loss": loss})] if candidate.status == TRAINED else []


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(load_spec(ROOT / "specs" / "image_digits_demo.yaml"))


def search(prepared: Prepared, **settings) -> SearchResult:
    changed = dataclasses.replace(prepared.spec.search, **({"budget": 7, "rounds": 3} | settings))
    engine = ArchitectureSearchEngine(prepared.space, changed, jax.random.key(0), Silent())
    return ArchitectureRefiner(engine, changed, JudgedBySize(), Silent()).run()


def test_the_spec_knows_every_strategy_by_name():
    assert sorted(STRATEGY_WORDS) == sorted(STRATEGIES)


@pytest.mark.parametrize("strategy", in_short(sorted(STRATEGIES), SHORT))
def test_every_strategy_spends_the_budget_on_different_candidates_within_the_limits(prepared: Prepared, strategy: str):
    candidates = search(prepared, strategy=strategy).candidates
    assert len({tuple(candidate.genotype) for candidate in candidates}) == len(candidates) == 7
    assert (np.asarray(prepared.space.violation(np.stack([c.genotype for c in candidates]))) <= 0).all()
    assert [c.round for c in candidates] == [1, 1, 1, 2, 2, 2, 3]


def test_what_it_starts_from_keeps_the_key_of_its_initial_weights(prepared: Prepared):
    first, second = (tuple(each.tolist()) for each in prepared.space.feasible_networks()[[5, 9]])
    starts = {first: InitialKey(3, 17), second: None}
    engine = ArchitectureSearchEngine(prepared.space, prepared.spec.search, jax.random.key(0), Silent(), starts=starts)
    candidates = engine.propose(left=4).candidates
    assert [tuple(candidate.genotype.tolist()) for candidate in candidates[:2]] == [first, second]
    assert [candidate.initial_key for candidate in candidates] == [InitialKey(3, 17), None, None, None]


def test_a_proxy_that_ranks_well_is_found_to_do_so(prepared: Prepared):
    result = search(prepared, strategy="random", proxy="params")
    assert result.proxy is not None
    assert result.proxy["rank_correlation"] == pytest.approx(1.0) and result.proxy["trusted"]
    assert search(prepared, strategy="random").proxy is None


@pytest.mark.parametrize("proxy", ["none", "params"])
def test_candidates_that_had_to_be_repaired_are_counted(prepared: Prepared, proxy: str):
    smallest = prepared.space._survey.genotypes[:1]
    params = prepared.space.costs_of(smallest)[0]["params"]
    tight = prepare(load_spec(ROOT / "specs" / "image_digits_demo.yaml", [f"constraints.parameter_budget={params}"]))
    result = search(tight, strategy="aging_evolution", proxy=proxy)  # what is bred is repaired, not drawn anew
    assert {candidate.costs["params"] for candidate in result.candidates} == {params}  # one network in 2,400
    assert 0 < result.num_repaired <= 7
    assert result.num_infeasible == 0
    assert search(prepared, strategy="random").num_repaired == 0


def test_the_history_says_what_each_round_brought(prepared: Prepared):
    result = search(prepared, strategy="evolution")
    assert result.history is not None
    rounds = result.history.rounds
    assert [(each.proposed, each.trained, each.failed) for each in rounds] == [(3, 3, 0), (3, 2, 1), (1, 1, 0)]
    assert sum(each.steps for each in rounds) == 6 * prepared.spec.search.prototype_steps
    assert [each.volume for each in rounds] == sorted(each.volume for each in rounds)
    best = min(20.0 - math.log(c.costs["params"]) for c in result.candidates if c.status == TRAINED)
    assert rounds[-1].best == pytest.approx(best)
    assert rounds[-1].proxies["params"][0] == pytest.approx(1.0)
    assert len(result.history.table().splitlines()) == 4


class NothingGetsBetter(JudgedBySize):
    def train_prototypes(self, candidates: list[Candidate], length: Schedule, record, promote) -> None:
        for candidate in candidates:
            candidate.status, candidate.scores = TRAINED, [Score(length.steps, {"loss": 1.0 + candidate.round})]


def test_patience_ends_a_search_that_gains_nothing(prepared: Prepared):
    settings = dataclasses.replace(
        prepared.spec.search, budget=20, rounds=10, objectives=prepared.spec.search.objectives[:1], strategy="random"
    )

    def rounds(patience: int | None) -> tuple[int, str]:
        changed = dataclasses.replace(settings, patience=patience)
        engine = ArchitectureSearchEngine(prepared.space, changed, jax.random.key(0), Silent())
        result = ArchitectureRefiner(engine, changed, NothingGetsBetter(), Silent()).run()
        return len(result.candidates), result.stopped

    assert rounds(1) == (4, "nothing gained in the last 1 of the rounds")  # the first round has brought what there is
    assert rounds(8) == (18, "nothing gained in the last 8 of the rounds")
    assert rounds(None) == (20, "")
