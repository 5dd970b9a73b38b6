"""The plan: a pure function that trades padding against compilations."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl.pipeline import prepare
from metagen_jax.errors import RunError
from metagen_jax.population.coefficients import Coefficients, Sample, coefficients, fit, to_keep
from metagen_jax.population.modes import LOOP, VMAP
from metagen_jax.population.plan import StructureFacts, Workload, make_plan, read_plan
from metagen_jax.spec import load_spec
from metagen_jax.synth import machine

SPECS = Path(__file__).parents[2] / "specs"
FREE = Coefficients(step_s=0, candidate_s=0, flop_s=1e-11, byte_s=0, compile_s=1e-6, compile_leaf_s=0)
DEAR = dataclasses.replace(FREE, compile_s=1e6)
WORK = Workload(budget=32, rounds=4, steps=100)


@pytest.fixture(scope="module")
def facts() -> StructureFacts:
    space = prepare(load_spec(SPECS / "image_vit_classification.yaml")).space
    key, model = next(iter(space.cost_models.items()))
    genotypes = np.random.default_rng(1).permutation(space.feasible_networks())[:50]
    blueprints = [space.blueprint(genotype) for genotype in genotypes]
    sample = {axis: np.array([blueprint.sizes[axis] for blueprint in blueprints]) for axis in space.allocated}
    return StructureFacts(key, model, sample, space.allocated, share=1.0)


def _networks(facts: StructureFacts) -> list[dict[str, int]]:
    rows = zip(*facts.sample.values(), strict=True)
    return [dict(zip(facts.sample, map(int, row), strict=True)) for row in rows]


def test_dear_compilations_give_one_program_and_cheap_ones_less_padding(facts: StructureFacts):
    few, many = (make_plan([facts], WORK, {LOOP: c}, "cpu", 2) for c in (DEAR, FREE))
    assert len(few.programs) == 1
    assert dict(few.programs[0].allocated) == dict(facts.allocated)
    assert len(many.programs) > 3
    assert few.padding_efficiency < many.padding_efficiency <= 1.0
    assert many.run_s < few.run_s
    assert sum(program.candidates for program in many.programs) == pytest.approx(WORK.budget, abs=0.5)


def test_each_network_goes_to_the_cheapest_program_that_holds_it(facts: StructureFacts):
    plan = make_plan([facts], WORK, {LOOP: FREE}, "cpu", 2)
    for sizes in _networks(facts):
        chosen = plan.choose(facts.key, sizes)
        holding = [program for program in plan.programs if program.holds(facts.key, sizes)]
        cost = [float(facts.work({a: np.array([n]) for a, n in p.allocated.items()})[0][0]) for p in holding]
        assert chosen == holding[int(np.argmin(cost))]


@pytest.mark.parametrize("mode", [LOOP, VMAP])
def test_absent_layers_are_not_paid_for(facts: StructureFacts, mode: str):
    (program,) = make_plan([facts], WORK, {mode: DEAR}, "cpu", 2).programs
    shallow = {
        axis: np.minimum(lengths, 1) if axis in facts.layer_axes else lengths for axis, lengths in facts.sample.items()
    }
    one_deep = dataclasses.replace(facts, sample=shallow)
    (shorter,) = make_plan([one_deep], WORK, {mode: DEAR}, "cpu", 2).programs
    assert shorter.run_s < 0.6 * program.run_s


def test_the_faster_mode_is_taken(facts: StructureFacts):
    slow = dataclasses.replace(FREE, flop_s=1e-8)
    for fast in (LOOP, VMAP):
        modes = {mode: FREE if mode == fast else slow for mode in (LOOP, VMAP)}
        assert {program.mode for program in make_plan([facts], WORK, modes, "cpu", 2).programs} == {fast}


def test_the_same_arguments_make_the_same_plan_and_json_keeps_it(facts: StructureFacts):
    first, again = (make_plan([facts], WORK, coefficients("cpu"), "cpu", 2) for _ in range(2))
    assert first == again
    assert read_plan(json.loads(json.dumps(first.to_json()))) == first


def test_a_network_that_no_program_holds_is_named(facts: StructureFacts):
    plan = make_plan([facts], WORK, {LOOP: DEAR}, "cpu", 2)
    larger = {axis: length + 1 for axis, length in facts.allocated.items()}
    with pytest.raises(RunError, match=rf"no program .* {next(iter(larger))} {next(iter(larger.values()))}"):
        plan.choose(facts.key, larger)


@pytest.mark.parametrize("content", [None, [], {}, {"schema_version": 0}, {"schema_version": 1, "programs": [{}]}])
def test_what_is_no_plan_is_refused(content: object):
    with pytest.raises(ValueError):
        read_plan(content)


def test_fit_finds_the_coefficients_that_made_the_samples():
    true = Coefficients(2e-3, 1e-3, 2e-11, 1e-10, 3.0, 0.05)
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(20):
        width, flops, memory, leaves = int(rng.integers(1, 9)), *10 ** rng.uniform(6, 9, 2), int(rng.integers(5, 60))
        step_s = true.step_s + width * float(true.candidate_step_s(flops, memory))
        samples.append(Sample(width, flops, memory, leaves, step_s, true.compilation_s(leaves)))
    found = fit(samples)
    for field in dataclasses.fields(true):
        assert getattr(found, field.name) == pytest.approx(getattr(true, field.name), rel=1e-6)


def test_the_users_own_coefficients_come_first(tmp_path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "own" / "coefficients.json"
    monkeypatch.setattr(machine, "user_file", lambda: file)
    shipped = coefficients("cpu")
    machine.keep(file, "gpu", to_keep({VMAP: FREE}, "a test"))
    assert coefficients("gpu") == {VMAP: FREE}
    assert coefficients("cpu") == shipped
    machine.keep(file, "cpu", to_keep({LOOP: DEAR}, "a test"))
    assert coefficients("cpu") == {LOOP: DEAR}
    assert coefficients("gpu") == {VMAP: FREE}
