"""A package that is installed beside this one adds a modality, with nothing changed here."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metagen_jax import extensions
from metagen_jax.automl.run_folder import RunFolder, changes_of_origin
from metagen_jax.cli import main
from metagen_jax.data.sources import SOURCES, register_source
from metagen_jax.errors import ExtensionError, OutputError
from metagen_jax.spec import load_spec, tasks
from metagen_jax.spec.tasks import LABELLED_IMAGES, TaskKind, register_format, register_keys_of_data, register_task
from metagen_jax.synth import codegen
from metagen_jax.synth.choices import choose_family
from metagen_jax.synth.codegen import register_templates
from metagen_jax.synth.modalities import MODALITIES, modality_of, register_family, register_modality
from metagen_jax.synth.modalities.cnn import CNN
from metagen_jax.synth.modalities.image_classification import ImageClassification
from tests.runs import ROOT
from tests.synth.conftest import read_me, run_all

EXAMPLE = ROOT / "examples" / "tabular"
TINY = (
    "architecture.choices={width: [8, 12], num_layers: [1, 2], hidden: [8, 16]}",
    "search={budget: 3, rounds: 1, finalists: 1, prototype_steps: 12}",
    "training={steps: 24, batch_size: 16}",
)
# The tests of a family, in a process of their own: what an extension registers stays registered.
EQUIVALENCE = """
import inspect, sys
from metagen_jax.cli.environment import start_jax
start_jax(2)
from metagen_jax.extensions import load_extensions
load_extensions()
from tests.population import conftest, test_equivalence
overrides = ("architecture.choices={width: [8, 12, 16], num_layers: [1, 2, 3], hidden: [8, 16, 24], norm: [%s]}", "training.batch_size=8")
conftest.FAMILIES["mlp"] = (sys.argv[1], overrides)
trained = conftest.train_family("mlp")
tests = [test for name, test in vars(test_equivalence).items() if name.startswith("test_")]
for test in tests:
    for member in range(4) if "member" in inspect.signature(test).parameters else [None]:
        test(trained, *([] if member is None else [member]))
