"""The README's commands run, and what it quotes exists."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from metagen_jax.spec import load_spec
from tests.runs import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_commands_of_the_readme_run():
    commands = blocks("bash")
    assert commands
    for block in commands:  # in order and from the root, as a reader would
        done = subprocess.run(["bash", "-euc", block], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def test_the_spec_of_the_readme_is_valid(tmp_path: Path):
    (tmp_path / "my_digits.yaml").write_text(blocks("yaml")[0])
    assert load_spec(tmp_path / "my_digits.yaml").name == "my_digits"


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_the_links_of_the_readme_lead_somewhere(target: str):
    assert (ROOT / target).is_file()


def test_the_output_in_the_readme_is_that_of_the_script():
    recorded = (ROOT / "docs" / "assets" / "output.txt").read_text()
    assert recorded.strip() in README


def test_the_run_from_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (example,) = (block for block in blocks("python") if "automl(" in block)
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example, names)
    assert (tmp_path / names["run"].path / "winner" / "model.py").is_file()


def test_the_search_example_of_the_readme_runs():
    (example,) = (block for block in blocks("python") if "optimize(" in block)
    names: dict[str, object] = {}
    exec(example, names)
    assert names["result"].best_genotype[0] == 20
