"""Latency is predicted by a function that is fitted to measured networks, and a limit leaves room for its error."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from metagen_jax.automl.pipeline import prepare
from metagen_jax.spec import load_spec
from metagen_jax.synth.build import program_of
from metagen_jax.synth.costs import Effort, Predictor, effort_of
from metagen_jax.synth.costs.latency import fit, from_table, predictor_of
from metagen_jax.synth.limits import limits_of, longest_ms
from tests.runs import ROOT

DEMO = ROOT / "specs" / "image_digits_demo.yaml"
SCALE = {
    "calls": 0,
    "products": 1,
    "stored_bytes": 5,
    "cold_bytes": 5,
    "tiled_flops": 6,
}  # powers of ten
SECONDS = {"calls": 1e-5, "products": 1e-6, "tiled_flops": 5e-12, "stored_bytes": 6e-11, "cold_bytes": 5e-11}
SECONDS |= {"packed_values": 1e-9, "produced": 4e-10, "left_values": 9e-11, "batch_left_values": 9e-10}
SECONDS |= {"paired_sums": 3e-9, "left_over": 7e-10}


def efforts(count: int, seed: int = 0) -> list[Effort]:
    random = np.random.default_rng(seed)
    terms = {name: 10 ** (SCALE.get(name, 4) + random.uniform(0, 2, count)) for name in Effort._fields}
    terms["calls"] = np.ones(count)
    return [Effort(*row) for row in zip(*terms.values(), strict=True)]


def known_ms(effort: Effort) -> float:
    return 1000 * sum(seconds * getattr(effort, name) for name, seconds in SECONDS.items())


def test_a_fit_recovers_what_made_the_measurements():
    known = efforts(25)
    predictor = fit(known, [known_ms(each) for each in known], 5, device="cpu", source="a test")
    assert predictor.seconds == pytest.approx(SECONDS | {"batch_flops": 0.0}, rel=1e-6)
    assert predictor.error == pytest.approx(0, abs=1e-4)
    assert predictor.calibrated


def test_the_error_is_that_of_ordinary_networks_which_a_fit_has_not_seen():
    known = efforts(90)
    slow = [known_ms(each) * (1.2 if number % 3 == 0 else 1.0) for number, each in enumerate(known)]
    assert fit(known, slow, 20, device="cpu", source="a test").error == pytest.approx(1 - 1 / 1.2, abs=0.06)
    exact = [known_ms(each) * (1.2 if number == 0 else 1.0) for number, each in enumerate(known)]
    assert fit(known, exact, 20, device="cpu", source="a test").error < 0.02  # the odd one is not ordinary


def test_efforts_of_a_cost_model_are_those_of_the_network_alone():
    space = prepare(load_spec(DEMO)).space
    genotypes = np.array([d.values.index(d.values[-1]) for d in space.dimensions], np.int32)[None]
    blueprint = space.blueprint(genotypes[0])
    key = space.structure_key(blueprint)
    model = space.cost_models[key]
    real = {axis: jnp.array([length], jnp.float32) for axis, length in blueprint.sizes.items()}
    program = program_of(space, space.sources[key])
    alone = effort_of(nnx.eval_shape(lambda: program.build(blueprint.sizes)), program.example)
    for name, term in model.effort_of(real)._asdict().items():
        assert float(term[0]) == pytest.approx(float(getattr(alone, name)), rel=1e-5), name


def test_a_predictor_survives_json():
    predictor = predictor_of("cpu")
    assert predictor.calibrated
    assert Predictor(**predictor.to_json()) == predictor


def test_what_no_one_has_calibrated_says_so():
    predictor = from_table("gpu", "float32")
    assert "not calibrated" in predictor.says
    assert predictor.error >= 1
    work = dict.fromkeys(Effort._fields, 0.0) | {"tiled_flops": 1e9, "products": 25.0}
    assert predictor.predicted_ms(Effort(**work)) == pytest.approx(0.1 + 0.4)


def test_a_class_of_devices_is_predicted_from_its_data_sheet():
    slow, fast = (predictor_of(name) for name in ("microcontroller", "datacenter_gpu"))
    (work,) = efforts(1)
    assert slow.predicted_ms(work) > 10 * fast.predicted_ms(work)
    assert "data sheet of NVIDIA H100" in fast.says and "not calibrated" in fast.says
    assert predictor_of("datacenter_gpu", "bfloat16").predicted_ms(work) < fast.predicted_ms(work)


def test_what_was_measured_in_float32_is_not_trusted_for_bfloat16():
    exact, rough = predictor_of("cpu"), predictor_of("cpu", "bfloat16")
    assert rough.seconds == exact.seconds
    assert rough.error > exact.error and "not calibrated" in rough.says


def test_limits_leave_room_for_the_error():
    predictor = Predictor("cpu", {}, 0.15, calibrated=True, source="a test")
    spec = load_spec(DEMO, ("constraints.latency=10ms", "constraints.throughput=200/s"))
    *_, latency, throughput = limits_of(spec, predictor)
    assert latency.written == "latency at most 10 ms (predicted at most 8.7 ms, for a predictor that errs by 15%)"
    assert latency.bound == pytest.approx(10 / 1.15)
    assert throughput.bound == pytest.approx(200 * 1.15)
    assert "throughput at least 200 a second (predicted at least 230 a second" in throughput.written
    assert longest_ms(spec) == 5.0
    assert longest_ms(load_spec(DEMO)) is None
