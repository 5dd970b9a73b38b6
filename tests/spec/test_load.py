"""What a sound spec turns into."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from metagen_jax.errors import SpecError
from metagen_jax.spec import Choice, Objective, Target, load_spec
from metagen_jax.spec.devices import DEVICE_CLASSES, KINDS
from metagen_jax.spec.units import parse_bytes

SPECS = Path(__file__).parents[2] / "specs"
MINIMAL_IMAGE = """\
name: demo
modality: {inputs: image, outputs: label}
task: {type: classification, num_classes: 10}
data: {source: digits}
"""
MINIMAL_TEXT = """\
name: demo
modality: {inputs: [text], outputs: [text]}
task: {type: generation}
data: {source: kjv}
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text: str, *overrides: str):
        (tmp_path / "spec.yaml").write_text(text)
        return load_spec(tmp_path / "spec.yaml", overrides)

    return load_text


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_specs_are_sound_and_named_like_their_files(path):
    assert load_spec(path).name == path.stem


def test_the_image_spec_asks_for_what_the_readme_says():
    spec = load_spec(SPECS / "image_vit_classification.yaml")
    assert spec.data.source == "mnist5k"
    assert spec.architecture.families == ("vit",)
    assert spec.constraints.max_params == 250_000
    assert spec.search.budget >= 24


def test_four_keys_are_enough_and_the_rest_is_filled_in(load):
    spec = load(MINIMAL_IMAGE)
    assert spec.search.objectives == (Objective("validation_loss", "minimize"), Objective("params", "minimize"))
    assert (spec.search.budget, spec.search.rounds, spec.search.finalists) == (24, 3, 3)
    assert spec.evaluation.metrics == ("accuracy", "loss")
    assert spec.architecture.families == ()
    assert spec.constraints.min_params == 0
    assert spec.constraints.max_params is None
    assert (spec.seed, spec.metagen_version) == (0, "1.0")


def test_defaults_follow_the_task_and_the_budget(load):
    assert load(MINIMAL_TEXT).constraints.context_window == 128
    assert load(MINIMAL_IMAGE).constraints.context_window is None
    assert load(MINIMAL_TEXT).evaluation.metrics == ("bits_per_character", "loss")
    small = load(MINIMAL_IMAGE, "search.budget=2").search
    assert (small.rounds, small.finalists) == (2, 2)


def test_quantities_become_plain_numbers(load):
    limits = "{parameter_budget: {min: 10k, max: 1.5M}, memory_budget: 2GiB, latency: real-time, throughput: 500/s}"
    spec = load(MINIMAL_TEXT, f"constraints={limits}", "constraints.context_window=8k").constraints
    assert (spec.min_params, spec.max_params, spec.memory_bytes) == (10_000, 1_500_000, 2**31)
    assert spec.latency_ms == pytest.approx(1000 / 30)
    assert (spec.throughput_per_s, spec.context_window) == (500.0, 8192)


@pytest.mark.parametrize(
    ("key", "word", "name", "number"),
    [
        ("parameter_budget", "7B", "max_params", 7_000_000_000),
        ("parameter_budget", "1.5T", "max_params", 1_500_000_000_000),
        ("parameter_budget", "{max: 7B}", "max_params", 7_000_000_000),
        ("memory_budget", "12GB", "memory_bytes", 12_000_000_000),
        ("inference_memory", "12GB", "inference_memory_bytes", 12_000_000_000),
        ("latency", "10ms", "latency_ms", 10.0),
        ("latency", "30fps", "latency_ms", 1000 / 30),
        ("latency", "real-time", "latency_ms", 1000 / 30),
        ("throughput", "30fps", "throughput_per_s", 30.0),
        ("context_window", "8k", "context_window", 8192),
        *(("device", name, "device_kind", each.kind) for name, each in DEVICE_CLASSES.items()),
        *(("device", name, "inference_memory_bytes", each.memory_bytes) for name, each in DEVICE_CLASSES.items()),
        *(("device", kind, "device_kind", kind) for kind in KINDS),
        *(("device", kind, "inference_memory_bytes", None) for kind in KINDS),
    ],
)
def test_every_word_for_a_budget_means_its_number_and_is_recorded(load, tmp_path, key, word, name, number):
    spec = load(MINIMAL_TEXT, f"constraints.{key}={word}")
    assert getattr(spec.constraints, name) == number
    (tmp_path / "resolved.yaml").write_text(spec.to_yaml())
    assert getattr(load_spec(tmp_path / "resolved.yaml").constraints, name) == number


@pytest.mark.parametrize("memory", ["1MB", "1TB"])
def test_memory_in_the_spec_counts_more_than_that_of_the_device_class(load, memory):
    limits = load(MINIMAL_IMAGE, "constraints.device=edge", f"constraints.inference_memory={memory}").constraints
    assert limits.inference_memory_bytes == parse_bytes(memory)
    assert (limits.device, limits.device_kind) == ("edge", "cpu")


def test_a_rate_beyond_what_the_latency_gives_is_no_contradiction(load):
    limits = load(MINIMAL_IMAGE, "constraints={latency: 10ms, throughput: 500/s}").constraints
    assert (limits.latency_ms, limits.throughput_per_s) == (10.0, 500.0)


