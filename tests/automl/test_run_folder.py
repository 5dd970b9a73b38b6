"""What a run leaves behind is whole, true and the same every time."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metagen_jax.automl.run_folder import NOT_HASHED, RunFolder
from metagen_jax.memory import Memory, user_file
from metagen_jax.spec import load_spec
from tests.runs import ROOT, run_tiny, tiny_command
from tests.short import RUNS, in_short


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_folder_holds_what_the_design_promises(finished: Path):
    promised = [
        "spec.resolved.yaml",
        "manifest.json",
        "search.sqlite",
        "front.json",
        "result.json",
        "timing.json",
        "log.jsonl",
    ]
    promised += [
        "figures/front.png",
        "figures/convergence.png",
        "winner/model.py",
        "winner/train.py",
        "winner/infer.py",
    ]
    promised += ["winner/data.py", "winner/README.md", "winner/MODEL_CARD.md", "winner/requirements.txt"]
    for name in promised:
        assert (finished / name).is_file(), name
    assert any((finished / "winner" / "checkpoint").iterdir())
    assert not list(finished.rglob("*.part"))


def test_another_process_gives_the_same_bytes(finished: Path, kind: str, tmp_path: Path):
    own = {"XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR"}  # a stranger's process: compiles everything anew
    environment = {k: v for k, v in os.environ.items() if k not in own}
    command = [sys.executable, "-m", "metagen_jax", *tiny_command(kind, tmp_path / "elsewhere", "--quiet")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    first, second = files_of(finished), files_of(tmp_path / "elsewhere")
    assert first.keys() == second.keys()
    differing = [name for name in first if name not in NOT_HASHED and first[name] != second[name]]
    assert not differing


def test_the_manifest_has_the_fingerprint_of_every_artefact(finished: Path):
    manifest = json.loads((finished / "manifest.json").read_text())
    files = files_of(finished)
    assert manifest["sha256"].keys() == files.keys() - NOT_HASHED
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256(files[name]).hexdigest() == digest, name
    assert manifest["command"][1] == "automl"
    assert {"jax", "flax", "metagen_jax", "python"} <= manifest["versions"].keys()


def test_a_manifest_holds_what_predicted(finished: Path):
    manifest = RunFolder(finished).manifest()
    assert manifest["latency"]["device"] == "cpu"
    assert "latency.json" not in manifest["sha256"]
    assert json.loads((finished / "latency.json").read_text())["winner"]["timing"]["batch_size"] == 1


def test_the_run_is_remembered_with_every_candidate(finished: Path):
    spec = (finished / "spec.resolved.yaml").read_text()
    with Memory(user_file(), pytest.fail) as memory:
        runs = [memory.load(run.id) for run in memory.overview()]
    (remembered,) = (run for run in runs if run.spec == spec)
    result = result_of(finished)
    assert len(remembered.candidates) == result["counts"]["proposed"] - result["counts"]["infeasible"]
    best = next(candidate for candidate in remembered.candidates if candidate.place == 0)
    assert best.number == result["front"][0]["number"]
    winner = remembered.candidates[result["winner"]["number"]]
    assert winner.costs["params"] == result["winner"]["params"]
    assert winner.measurements[-1]["stage"] == "final"
    assert winner.measurements[-1]["metrics"] == pytest.approx(result["winner"]["validation"])


def test_the_counts_of_the_result_are_those_of_the_database(finished: Path):
    counts = result_of(finished)["counts"]
    with sqlite3.connect(finished / "search.sqlite") as database:
        statuses = [status for (status,) in database.execute("SELECT status FROM candidates")]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert counts["trained"] == statuses.count("trained") > 0
    assert counts["failed"] == statuses.count("failed")
    assert counts["proposed"] == len(statuses) + counts["infeasible"]
    assert 0 <= counts["repaired"] <= counts["proposed"]
    assert counts["programs"] == 1  # a tiny training of finalists is not worth a program of its own


def test_nothing_dominates_a_member_of_the_front(finished: Path):
    front = {member["number"] for member in result_of(finished)["front"]}
    with sqlite3.connect(finished / "search.sqlite") as database:
        rows = database.execute(
            "SELECT number, params, value FROM candidates JOIN measurements ON candidate = number "
            "WHERE stage = 'prototype' AND metric = 'loss' AND status = 'trained' "
            "AND step = (SELECT max(step) FROM measurements WHERE stage = 'prototype')"
        ).fetchall()
    points = {number: np.array([params, loss]) for number, params, loss in rows}
    dominated = {
        n for n, p in points.items() if any((q <= p).all() and (q < p).any() for m, q in points.items() if m != n)
    }
    assert front == points.keys() - dominated


def test_every_candidate_keeps_the_limits(finished: Path):
    spec = load_spec(finished / "spec.resolved.yaml")
    with sqlite3.connect(finished / "search.sqlite") as database:
        (most,) = database.execute("SELECT max(params) FROM candidates").fetchone()
    assert spec.constraints.max_params is not None
    assert most <= spec.constraints.max_params


def test_the_result_says_what_products_were_taken_in(finished: Path):
    assert result_of(finished)["precision"] == "float32"


def test_the_winner_is_a_finalist_and_has_both_scores(finished: Path):
    result = result_of(finished)
    winner = result["winner"]
    assert winner["number"] in {finalist["number"] for finalist in result["finalists"]}
    best = min(f["validation"]["loss"] for f in result["finalists"] if f["status"] == "trained")
    assert winner["validation"]["loss"] == best
    assert winner["test"].keys() == set(load_spec(finished / "spec.resolved.yaml").evaluation.metrics)


def test_the_resolved_spec_reads_back_as_the_same_spec(finished: Path):
    spec = load_spec(finished / "spec.resolved.yaml")
    assert result_of(finished)["spec"] == {"name": spec.name, "hash": spec.hash}
    assert spec.to_yaml() == (finished / "spec.resolved.yaml").read_text()


def test_the_figures_are_pictures_of_a_readable_size(finished: Path):
    for path in (finished / "figures").iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 400
            assert np.asarray(picture.convert("L")).std() > 10  # not an empty sheet


def run_in_project(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a script of a generated project where metagen_jax cannot be imported."""
    block = "import sys; sys.modules['metagen_jax'] = None; import runpy; sys.argv = sys.argv[1:]; sys.path.insert(0, '.'); "
    block += "runpy.run_path(sys.argv[0], run_name='__main__')"
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.run(
        [sys.executable, "-c", block, *command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_project_retraces_the_recorded_curve_from_its_initial_weights(finished: Path):
    done = run_in_project(finished / "winner", "train.py", "--prototype-mode")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_project_answers(finished: Path, kind: str):
    command = ["infer.py", "example.png"] if kind == "image" else ["infer.py", "--prompt", "In the", "--length", "20"]
    done = run_in_project(finished / "winner", *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


OTHERS = {  # of each kind: its family, and what its infer.py is asked
    "cnn": ("cnn", "example.png"),
    "labelled_text": ("encoder_transformer", "example.txt"),
    "vae": ("vae", "example.png"),
    "unet": ("unet", "--samples=2"),
    "audio": ("spectrogram_transformer", "example.wav"),
    "video": ("video_transformer", "example"),
    "sound": ("decoder_transformer", "--continue=example.wav"),
    "pairs": ("dual_encoder", "example.png --text=cat --text=dog"),
    "captions": ("captioner", "example.png"),
}
DRAWN = ("vae", "unet", "sound", "pairs")  # runs with a figure of pictures
LABELLING = ("cnn", "labelled_text", "audio", "video")  # with one of labels


@pytest.mark.parametrize("kind", in_short(OTHERS, RUNS))
def test_networks_of_other_families_are_found_and_trained(kind: str, tmp_path: Path):
    run = tmp_path / "run"
    assert run_tiny(kind, run) == 0
    assert result_of(run)["winner"]["family"] == OTHERS[kind][0]
    assert (run / "figures" / "pictures.png").is_file() == (kind in DRAWN)
    assert (run / "figures" / "confusion.png").is_file() == (kind in LABELLING)


@pytest.mark.slow  # tests/synth/test_project.py runs the commands of such projects, though not after a search
@pytest.mark.parametrize("kind", OTHERS)
def test_networks_of_other_families_are_handed_over(kind: str, tmp_path: Path):
    assert run_tiny(kind, tmp_path / "run") == 0
    for command in (["train.py", "--prototype-mode"], ["infer.py", *OTHERS[kind][1].split()]):
        done = run_in_project(tmp_path / "run" / "winner", *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_finished_run_is_not_overwritten_unasked(finished: Path, kind: str, capsys: pytest.CaptureFixture[str]):
    before = files_of(finished)
    assert run_tiny(kind, finished) == 2
    assert "--fresh" in capsys.readouterr().err
    assert files_of(finished) == before


def test_the_specs_that_ship_are_valid():
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        load_spec(path)
