"""A short form of the campaign in experiments/faults/; the long one is a script."""

import json
from pathlib import Path

import pytest

from experiments.faults import kills, nan, out_of_memory, packing, run


def test_others_keep_their_bits_beside_nan():
    assert nan.poison("image", times=1, seed=0)["problems"] == []


def test_slots_neighbours_and_meshes_leave_the_bits_alone():
    compared = packing.repack("image", shuffles=1, seed=0, meshes=(2, 1), large=12)
    assert compared
    assert all(each["identical"] == each["candidates"] for each in compared)


def test_smaller_chunks_leave_the_bits_alone():
    runs = out_of_memory.starve("image", seed=0, largest_chunks=(2, 1))
    assert all(each["identical"] == each["candidates"] for each in runs)


def test_a_case_depends_on_the_seed_and_its_number_alone():
    plans = [kills.plan_of(number, 0, ("image", "text")) for number in range(20)]
    assert plans[7] == kills.plan_of(7, 0, ("image", "text"))
    assert {plan.kind for plan in plans} == {"image", "text"}
    assert {len(plan.shares) for plan in plans} == {1, 2, 3}


@pytest.mark.slow
@pytest.mark.parametrize("words", [["kills", "--kills", "2", "--kinds", "image"], ["disk-full", "--writes", "3"]])
def test_killed_and_starved_runs_go_on(words: list[str], tmp_path: Path):
    assert run.main([*words, "--results", str(tmp_path)]) == 0
    result = json.loads((tmp_path / f"{words[0]}.json").read_text())
    assert result["failures"] == []