print(len(tests), "tests passed")
"""


@dataclasses.dataclass(frozen=True)
class Installed:
    """The example as pip leaves it, in a folder that only the processes started here look into."""

    site: Path
    spec: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(map(str, (ROOT, EXAMPLE, self.site)))
        command = [sys.executable, *arguments]
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def metagen(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "metagen_jax", *arguments)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    site = tmp_path_factory.mktemp("site")
    information = site / "metagen_tabular-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: metagen-tabular\nVersion: 0.1.0\n")
    (information / "entry_points.txt").write_text("[metagen_jax.extensions]\ntabular = metagen_tabular:register\n")
    spec = Path(shutil.copy(EXAMPLE / "rings.yaml", site))
    subprocess.run([sys.executable, EXAMPLE / "make_rings.py", site / "rings.csv"], check=True)
    return Installed(site, spec)


@pytest.fixture(scope="module")
def run(installed: Installed) -> Path:
    """A run of two processes, so that the second has to load the extension too."""
    folder = installed.site / "run"
    overrides = (*TINY, f"data.path={installed.site / 'rings.csv'}")  # absolute, so that it can be reproduced
    chosen = [word for override in overrides for word in ("--set", override)]
    done = installed.run(
        *("-m", "metagen_jax.automl", "--spec", str(installed.spec), "--out", str(folder), "--workers", "2"), *chosen
    )
    assert done.returncode == 0, done.stderr
    assert "lost" not in done.stderr
    return folder


# -- the example -------------------------------------------------------------------------------------------------------


def test_a_spec_of_the_extension_is_valid_and_a_wrong_word_names_its_task(installed: Installed):
    valid = installed.metagen("validate", str(installed.spec))
    assert valid.returncode == 0, valid.stderr
    wrong = installed.metagen("validate", str(installed.spec), "--set", "modality.inputs=[tabel]")
    assert "Did you mean 'table'?" in wrong.stderr
    assert "table -> label (classification)" in wrong.stderr


def test_without_the_extension_the_spec_is_refused(installed: Installed, capsys: pytest.CaptureFixture[str]):
    assert main(["validate", str(installed.spec)]) == 2
    assert "'table' is not known here" in capsys.readouterr().err


def test_data_that_are_no_table_are_refused_with_row_and_column(installed: Installed, tmp_path: Path):
    table = tmp_path / "broken.csv"
    table.write_text("x,label\n1,a\nmany,b\n")
    done = installed.metagen("plan", str(installed.spec), "--set", f"data.path={table}")
    assert done.returncode == 2
    assert f"{table}: row 2, column 'x': 'many' is no number" in done.stderr


def test_a_plan_is_made_for_it(installed: Installed):
    chosen = [word for override in TINY for word in ("--set", override)]
    done = installed.metagen("plan", str(installed.spec), *chosen)
    assert done.returncode == 0, done.stderr
    assert "3 candidates for 12 steps" in done.stdout


def test_networks_that_are_not_trained_themselves_are_refused_where_there_is_no_project_for_them(installed: Installed):
    done = installed.metagen("plan", str(installed.spec), "--set", "target.num_classes=10")
    assert done.returncode == 2
    assert "'tabular_classification' has no project for networks that are not trained themselves" in done.stderr


def test_its_run_leaves_result_figures_and_the_version_of_the_extension(run: Path):
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["extensions"] == {"tabular": "metagen-tabular 0.1.0"}
    assert {"figures/front.png", "figures/confusion.png", "confusion.csv"} <= manifest["sha256"].keys()
    result = json.loads((run / "result.json").read_text())
    names = [baseline["name"] for baseline in result["baselines"]]
    assert names == ["always the most frequent class", "the class with the nearest mean"]


@pytest.mark.slow
def test_its_run_is_reproduced_byte_by_byte(installed: Installed, run: Path):
    done = installed.metagen("reproduce", str(run), "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not the same surroundings" not in done.stderr


def test_its_project_works_where_neither_package_can_be_imported(run: Path, tmp_path: Path):
    project = Path(shutil.copytree(run / "winner", tmp_path / "winner"))
    commands = read_me(project) | {
        "row": ["infer.py", "--row", "0.9,0.1,20"],
        "short row": ["infer.py", "--row", "0.9"],
    }
    results = run_all(project, commands)
    refused = results.pop("short row")
    for command, result in results.items():
        assert result.code in (0, None), (command, result)
    assert "5 passed" in results["-m pytest test_project.py"].out
    assert results["row"].out.startswith("row 1: ")
    assert refused.code == 2
    assert "1 numbers, not 3" in refused.err
    for source in project.glob("*.py"):
        assert "metagen_tabular" not in source.read_text()


def test_its_code_is_formatted_as_ruff_has_it(run: Path):
    for command in (["check"], ["format", "--check"]):
        arguments = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(arguments, cwd=run / "winner", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("norm", ["rms", pytest.param("layer", marks=pytest.mark.slow)])
def test_a_population_of_its_family_computes_what_each_member_computes_alone(installed: Installed, norm: str):
    done = installed.run("-c", EQUIVALENCE % norm, str(installed.spec))
    assert done.returncode == 0, done.stderr
    assert "6 tests passed" in done.stdout


def test_the_tutorial_quotes_the_example_as_it_is():
    page = (ROOT / "docs" / "tutorials" / "a_modality_of_your_own.md").read_text()
    quoted = re.findall(r"^ *```(?:toml|jinja)\n(.*?)^ *```", page, re.M | re.S)
    files = [path for path in EXAMPLE.rglob("*") if path.suffix in (".toml", ".j2")]
    text = "\n".join(" ".join(path.read_text().split()) for path in files)
    assert quoted
    for block in quoted:
        assert " ".join(block.split()) in text, block


# -- loading -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The entry points that are found; none has been loaded."""
    entries: list[Any] = []
    monkeypatch.setattr(extensions, "entry_points", lambda group: entries)
    monkeypatch.setattr(extensions, "_loaded", {})
    extensions.load_extensions.cache_clear()
    yield entries
    extensions.load_extensions.cache_clear()


