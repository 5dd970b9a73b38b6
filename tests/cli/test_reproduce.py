"""A run can be done again from its folder alone."""

import json
import shutil
from pathlib import Path

import pytest

from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.cli import main
from tests.runs import run_tiny

OWN_DATA = "data={path: ../metagen_jax/data/embedded/digits.npz}"  # seen from the spec, not from the folder of the run
QUICK = (
    *("--quiet", "--set", OWN_DATA),
    *("--set", "search.budget=2", "--set", "search.rounds=1", "--set", "search.finalists=1"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduce") / "run"
    assert run_tiny("image", folder, *QUICK) == 0
    return folder


def copy_of(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "copy"))


def test_the_same_bytes_come_out(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["reproduce", str(run), "--quiet", "--workers", "1"]) == 0
    assert "have the same bytes" in capsys.readouterr().out


def test_the_first_difference_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = copy_of(run, tmp_path)
    readme = other / "winner" / "README.md"
    readme.write_text(readme.read_text() + "changed")
    assert main(["reproduce", str(other)]) == 2
    assert "not what its manifest says: winner/README.md" in capsys.readouterr().err
    shutil.copy(run / "winner" / "README.md", readme)
    result = other / "result.json"
    result.write_text(result.read_text().replace('"seed": 0', '"seed": 1'))  # as if the program had been another
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"sha256": RunFolder(other).sha256()}))
    assert main(["reproduce", str(other), "--quiet", "--workers", "1"]) == 1
    assert "the first is result.json: recorded sha256" in capsys.readouterr().out


def test_what_did_not_end_cannot_be_reproduced(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = copy_of(run, tmp_path)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    assert main(["reproduce", str(other)]) == 2
    assert "cut short by a time limit" in capsys.readouterr().err
    (other / "manifest.json").unlink()
    assert main(["reproduce", str(other)]) == 2
    assert "holds no finished run" in capsys.readouterr().err