def test_the_target_is_as_the_data_unless_the_spec_says_more(load):
    assert load(MINIMAL_IMAGE).target == Target(None, None, None, None)
    assert "target" not in load(MINIMAL_IMAGE).to_dict()
    assert load(MINIMAL_TEXT, "target.vocabulary=32k").target == Target(vocabulary=32_000)
    image = load(
        MINIMAL_IMAGE, "target={image_size: 224, channels: 3, num_classes: 1000}", "search.prototype_params=2M"
    )
    assert image.target == Target(image_size=224, channels=3, num_classes=1000)
    assert (image.search.prototype_params, load(MINIMAL_IMAGE).search.prototype_params) == (2_000_000, 5_000_000)


def test_choices_are_fixed_listed_or_bounded(load):
    choices = "{d_model: [32, 48], num_layers: 4, norm: rms, learning_rate: {min: 1e-4, max: 1e-2}, d_ff: {max: 96}}"
    assert load(MINIMAL_IMAGE, f"architecture.choices={choices}").architecture.choices == {
        "d_model": Choice(values=(32, 48)),
        "num_layers": Choice(values=(4,)),
        "norm": Choice(values=("rms",)),
        "learning_rate": Choice(min=1e-4, max=1e-2),
        "d_ff": Choice(max=96),
    }


def test_a_direction_left_out_is_the_sensible_one(load):
    spec = load(MINIMAL_IMAGE, "search.objectives=[{metric: validation_accuracy}, {metric: flops}]")
    assert [objective.direction for objective in spec.search.objectives] == ["maximize", "minimize"]


def test_overrides_replace_values_and_the_last_one_wins(load):
    spec = load(MINIMAL_IMAGE, "search.budget=8", "search={budget: 9, rounds: 2}", "search.rounds=1")
    assert (spec.search.budget, spec.search.rounds) == (9, 1)


def test_overrides_mend_what_is_wrong_in_the_file(load):
    broken = MINIMAL_IMAGE + "search: {budget: 010, rounds: 2}\n"
    with pytest.raises(SpecError):
        load(broken)
    assert load(broken, "search.budget=8").search.budget == 8


def test_a_data_path_is_relative_to_the_spec_and_its_form_read_from_its_ending(load, tmp_path):
    text = MINIMAL_IMAGE.replace("source: digits", "path: sub/mine.npz")
    data = load(text).data
    assert (data.path, data.written_path, data.format) == (str(tmp_path / "sub" / "mine.npz"), "sub/mine.npz", "npz")
    assert load(text.replace("mine.npz", "cats")).data.format == "image_folder"
    assert load(MINIMAL_TEXT.replace("source: kjv", "path: book.txt")).data.format == "text"
    assert load(MINIMAL_TEXT.replace("source: kjv", "path: book, format: text")).data.format == "text"


def test_equality_and_hash_depend_on_what_is_asked_not_on_where_or_how_it_is_written(load, tmp_path):
    text = MINIMAL_IMAGE.replace("source: digits", "path: cats")
    spec = load(text)
    (tmp_path / "elsewhere").mkdir()
    other_file = tmp_path / "elsewhere" / "other.yaml"
    other_file.write_text("# a comment\n" + text + "search: {budget: 24}\n")
    same = load_spec(other_file)
    assert same == spec
    assert same.hash == spec.hash
    assert hash(same) == hash(spec)
    different = load(text, "search.budget=25")
    assert different != spec
    assert different.hash != spec.hash
    assert len(spec.hash) == 8
    assert set(spec.hash) <= set("0123456789abcdef")


def test_a_spec_survives_pickling(load):
    spec = load(MINIMAL_IMAGE, "architecture.choices.d_model=32")
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_later_errors_point_at_the_line_of_the_key_or_of_its_nearest_parent(load, tmp_path):
    spec = load(MINIMAL_IMAGE + "architecture:\n  choices:\n    d_modl: 32\n", "search.budget=8")
    error = spec.error("architecture.choices.d_modl", "unknown choice", "Did you mean 'd_model'?")
    assert str(error) == (
        f"{tmp_path}/spec.yaml:7, architecture.choices.d_modl: unknown choice\n  Did you mean 'd_model'?"
    )
    assert f"{tmp_path}/spec.yaml:6, architecture.choices.x: y" in str(spec.error("architecture.choices.x", "y"))
    assert f"{tmp_path}/spec.yaml:1, constraints.latency: y" in str(spec.error("constraints.latency", "y"))
    assert str(spec.error("search.budget", "too small")).startswith("--set search.budget=8, search.budget: too small")


def test_a_folded_description_is_one_paragraph_and_a_byte_order_mark_is_fine(load):
    spec = load("\ufeffdescription: >\n  one\n  paragraph: 100%\n" + MINIMAL_IMAGE)
    assert spec.description == "one paragraph: 100%"


def test_text_that_looks_like_code_stays_text(load):
    code = "'''; import os; os.system('true') # {{ 7 * 7 }} ${HOME} %s <script>"
    quoted = code.replace("'", "''")
    spec = load(MINIMAL_IMAGE + f"description: '{quoted}'\n")
    assert spec.description == code


def test_reading_a_spec_imports_neither_jax_nor_the_rest_of_the_package():
    program = (
        "import sys; from metagen_jax.spec import load_spec, json_schema; load_spec(sys.argv[1]); json_schema();"
        "print(sorted(m for m in sys.modules if m in ('jax', 'flax', 'metagen_jax.synth', 'metagen_jax.data')))"
    )
    command = [sys.executable, "-c", program, str(SPECS / "text_char_lm.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=SPECS.parent)
    assert done.stdout.strip() == "[]"
