"""A run from Python is the run of the command line."""

import json
import subprocess
import sys
from pathlib import Path

import metagen_jax
from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.cli import main
from tests.runs import TINY, tiny_command


def test_every_public_name_is_there_and_the_package_can_be_called():
    for name in metagen_jax.__all__:
        assert getattr(metagen_jax, name) is not None
    assert callable(metagen_jax.automl)


def test_importing_the_package_imports_no_jax():
    code = "import sys, metagen_jax; metagen_jax.load_spec; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_writes_what_the_command_line_writes_and_remembers(tmp_path: Path):
    quick = ("search.budget=2", "search.rounds=1", "search.finalists=1")
    spec, overrides = TINY["image"]
    memory = tmp_path / "memory.sqlite"
    options = metagen_jax.Options(out=tmp_path / "api")
    run = metagen_jax.automl(spec, [*overrides, *quick], options=options, memory=memory, cold=True)
    with metagen_jax.Memory(memory) as opened:
        assert [each.num_candidates for each in opened.overview()] == [2]
    more = [word for override in quick for word in ("--set", override)]
    assert main(tiny_command("image", tmp_path / "cli", "--quiet", "--no-memory", "--cold", *more)) == 0
    api, cli = RunFolder(run.path).sha256(), RunFolder(tmp_path / "cli").sha256()
    assert {name for name in api.keys() | cli.keys() if api.get(name) != cli.get(name)} == set()
    assert json.loads((run.path / "manifest.json").read_text())["command"][0] == "metagen_jax.automl"
