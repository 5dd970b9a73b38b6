"""Proxies that choose what is trained: as far as they were seen to rank, and no further."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np
import pytest

from metagen_jax.automl.candidate import TRAINED, Candidate, Score
from metagen_jax.automl.keys import keys_of
from metagen_jax.automl.pipeline import Prepared, prepare
from metagen_jax.automl.progress import Silent
from metagen_jax.automl.proxies import ZeroCost, most_promising
from metagen_jax.automl.refiner import ArchitectureRefiner, SearchResult
from metagen_jax.automl.rungs import Schedule
from metagen_jax.automl.search_engine import ArchitectureSearchEngine
from metagen_jax.spec import Objective, load_spec
from metagen_jax.synth.architecture import Blueprint
from tests.runs import ROOT

LOSS = (Objective("validation_loss", "minimize"),)


class Judged:
    """Stands where prototypes are trained: the loss is a function of the candidate."""

    def __init__(self, loss):
        self.loss = loss

    def train_prototypes(self, candidates: list[Candidate], length: Schedule, record, promote) -> None:
        for candidate in candidates:
            candidate.status, candidate.scores = TRAINED, [Score(length.steps, {"loss": self.loss(candidate)})]


def by_size(candidate: Candidate) -> float:
    return 20.0 - math.log(candidate.costs["params"])


def by_nothing(candidate: Candidate) -> float:
    return 1.0


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(load_spec(ROOT / "specs" / "image_digits_demo.yaml", ["search.strategy=random"]))


def search(prepared: Prepared, loss=by_size, read=None, recall=lambda candidate: False, **settings) -> SearchResult:
    given = {"budget": 24, "rounds": 4, "objectives": LOSS, "proxies": ("params", "flops")} | settings
    changed = dataclasses.replace(prepared.spec.search, **given)
    engine = ArchitectureSearchEngine(prepared.space, changed, jax.random.key(0), Silent(), zero_cost=read)
    return ArchitectureRefiner(engine, changed, Judged(loss), Silent()).run(recall=recall)


def genotypes(result: SearchResult) -> list[tuple[int, ...]]:
    return [tuple(candidate.genotype) for candidate in result.candidates]


@pytest.fixture(scope="module")
def plain(prepared: Prepared) -> SearchResult:
    return search(prepared)


@pytest.fixture(scope="module")
def chosen(prepared: Prepared) -> SearchResult:
    return search(prepared, oversampling=4)


def test_once_a_proxy_ranks_it_chooses_from_more_proposals(plain: SearchResult, chosen: SearchResult):
    assert genotypes(chosen)[:6] == genotypes(plain)[:6]
    assert chosen.history is not None
    assert [each.considered for each in chosen.history.rounds] == [6, 24, 24, 24]
    assert len(set(genotypes(chosen))) == len(chosen.candidates) == 24
    assert [candidate.number for candidate in chosen.candidates] == list(range(24))

    def sizes(result: SearchResult) -> list[float]:
        return [candidate.costs["params"] for candidate in result.candidates[6:]]

    assert min(sizes(chosen)) > np.median(sizes(plain))


def test_each_round_says_with_which_weights_it_was_chosen(chosen: SearchResult):
    assert chosen.history is not None
    first, *rest = chosen.history.rounds
    assert not first.weights
    for before, each in zip(chosen.history.rounds, rest, strict=False):
        for name, (rho, low) in before.proxies.items():
            assert each.weights[name] == (rho if low > 0 else 0.0)
    assert rest[0].weights["params"] == pytest.approx(1.0)
    header, _, second, *_ = chosen.history.table().splitlines()
    assert header.split()[10:] == ["considered", "params", "above", "weight", "flops", "above", "weight"]
    assert second.split()[10:12] == ["24", "1.00"]
    written = chosen.history.to_json()[1]
    assert (written["considered"], written["weights"]["params"]) == (24, rest[0].weights["params"])


def test_without_the_option_nothing_of_it_is_written(plain: SearchResult):
    assert plain.history is not None
    assert "considered" not in plain.history.table()
    assert not {"considered", "weights"} & set(plain.history.to_json()[1])


def test_proxies_that_rank_nothing_change_nothing(prepared: Prepared):
    assert genotypes(search(prepared, by_nothing, oversampling=4)) == genotypes(search(prepared, by_nothing))


def test_a_proxy_that_ranks_the_wrong_way_round_changes_nothing(prepared: Prepared):
    def smaller_is_better(candidate: Candidate) -> float:
        return math.log(candidate.costs["params"]) + 1e-3 * math.log(candidate.costs["flops"])

    with_it = search(prepared, smaller_is_better, oversampling=4, proxies=("params",))
    assert genotypes(with_it) == genotypes(search(prepared, smaller_is_better))


@pytest.mark.parametrize("strategy", ["evolution", "predictor_guided"])
def test_a_search_gone_through_again_chooses_the_same(prepared: Prepared, strategy: str):
    whole = search(prepared, oversampling=3, strategy=strategy)
    known = {candidate.number: candidate for candidate in whole.candidates[:14]}  # interrupted in the third round

    def recall(candidate: Candidate) -> bool:
        if candidate.number not in known:
            return False
        assert (known[candidate.number].genotype == candidate.genotype).all()
        candidate.status, candidate.scores = TRAINED, known[candidate.number].scores
        return True

    again = search(prepared, recall=recall, oversampling=3, strategy=strategy)
    assert genotypes(again) == genotypes(whole)
    assert again.history is not None and whole.history is not None
    assert again.history.to_json() == whole.history.to_json()


def test_zero_cost_scores_are_read_of_what_is_trained_and_of_more_only_once_they_choose(prepared: Prepared):
    asked: list[tuple[str, int]] = []

    def read(candidates: Sequence[Candidate], names: Sequence[str]) -> None:
        for name in names:
            asked.append((name, len(candidates)))
            for candidate in candidates:
                candidate.guesses[name] = by_size(candidate) * (-1 if name == "synflow" else 0)

    found = search(prepared, read=read, oversampling=2, rounds=2, budget=12, proxies=("synflow", "grad_norm"))
    assert asked == [("synflow", 6), ("grad_norm", 6), ("synflow", 12), ("synflow", 6), ("grad_norm", 6)]
    assert found.history is not None
    assert found.history.rounds[-1].weights == {"synflow": 1.0, "grad_norm": 0.0}
    with pytest.raises(ValueError, match="synflow: pass zero_cost"):
        search(prepared, proxies=("synflow",))


def proposed(number: int, **costs: float) -> Candidate:
    return Candidate(number, 2, np.zeros(1), Blueprint("vit", {}, {}, {}), costs)


def test_the_choice_follows_the_candidates_in_whatever_order_they_come():
    params, flops = (np.random.default_rng(seed).permutation(20).astype(float) for seed in (0, 1))
    pool = [proposed(i, params=params[i], flops=flops[i]) for i in range(20)]
    order = np.random.default_rng(2).permutation(20)
    weights = {"params": 0.3, "flops": 0.7}
    first = {pool[i].number for i in most_promising(pool, weights, LOSS, 7)}
    shuffled = [pool[i] for i in order]
    assert first == {shuffled[i].number for i in most_promising(shuffled, weights, LOSS, 7)}
    assert first == set(np.argsort(-(0.3 * params + 0.7 * flops))[:7].tolist())


def test_what_a_proxy_says_nothing_of_comes_last():
    pool = [proposed(0, params=math.nan), proposed(1, params=1.0), proposed(2, params=2.0)]
    assert most_promising(pool, {"params": 1.0}, LOSS, 2) == [1, 2]


CNN = (
    "architecture.choices.width=[8, 12, 16]",
    "architecture.choices.num_layers=[1, 2]",
    "architecture.choices.hidden=[8, 16]",
    "architecture.choices.stride=2",
    "architecture.choices.norm=rms",
    "architecture.choices.activation=relu",
    "training.batch_size=8",
)


def test_untrained_networks_are_read_alike_alone_and_among_others():
    own = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml", CNN))
    run_key, _ = keys_of(own.spec)

    def candidates() -> list[Candidate]:
        engine = ArchitectureSearchEngine(own.space, own.spec.search, jax.random.key(0), Silent())
        return engine.propose(3).candidates

    def reader(notes: list[str]) -> ZeroCost:
        return ZeroCost(own.prototypes, own.dataset, run_key, notes.append)

    notes: list[str] = []
    together, read = candidates(), reader(notes)
    read(together, ("synflow", "grad_norm"))
    assert not notes and len({candidate.guesses["synflow"] for candidate in together}) > 1
    alone = candidates()[-1]
    alone.number += 10  # does not count
    reader(notes)([alone], ("grad_norm", "synflow"))
    assert alone.guesses == together[-1].guesses


def test_a_structure_that_cannot_be_read_is_noted_and_says_nothing(monkeypatch: pytest.MonkeyPatch):
    own = prepare(load_spec(ROOT / "specs" / "image_digits_cnn.yaml", CNN))
    notes: list[str] = []
    read = ZeroCost(own.prototypes, own.dataset, keys_of(own.spec)[0], notes.append)
    engine = ArchitectureSearchEngine(own.space, own.spec.search, jax.random.key(0), Silent())
    (candidate,) = engine.propose(1).candidates
    structure, _ = read._programs(own.space.structure_key(candidate.prototype))
    monkeypatch.delattr(structure.module, "loss_fn")
    read([candidate], ("grad_norm",))
    assert math.isnan(candidate.guesses["grad_norm"])
    assert notes and notes[0].startswith("grad_norm of ")