def entry(name: str, function: Callable[[], None], package: str = "some-package") -> Any:
    return SimpleNamespace(name=name, load=lambda: function, dist=SimpleNamespace(name=package, version="1.2"))


def test_extensions_are_called_once_in_the_order_of_their_names(found: list[Any]):
    called: list[str] = []
    found += [entry(name, lambda name=name: called.append(name)) for name in ("b", "a")]
    assert extensions.load_extensions() == {"a": "some-package 1.2", "b": "some-package 1.2"}
    extensions.load_extensions()
    assert called == ["a", "b"]


def test_an_extension_that_fails_is_named_with_what_it_raised_and_the_remedy(
    found: list[Any], capsys: pytest.CaptureFixture[str]
):
    def register() -> None:
        raise ImportError("no module named pandas")

    found.append(entry("tables", register))
    for _ in range(2):  # it is not taken for loaded
        assert main(["version"]) == 2
        error = capsys.readouterr().err
        assert "extension 'tables' of some-package 1.2 cannot be used: ImportError: no module named pandas" in error
        assert "pip uninstall" in error


def test_two_extensions_of_one_name_are_refused(found: list[Any]):
    found += [entry("tables", lambda: None, package) for package in ("one", "other")]
    with pytest.raises(ExtensionError, match=r"'tables' is in two packages: one 1.2 and other 1.2"):
        extensions.load_extensions()


def test_a_run_goes_on_only_with_the_extensions_that_it_was_started_with(found: list[Any], tmp_path: Path):
    spec, folder = load_spec(ROOT / "specs/image_digits_demo.yaml"), RunFolder(tmp_path)
    found.append(entry("tables", lambda: None))
    extensions.load_extensions()
    folder.prepare(spec, {}, fresh=False)
    assert folder.prepare(spec, {}, fresh=False)
    extensions._loaded.clear()
    with pytest.raises(OutputError, match=r"unfinished run with tables some-package 1.2 \(now none\)"):
        folder.prepare(spec, {}, fresh=False)


def test_other_versions_of_extensions_are_told():
    before, now = {"extensions": {"a": "package 1", "b": "other 1"}}, {"extensions": {"a": "package 2", "c": "new 1"}}
    changes = changes_of_origin(before, now)
    assert changes == ["a package 1 (now package 2)", "b other 1 (now none)", "c none (now new 1)"]
    assert changes_of_origin(before, {}) == ["a package 1 (now none)", "b other 1 (now none)"]
    assert changes_of_origin({}, {}) == []


# -- registering -------------------------------------------------------------------------------------------------------

TASK = TaskKind(("table",), ("label",), "classification", "name a row", "rows", "cross_entropy", ("loss",))


def task(**changes: Any) -> Callable[[], None]:
    return lambda: register_task(dataclasses.replace(TASK, **changes))


class Unfinished(ImageClassification):
    name = "unfinished"
    outputs = ("image",)


