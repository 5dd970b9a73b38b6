"""A winner that is a target comes out as the target's project, with its trained prototype's beside it."""

import json
import subprocess
import sys
from pathlib import Path

from tests.runs import run_tiny


def test_the_winner_of_a_search_for_targets_is_a_target_with_its_prototype(tmp_path: Path):
    overrides = ("--set", "search.prototype_params=1k", "--set", "target.num_classes=20")
    assert run_tiny("image", tmp_path / "run", "--quiet", *overrides) == 0
    winner = json.loads((tmp_path / "run" / "result.json").read_text())["winner"]
    assert winner["prototype"].keys() == winner["sizes"].keys()
    project = tmp_path / "run" / "winner"
    assert (project / "prototype" / "checkpoint").is_dir()
    assert (project / "prototype" / "infer.py").is_file()
    command = [sys.executable, "train.py", "--dry-run"]
    built = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert f"{winner['params']:,} parameters, as predicted" in built.stdout
