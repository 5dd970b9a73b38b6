"""Data that are named on the command line, and data that are read again."""

import dataclasses
import json
from pathlib import Path

import pytest

from metagen_jax.automl.reproduce import read_recorded
from metagen_jax.cli import commands, main
from metagen_jax.population.plan import Plan
from metagen_jax.spec import load_spec
from metagen_jax.synth.costs import Predictor
from tests.runs import ROOT

HUB = """
name: example
modality: {inputs: [image], outputs: [label]}
task: {type: classification, num_classes: 2}
data: {hub: {name: acme/colours, revision: main}}
"""


@pytest.mark.parametrize("verb", [["automl", "--spec"], ["synth"]])
def test_other_data_are_read_in_the_place_of_the_section(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[commands.Call] = []
    monkeypatch.setattr(commands, "_build", lambda call, means: calls.append(call))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    spec = tmp_path / "specs" / "own.yaml"
    spec.write_text((ROOT / "specs" / "image_digits_demo.yaml").read_text())
    more = ["--set", "data.image_size=16", "--set", "task.num_classes=2"]
    assert main([*verb, "specs/own.yaml", "--data", "größe: 2/own.npz", *more]) == 0
    (call,) = calls
    data = load_spec(call.path, call.overrides).data
    assert (data.path, data.source, data.image_size) == (str(tmp_path / "größe: 2" / "own.npz"), None, 16)
    assert data.written_path == "../größe: 2/own.npz"


def test_a_run_that_is_done_again_reads_the_recorded_commit_of_the_hub(tmp_path: Path):
    spec = tmp_path / "spec.resolved.yaml"
    spec.write_text(HUB)
    manifest = {
        "complete": True,
        "host_devices": 1,
        "plan": Plan("cpu", 1, 1.0, ()).to_json(),
        "latency": dataclasses.asdict(Predictor("cpu", {}, 0.1, True, "nothing")),
        "sha256": {},
        "options": {"search": True, "train_prototypes": True},
        "hub": {"name": "acme/colours", "config": "default", "revision": "c0ffee"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    call = commands._again(read_recorded(tmp_path))
    assert call.commit == "c0ffee"
    hub = load_spec(call.path).with_commit(call.commit).data.hub
    assert hub is not None and (hub.revision, hub.commit) == ("main", "c0ffee")
