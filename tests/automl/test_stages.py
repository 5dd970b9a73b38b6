"""A run of two stages: an autoencoder, and what draws its codes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from metagen_jax.automl import pipeline
from metagen_jax.automl.autoencoder import load_autoencoder
from metagen_jax.automl.database import RunDatabase
from metagen_jax.automl.run_folder import CODES, LOCK, RunFolder
from metagen_jax.cli import main
from metagen_jax.data import load_dataset, read_codes, sha256
from metagen_jax.errors import OutputError, SpecError
from metagen_jax.memory import Memory, user_file
from metagen_jax.spec import ModelSpec, load_spec
from tests.automl.test_resume import Stop, same_artefacts
from tests.automl.test_run_folder import run_in_project
from tests.runs import ROOT, TINY, run_tiny
from tests.short import RUNS, in_short


@pytest.fixture(scope="module", params=in_short(["latent"], RUNS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages") / "run"
    assert run_tiny(request.param, folder, "--quiet") == 0
    return folder


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    file, overrides = TINY["latent"]
    return load_spec(ROOT / file, overrides)


def test_each_stage_leaves_what_a_run_does_and_the_manifest_knows_both(run: Path):
    manifest = RunFolder(run).manifest()
    artefacts = manifest["sha256"]
    for name in ("result.json", "front.json", "winner/model.py", "figures/pictures.png", "search.sqlite"):
        assert {name, f"autoencoder/{name}"} <= artefacts.keys()
    assert {CODES, "winner/autoencoder/model.py", "autoencoder/spec.resolved.yaml"} <= artefacts.keys()
    assert not {"autoencoder/log.jsonl", "autoencoder/timing.json", "autoencoder/manifest.json"} & artefacts.keys()
    assert artefacts == RunFolder(run).sha256()
    first = RunFolder(run).autoencoder.manifest()
    assert first["complete"] and manifest["complete"]
    assert all(artefacts[f"autoencoder/{name}"] == digest for name, digest in first["sha256"].items())


def test_both_stages_are_remembered(run: Path, spec: ModelSpec):
    assert spec.data.autoencoder is not None
    with Memory(user_file(), pytest.fail) as memory:
        remembered = {memory.load(each.id).spec for each in memory.overview()}
    assert {spec.to_yaml(), spec.data.autoencoder.to_yaml()} <= remembered


def test_the_folder_can_be_moved_its_spec_names_the_first_stage_inside_of_it(run: Path, spec: ModelSpec):
    again = load_spec(run / "spec.resolved.yaml")
    assert again == spec and again.hash == spec.hash
    assert again.to_yaml() == (run / "spec.resolved.yaml").read_text()
    assert str(ROOT) not in (run / "spec.resolved.yaml").read_text()


def test_the_codes_are_those_of_the_winner_and_what_the_second_stage_learnt_from(run: Path):
    spec = load_spec(run / "spec.resolved.yaml")
    images = load_dataset(spec)
    codes = read_codes(run / CODES, images)
    assert spec.data.autoencoder is not None
    autoencoder = load_autoencoder(run / "autoencoder", spec.data.autoencoder)
    mean, _ = autoencoder.encode(images.test.images[:7] / np.float32(255))
    np.testing.assert_allclose(codes.test.codes[:7] * codes.deviation + codes.mean, mean, atol=1e-4)
    result = json.loads((run / "result.json").read_text())
    assert result["data"]["sha256"] == sha256(codes) == RunFolder(run).manifest()["codes"]
    assert result["winner"]["family"] == "latent_denoiser"


def test_the_project_holds_the_autoencoder_and_draws_with_it(run: Path, tmp_path: Path):
    for file in (run / "autoencoder" / "winner").rglob("*.py"):
        name = file.relative_to(run / "autoencoder" / "winner")
        assert (run / "winner" / "autoencoder" / name).read_bytes() == file.read_bytes()
    project = shutil.copytree(run / "winner", tmp_path / "winner")
    for command in (["train.py", "--prototype-mode"], ["infer.py", "--samples=2", "--steps=3"]):
        done = run_in_project(project, *command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("call", "in_second"),
    [
        (2, False),  # the finalists of the first stage
        pytest.param(3, True, marks=pytest.mark.slow),  # the prototypes of the second
    ],
)
def test_whichever_stage_is_stopped_the_same_command_goes_on(run: Path, tmp_path: Path, call: int, in_second: bool):
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(RunDatabase, "record", call, KeyboardInterrupt, after=True)
        assert run_tiny("latent", tmp_path / "run", "--quiet") == 130
    assert (tmp_path / "run" / CODES).is_file() == RunFolder(tmp_path / "run" / "autoencoder").is_finished == in_second
    assert run_tiny("latent", tmp_path / "run", "--quiet") == 0
    assert same_artefacts(run, tmp_path / "run")


@pytest.mark.slow
def test_it_can_be_done_again_from_its_folder(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["reproduce", str(run), "--quiet", "--workers", "1"]) == 0
    assert "have the same bytes" in capsys.readouterr().out


def test_what_cannot_be_done_is_said(run: Path, capsys: pytest.CaptureFixture[str]):
    assert run_tiny("latent", run) == 2
    assert "already holds a finished run" in capsys.readouterr().err
    latent = str(ROOT / "specs" / "image_diffusion_latent.yaml")
    assert main(["plan", latent]) == 2
    assert "data.autoencoder: there are no codes before it is trained" in capsys.readouterr().err
    cluster = ["--coordinator", "localhost:1", "--num-processes", "2", "--process-id", "0"]
    assert main(["automl", "--spec", latent, *cluster]) == 2
    assert "data.autoencoder: codes are on the host that has trained it" in capsys.readouterr().err


def test_autoencoders_that_are_too_large_to_be_trained_are_refused_before_anything_is(tmp_path: Path):
    prepared = pipeline.prepare(load_spec(ROOT / "tests" / "tiny_autoencoder.yaml", ("search.prototype_params=1k",)))
    with pytest.raises(SpecError, match="codes take networks that are trained themselves"):
        pipeline.run(prepared, pipeline.Options(out=tmp_path / "run", in_stages=True))
    assert not (tmp_path / "run").exists()


def begun(path: Path, spec: ModelSpec, *, complete: bool | None) -> RunFolder:
    """A folder whose first stage ended in this way, or not yet, and which holds something of a second one."""
    folder = RunFolder(path)
    folder.autoencoder.path.mkdir(parents=True)
    assert spec.data.autoencoder is not None
    (folder.autoencoder.path / "spec.resolved.yaml").write_text(spec.data.autoencoder.to_yaml())
    if complete is not None:
        (folder.autoencoder.path / "manifest.json").write_text(json.dumps({"complete": complete}))
    for name in (CODES, "origin.json", "search.sqlite"):
        (path / name).write_text("{}")
    return folder


@pytest.mark.parametrize("complete", [None, False])
def test_nothing_of_the_second_stage_is_kept_while_the_first_is_not_finished(
    tmp_path: Path, spec: ModelSpec, complete: bool | None
):
    folder = begun(tmp_path, spec, complete=complete)
    assert not folder.begin(spec, fresh=False)
    assert {path.name for path in tmp_path.iterdir()} == {"autoencoder", "spec.resolved.yaml"}


def test_a_finished_first_stage_is_kept_unless_all_is_to_be_new(tmp_path: Path, spec: ModelSpec):
    folder = begun(tmp_path, spec, complete=True)
    assert folder.begin(spec, fresh=False)
    assert (tmp_path / CODES).is_file()
    assert not folder.begin(spec, fresh=True)
    assert {path.name for path in tmp_path.iterdir()} - {LOCK} == {"spec.resolved.yaml"}


def test_the_first_stage_of_another_spec_is_refused(tmp_path: Path, spec: ModelSpec):
    folder = begun(tmp_path, spec, complete=True)
    (folder.autoencoder.path / "spec.resolved.yaml").write_text("name: other\n")
    with pytest.raises(OutputError, match="autoencoder holds a run of another spec"):
        folder.begin(spec, fresh=False)
