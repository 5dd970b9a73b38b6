"""A short form of experiments/limits/; its page holds what the stored results say."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.limits import page, run
from experiments.limits.checks import Studied
from experiments.limits.random_specs import KINDS, NETWORKS, PARAMS_MAX, Group, draw_groups, draw_limits
from metagen_jax.errors import InfeasibleError


@pytest.fixture(scope="module")
def group() -> Group:
    return draw_groups(np.random.default_rng(0))[0]


@pytest.fixture(scope="module")
def studied(group: Group, tmp_path_factory: pytest.TempPathFactory) -> Studied:
    return Studied(group, tmp_path_factory.mktemp("limits"))


def test_a_few_random_specs_are_kept(studied: Studied):
    rng, rows = np.random.default_rng(1), []
    for number in range(12):
        limits, keepable = draw_limits(rng, studied.measured)
        rows.append(run.one(studied, limits, keepable, "random", seed=number))
    assert not any(row["wrong"] for row in rows)
    assert {row["outcome"] for row in rows} >= {run.FEASIBLE, run.INFEASIBLE}


def test_a_candidate_that_breaks_a_limit_would_be_found(studied: Studied):
    params = studied.measured[PARAMS_MAX]
    limits = {PARAMS_MAX: float(np.median(params))}
    assert len(studied.broken(studied.genotypes, limits)) == (params > limits[PARAMS_MAX]).sum()


def test_a_message_that_is_wrong_would_be_found(studied: Studied):
    params = studied.measured[PARAMS_MAX]
    limits = {PARAMS_MAX: int(params.min()) - 1}
    with pytest.raises(InfeasibleError) as raised:
        studied.with_limits(limits).feasible_share()
    right, nearest = str(raised.value), f"closest is {int(params.min()):,}"
    assert studied.wrong_in(right, limits) == ([], 1)
    assert studied.wrong_in(right.replace(nearest, f"closest is {int(params.min()) - 1:,}"), limits)[0]
    assert studied.wrong_in(right.replace(nearest, f"closest is {int(params.min()) * 2:,}"), limits)[0]
    assert studied.wrong_in(right, {PARAMS_MAX: int(params.max())})[0]


def test_groups_have_the_sizes_that_they_are_named_after(group: Group):
    sizes = [
        (g.size, np.prod([len(v) for v in g.choices.values() if isinstance(v, list)]))
        for g in draw_groups(np.random.default_rng(0))
    ]
    assert all(0.3 < size / NETWORKS[name] < 6 for name, size in sizes)
    assert set(KINDS) >= set(draw_limits(np.random.default_rng(0), {k: np.ones(3) for k in KINDS})[0])


def test_the_page_has_the_stored_figures():
    result = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert page.table(result) in Path(page.PAGE).read_text(encoding="utf-8")
    assert not result["wrong"]
