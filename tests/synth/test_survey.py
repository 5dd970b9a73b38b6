"""Slivers of large spaces are found; where there is nothing, the limits that exclude each other are named."""

import re
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl.pipeline import prepare
from metagen_jax.errors import InfeasibleError
from metagen_jax.spec import load_spec
from metagen_jax.synth.conflicts import smallest_conflicts
from metagen_jax.synth.space import SearchSpace
from metagen_jax.synth.survey import MOST_ENUMERATED, networks
from tests.runs import ROOT

TEXT = (ROOT / "specs" / "image_digits_demo.yaml").read_text(encoding="utf-8")
FEW = "{patch_size: 2, d_model: [16, 32, 48], num_layers: [1, 3], num_heads: [1, 3], head_dim: [8, 16], d_ff: [32, 96]}"
LENGTHS = list(range(8, 72, 2))
MANY = f"{{patch_size: 2, d_model: {LENGTHS}, num_layers: {list(range(1, 17))}, num_heads: {list(range(1, 9))}, head_dim: {LENGTHS}, d_ff: {LENGTHS}}}"


def write(folder: Path, choices: str, *limits: str) -> Path:
    """A spec with each limit on a line of its own."""
    lines = "".join(f"  {limit}\n" for limit in limits)
    text = TEXT.replace("  parameter_budget: {max: 60k}\n", lines)
    text = re.sub(r"  choices:\n(    .*\n)+", f"  choices: {choices}\n", text)
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def space_of(folder: Path, choices: str, *limits: str) -> SearchSpace:
    return prepare(load_spec(write(folder, choices, *limits))).space


@pytest.fixture(scope="module")
def sliver(tmp_path_factory: pytest.TempPathFactory) -> SearchSpace:
    """24 networks of four million are as small as this; the smallest has 648 parameters."""
    return space_of(tmp_path_factory.mktemp("sliver"), MANY, "parameter_budget: {max: 900}")


def test_a_sliver_of_a_large_space_is_found(sliver: SearchSpace):
    space = networks(sliver)
    assert space.size > MOST_ENUMERATED
    drawn = np.random.default_rng(5).integers(0, space.counts, size=(20_000, len(space.counts)), dtype=np.int32)
    assert not sliver.judge(drawn)[1].any()
    share, counted = sliver.feasible_share()
    found = sliver.feasible_networks()
    assert not counted
    assert 0 < share < 1e-4
    assert len(found) > 12
    assert sliver.judge(found)[1].all()


def test_what_is_said_of_a_sliver_is_within_the_limits(sliver: SearchSpace):
    (costs,), kept = sliver.judge(sliver.largest_feasible()[None])
    assert kept.all()
    assert costs["params"] == sliver.most_params <= 900
    found = sliver.feasible_networks()
    for column, dimension in enumerate(sliver.dimensions):
        if dimension.name in sliver.allocated:
            assert sliver.allocated[dimension.name] >= dimension.values[found[:, column].max()]
    assert sliver.allocated["num_layers"] < 16


CONFLICTS = {  # limits, and the groups that exclude each other
    "one": (["parameter_budget: {max: 50}"], [["parameter_budget.max"]]),
    "one of four": (
        ["inference_memory: 1GB", "parameter_budget: {min: 25k, max: 60k}", "latency: 5us"],
        [["latency"]],
    ),
    "a pair": (
        ["memory_budget: 2GB", "parameter_budget: {min: 30000}", "inference_memory: 130kB"],
        [["inference_memory", "parameter_budget.min"]],
    ),
    "two groups": (["throughput: 10M/s", "parameter_budget: {max: 50}"], [["parameter_budget.max"], ["throughput"]]),
}


@pytest.mark.parametrize(
    ("case", "choices"), [*((case, FEW) for case in CONFLICTS), ("two groups", MANY)], ids=[*CONFLICTS, "large"]
)
def test_the_smallest_groups_of_limits_that_conflict_are_named_with_their_lines(
    case: str, choices: str, tmp_path: Path
):
    limits, groups = CONFLICTS[case]
    with pytest.raises(InfeasibleError) as raised:
        space_of(tmp_path, choices, *limits)
    written = (tmp_path / "spec.yaml").read_text().splitlines()
    named: list[list[str]] = []
    for line in str(raised.value).splitlines()[1:-1]:
        if line.endswith(":"):
            named.append([])
            continue
        number, kind = re.search(r"spec\.yaml:(\d+), constraints\.([\w.]+): ", line).groups()
        named[-1].append(kind)
        assert kind.split(".")[0] in written[int(number) - 1]
    assert [sorted(group) for group in named] == groups


NEAREST = {
    "parameters": (["parameter_budget: {max: 50}"], "parameter_budget: {max: @}", r"([\d,]+) parameters"),
    "memory": (["inference_memory: 4kB"], "inference_memory: @MB", r"([\d.]+) MB"),
    "latency": (["latency: 1us"], "latency: @ms", r"([\d.]+) ms"),
    "throughput": (["throughput: 10M/s"], "throughput: @/s", r"([\d,.]+) a second"),
}


@pytest.mark.parametrize(
    ("kind", "choices"),
    [*((kind, FEW) for kind in NEAREST), pytest.param("parameters", MANY, marks=pytest.mark.slow)],
    ids=[*NEAREST, "large"],
)
def test_the_nearest_value_named_works_when_it_is_put_into_the_spec(kind: str, choices: str, tmp_path: Path):
    limits, instead, pattern = NEAREST[kind]
    with pytest.raises(InfeasibleError) as raised:
        space_of(tmp_path, choices, *limits)
    value = re.search(f"the closest is {pattern}", str(raised.value)).group(1).replace(",", "")
    share, _ = space_of(tmp_path, choices, instead.replace("@", value)).feasible_share()
    assert 0 < share < 0.2


def test_conflicts_are_minimal_and_all_are_found():
    keeps = [{0, 1, 2}, {0, 1, 3}, {2, 3}]  # the limits that each of three networks keeps
    groups = [sorted(group) for group in smallest_conflicts(4, lambda group: any(group <= own for own in keeps))]
    assert groups == [[0, 2, 3], [1, 2, 3]]
    assert not list(smallest_conflicts(3, lambda group: True))
