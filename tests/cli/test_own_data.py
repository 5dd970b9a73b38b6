"""`--data` names data of the user's own from where the command is given."""

from pathlib import Path

import pytest

from metagen_jax.cli import commands, main
from metagen_jax.spec import load_spec
from tests.runs import ROOT


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
