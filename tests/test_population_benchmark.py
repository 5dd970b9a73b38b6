"""The peers of the population benchmark train the same, and its page holds what the stored results say. Nothing is timed."""

import dataclasses
import importlib
import json

import numpy as np
import pytest

from tests.runs import ROOT

SMALL = {
    "vit": ("architecture.choices.d_model=[16, 24]", "architecture.choices.num_layers=[1, 2]"),
    "decoder_transformer": (
        "architecture.choices.d_model=[16, 24]",
        "architecture.choices.num_layers=[1, 2]",
        "constraints.context_window=12",
    ),
    "cnn": ("architecture.choices.width=[16, 24]", "architecture.choices.num_layers=[1, 2]"),
}
NUM_STEPS = 3


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """The benchmark's scripts import each other by name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "population")


@pytest.fixture(scope="module")
def drawn():
    """Small sets of two candidates, each family drawn once."""
    sets = {}

    def draw(family):
        if family not in sets:
            candidates = importlib.import_module("candidates")
            sets[family] = candidates.draw(family, 2, NUM_STEPS, ("training.batch_size=8", *SMALL[family]))
        return sets[family]

    return draw


@pytest.fixture
def alone(scripts, drawn):
    """Losses of a family's candidates, each trained alone by JAX."""
    return lambda family: importlib.import_module("per_shape").train(drawn(family), "cpu").losses


@pytest.mark.parametrize("family", ["vit", *(pytest.param(f, marks=pytest.mark.slow) for f in SMALL if f != "vit")])
def test_the_engine_trains_what_jax_trains_alone(family, drawn, alone):
    measured = importlib.import_module("engine").train(drawn(family), "cpu")
    np.testing.assert_allclose(measured.losses, alone(family), rtol=1e-5)
    assert measured.details["compilations_in_a_round_of_others"] == 0


@pytest.mark.parametrize("family", SMALL)
def test_pytorch_trains_the_same_networks(family, drawn, alone):
    pytest.importorskip("torch")
    losses = importlib.import_module("torch_eager").train(drawn(family), "cpu").losses
    np.testing.assert_allclose(losses, alone(family), rtol=1e-4)


@pytest.mark.parametrize("family", SMALL)
def test_a_stack_of_equal_shapes_trains_as_its_members_do(family, drawn):
    pytest.importorskip("torch")
    chosen = drawn(family)
    first = chosen.members[0]
    twin = dataclasses.replace(first, hyperparameters=chosen.members[1].hyperparameters | {"weight_decay": 0.1})
    pair = dataclasses.replace(chosen, members=[first, twin])
    measured = importlib.import_module("torch_ensembles").train(pair, "cpu")
    assert measured.details["largest_group"] == 2
    one_by_one = importlib.import_module("torch_eager").train(pair, "cpu").losses
    np.testing.assert_allclose(measured.losses, one_by_one, rtol=1e-4)


def test_workers_return_the_losses_in_the_order_of_the_candidates(drawn):
    pytest.importorskip("torch")
    losses = importlib.import_module("torch_workers").train(drawn("vit"), "cpu").losses
    one_by_one = importlib.import_module("torch_eager").train(drawn("vit"), "cpu").losses
    np.testing.assert_allclose(losses, one_by_one, rtol=1e-5)


def test_the_page_is_what_the_stored_results_give():
    page = importlib.import_module("page")
    assert page.PAGE.read_text() == page.page(), "stale: run python benchmarks/population/page.py"


def test_a_ratio_says_how_many_times_as_long_as_the_engine_a_peer_takes(tmp_path, monkeypatch):
    run, page = importlib.import_module("run"), importlib.import_module("page")
    details = {"engine": {"compilations_in_a_round_of_others": 0, "compile_s": 1.0}, "torch_eager": {"threads": 1}}
    chosen = {"family": "vit", "spec": "specs/a.yaml", "overrides": [], "candidates": 32, "steps": 200, "shapes": 30}
    chosen |= {"batch": [64, 28, 28, 1], "sizes": {"d_model": [16, 64]}}
    peers = {
        peer: {
            "date": "2026-01-01",
            "machine": {"processor": "a processor", "cores": 2},
            "versions": {"jax": "0.10"},
            "loss_difference_from_per_shape": None,
            "runs": [
                {"members": members, "cold_s": cold, "warm_s": 1.0, "peak_memory_mib": 1.0, "details": details[peer]}
            ],
        }
        for peer, members, cold in (("engine", 32, 10.0), ("torch_eager", 16, 20.0))
    }
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    for peer, measured in peers.items():  # one at a time, as with --only
        run.merge(tmp_path / "cpu.json", "vit", {"set": chosen, "peers": {peer: measured}})
    assert set(json.loads((tmp_path / "cpu.json").read_text())["vit-32"]["peers"]) == set(peers)
    assert "| Vision transformers | cold, (c) PyTorch, one after another | 2 | 3 | 4.00 |" in page.page()
