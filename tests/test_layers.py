"""The house stands: imports point down, and light commands stay light."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import metagen_jax

PACKAGE = Path(metagen_jax.__file__).parent
LAYERS = (
    "errors",
    "extensions",
    "spec",
    "search",
    "data",
    "synth",
    "population",
    "memory",
    "automl",
    "report",
    "api",
    "cli",
)  # low to high


def upward_imports(package: Path) -> Iterator[str]:
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        if own not in LAYERS or path.name == "__main__.py":  # `python -m metagen_jax.automl` is an entry, not a layer
            continue
        above = LAYERS[LAYERS.index(own) + 1 :]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                for name in (prefix + alias.name for alias in node.names):
                    top, other, *_ = (name + "..").split(".")
                    if top == package.name and other in above:
                        yield f"{path.relative_to(package)}: {name}"


def test_imports_point_down():
    assert not list(upward_imports(PACKAGE))


def test_every_room_has_its_place_among_the_layers():
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert rooms - {"templates"} == set(LAYERS)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ["validate", "specs/image_digits_demo.yaml"],
        ["schema"],
        ["version"],
        ["automl", "--help"],
        ["inspect-data", "README.md"],
    ],
)
def test_light_commands_do_not_import_jax(command: list[str]):
    code = f"import sys; from metagen_jax.cli import main; code = main({command!r}); assert 'jax' not in sys.modules; sys.exit(code)"
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_leaves_the_flags_of_the_process_alone():
    modules = "metagen_jax, metagen_jax.search, metagen_jax.automl.pipeline, metagen_jax.cli"
    done = run_python(f"import os, {modules}; assert os.environ['XLA_FLAGS'] == 'kept'", XLA_FLAGS="kept")
    assert done.returncode == 0, done.stderr


def test_pydantic_lives_in_the_spec_alone():
    users = [path for path in PACKAGE.rglob("*.py") if "pydantic" in path.read_text()]
    assert users
    assert {path.relative_to(PACKAGE).parts[0] for path in users} == {"spec"}


def test_every_fragment_says_what_it_needs_in_its_first_line():
    fragments = sorted((PACKAGE.parent / "templates" / "fragments").rglob("*.j2"))
    assert fragments
    for path in fragments:
        first = path.read_text().splitlines()[0]
        assert first.startswith("{#- Needs ") and first.endswith("-#}"), path