REFUSED = {
    "no task": (lambda: register_task("table"), "'table' is no task"),
    "task that is there": (task(inputs=("image",)), r"there is a task image -> label \(classification\) already"),
    "goal that is there": (task(goal="continue a text"), "is there to continue a text already"),
    "word of a task": (task(inputs=("My Table",)), "'My Table' cannot be the input of a task"),
    "direction": (task(objectives={"validation_error": "down"}), "validation_error .* cannot be 'down'"),
    "other direction": (task(objectives={"validation_accuracy": "minimize"}), r"Write maximize\."),
    "format that is there": (lambda: register_format("npz", LABELLED_IMAGES), "a format 'npz' already"),
    "format of nothing": (lambda: register_format("table", "image with labels"), "Did you mean 'images with labels'"),
    "suffix": (lambda: register_format("table", LABELLED_IMAGES, ["csv"]), "'csv' of format 'table' is no suffix"),
    "suffix that is there": (lambda: register_format("table", LABELLED_IMAGES, [".npz"]), "is read as 'npz' already"),
    "keys without a task": (lambda: register_keys_of_data("sound", ["sample_rate"]), "no task has the word 'sound'"),
    "keys that are there": (lambda: register_keys_of_data("image", ["image_size"]), "'image' has keys of data already"),
    "key that is none": (lambda: register_keys_of_data("text", ["sample_rat"]), "Did you mean 'sample_rate'"),
    "source without a format": (lambda: register_source("parquet", print), "there is no format 'parquet' to read"),
    "source that is there": (lambda: register_source("npz", print), "format 'npz' is read already"),
    "no handler": (lambda: register_modality(ImageClassification), "is no handler"),
    "handler that is there": (lambda: register_modality(ImageClassification()), "'image_classification' handles image"),
    "handler without a task": (lambda: register_modality(Unfinished()), r"no task image -> image \(classification\)"),
    "family of nothing": (lambda: register_family("image_clasification", CNN), "Did you mean 'image_classification'"),
    "family that is there": (lambda: register_family("image_classification", CNN), "has a family 'cnn' already"),
    "no family": (lambda: register_family("image_classification", "cnn"), "'cnn' is no family"),
    "family without a norm": (
        lambda: register_family(
            "image_classification", dataclasses.replace(CNN, name="plain", dimensions=CNN.dimensions[2:])
        ),
        "family 'plain' has no dimension 'norm' of kind structure",
    ),
    "family without its width": (
        lambda: register_family("image_classification", dataclasses.replace(CNN, name="odd", width="d_model")),
        "family 'odd' has no dimension 'd_model' of kind size",
    ),
    "templates that are not there": (lambda: register_templates(ROOT / "nowhere"), "nowhere: no templates in it"),
    "templates that are there": (
        lambda: register_templates(ROOT / "templates"),
        "there is a template fragments/blocks/attention.py.j2 already",
    ),
}


def registered() -> list[Any]:
    words = [list(tasks.TASKS), dict(tasks.FORMATS), dict(tasks.FORMATS_OF_SUFFIX), dict(tasks.KEYS_OF_DATA)]
    families = {modality.name: list(modality.families) for modality in MODALITIES}
    return [*words, dict(SOURCES), families, list(codegen.environment().loader.searchpath)]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_there_or_malformed_is_refused_and_changes_nothing(name: str):
    register, message = REFUSED[name]
    before = registered()
    with pytest.raises(ExtensionError, match=message):
        register()
    assert registered() == before


def test_a_family_is_added_to_a_modality_that_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ImageClassification, "families", ImageClassification.families)  # put back afterwards
    register_family("image_classification", dataclasses.replace(CNN, name="my_cnn", title="network of my own"))
    spec = load_spec(ROOT / "specs/image_digits_cnn.yaml", ["architecture.family=my_cnn"])
    assert choose_family(spec, modality_of(spec)).title == "network of my own"


def test_keys_of_data_go_with_a_further_word(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "KEYS_OF_DATA", dict(tasks.KEYS_OF_DATA))
    register_keys_of_data("text", ["sample_rate"])
    assert tasks.words_with_key("sample_rate") == ("audio", "text")


def test_templates_are_found_after_the_first_rendering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    loader = codegen.environment().loader
    monkeypatch.setattr(loader, "searchpath", list(loader.searchpath))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "greeting.txt.j2").write_text("{{ word }}!")
    assert not codegen.has_template("mine/greeting.txt.j2")
    register_templates(tmp_path)
    assert codegen.render("mine/greeting.txt.j2", {"word": "hello"}) == "hello!"
