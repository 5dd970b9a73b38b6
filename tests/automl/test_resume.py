"""Whatever stops a run, the same command goes on, and ends with the bytes of a run that nothing has stopped."""

import errno
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from metagen_jax.automl import export, pipeline
from metagen_jax.automl.candidate import PROPOSED
from metagen_jax.automl.database import RunDatabase
from metagen_jax.automl.prototype_trainer import OutOfTime, PrototypeTrainer
from metagen_jax.automl.run_folder import LOCK, RunFolder
from metagen_jax.population.training_checkpoints import TrainingCheckpoints
from metagen_jax.spec import load_spec
from tests.runs import run_tiny, tiny_command


@pytest.fixture(scope="session", autouse=True)
def image_only(kind: str) -> None:
    if kind != "image":
        pytest.skip("a folder is handled the same for every modality; experiments/faults has the others")


def same_artefacts(first: Path, second: Path) -> bool:
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (first, second)]
    return manifests[0]["sha256"] == manifests[1]["sha256"] == RunFolder(second).sha256()


class Stop:
    """Raises what it is given at the n-th call of a function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self._monkeypatch = monkeypatch

    def at(self, owner: object, name: str, call: int, error: Callable[[], BaseException], after: bool = False) -> None:
        whole, calls = getattr(owner, name), 0

        def stopped(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            result = whole(*args, **kwargs) if after or calls != call else None
            if calls == call:
                raise error()
            return result

        self._monkeypatch.setattr(owner, name, stopped)


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    return Stop(monkeypatch)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the candidates whose prototypes are trained from here on."""
    numbers: list[int] = []
    whole = PrototypeTrainer.train_prototypes

    def train_prototypes(self, candidates, *more):
        numbers.extend(candidate.number for candidate in candidates if candidate.status == PROPOSED)
        return whole(self, candidates, *more)

    monkeypatch.setattr(PrototypeTrainer, "train_prototypes", train_prototypes)
    return numbers


def test_a_search_that_was_interrupted_goes_on_after_the_last_chunk(
    finished: Path, tmp_path: Path, stop: Stop, trained: list[int], capsys: pytest.CaptureFixture[str]
):
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(RunDatabase, "record", 1, KeyboardInterrupt, after=True)
        assert run_tiny("image", tmp_path / "run") == 130
    assert "the same command goes on" in capsys.readouterr().err
    reader = sqlite3.connect(tmp_path / "run" / "search.sqlite")  # stays open and disturbs nobody
    looking = reader.execute("SELECT number FROM candidates ORDER BY number")
    stored = {looking.fetchone()[0]}
    trained.clear()
    assert run_tiny("image", tmp_path / "run") == 0
    assert "already trained" in capsys.readouterr().err
    stored |= {number for (number,) in looking}
    assert not stored & set(trained)
    assert stored | set(trained) == set(range(6))
    reader.close()
    assert same_artefacts(finished, tmp_path / "run")


def test_a_run_stopped_among_its_last_files_goes_on_without_training_prototypes(
    finished: Path, tmp_path: Path, trained: list[int]
):
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(export, "save_weights", 2, KeyboardInterrupt)
        assert run_tiny("image", tmp_path / "run", "--quiet") == 130
    assert (tmp_path / "run" / "winner.part").is_dir()
    trained.clear()
    assert run_tiny("image", tmp_path / "run", "--quiet") == 0
    assert not trained
    assert same_artefacts(finished, tmp_path / "run")


def test_a_full_disk_is_named_and_the_run_goes_on_later(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(
            pipeline, "write_json", 1, lambda: OSError(errno.ENOSPC, "No space left on device", "front.json")
        )
        assert run_tiny("image", tmp_path / "run", "--quiet") == 1
    assert "No space left on device: front.json\n  Free some space" in capsys.readouterr().err
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(RunDatabase, "record", 1, lambda: sqlite3.OperationalError("database or disk is full"))
        assert run_tiny("image", tmp_path / "run", "--quiet") == 1
    assert "disk is full" in capsys.readouterr().err
    assert run_tiny("image", tmp_path / "run", "--quiet") == 0
    assert same_artefacts(finished, tmp_path / "run")


def test_a_run_that_a_time_limit_ended_is_whole_and_goes_on_with_more_time(finished: Path, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(PrototypeTrainer, "train_prototypes", 2, lambda: OutOfTime("late"))
        assert run_tiny("image", tmp_path / "run", "--quiet") == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["counts"]["trained"] == 3 and "time limit" in result["status"]
    assert run_tiny("image", tmp_path / "run", "--quiet") == 0
    assert same_artefacts(finished, tmp_path / "run")


def test_a_killed_process_leaves_a_folder_that_goes_on(finished: Path, tmp_path: Path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "metagen_jax", *tiny_command("image", run, "--quiet")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not _num_stored(run) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)  # reading while the run writes is safe
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "manifest.json").exists()
    assert run_tiny("image", run, "--quiet") == 0
    assert same_artefacts(finished, run)


def _num_stored(run: Path) -> int:
    if not (run / "search.sqlite").exists():
        return 0
    connection = sqlite3.connect(f"file:{run / 'search.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT count(*) FROM candidates").fetchone()[0]
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0
    finally:
        connection.close()


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    holder = "import filelock, sys; l = filelock.FileLock(sys.argv[1]); l.acquire(); print('held', flush=True); input()"
    run.mkdir()
    command = [sys.executable, "-c", holder, str(run / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert run_tiny("image", run, "--quiet") == 2
        process.kill()
    assert "another run is at work" in capsys.readouterr().err
    assert [path.name for path in run.iterdir()] == [LOCK]


def interrupted(finished: Path, run: Path) -> Path:
    """What a run leaves that was killed right after its database was made."""
    run.mkdir()
    for name in ("spec.resolved.yaml", "origin.json"):
        (run / name).write_bytes((finished / name).read_bytes())
    with RunDatabase(run / "search.sqlite"):
        return run


def test_an_unfinished_run_of_another_spec_is_not_continued(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = interrupted(finished, tmp_path / "run")
    assert run_tiny("image", run, "--quiet", "--seed", "7") == 2
    assert "another spec" in capsys.readouterr().err


def test_an_unfinished_run_of_other_versions_is_not_continued(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = interrupted(finished, tmp_path / "run")
    origin = json.loads((run / "origin.json").read_text())
    origin["versions"]["jaxlib"] = "0.1"
    (run / "origin.json").write_text(json.dumps(origin))
    assert run_tiny("image", run, "--quiet") == 2
    assert "jaxlib 0.1 (now " in capsys.readouterr().err


def test_a_broken_database_is_named_and_fresh_starts_over(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = interrupted(finished, tmp_path / "run")
    (run / "search.sqlite").write_bytes(b"half of a database" * 100)
    assert run_tiny("image", run, "--quiet") == 2
    assert "search.sqlite cannot be read" in capsys.readouterr().err
    assert run_tiny("image", run, "--quiet", "--fresh") == 0
    assert same_artefacts(finished, run)


def test_fresh_that_is_interrupted_leaves_the_folder_of_an_unfinished_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = RunFolder(Path(shutil.copytree(finished, tmp_path / "run")))
    spec = load_spec(folder.path / "spec.resolved.yaml")
    options = json.loads((folder.path / "origin.json").read_text())["options"]
    removed = 0
    whole = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        nonlocal removed
        removed += 1
        if removed == 3:
            raise KeyboardInterrupt
        whole(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with folder.claimed(), pytest.raises(KeyboardInterrupt):
        folder.prepare(spec, {"options": options}, fresh=True)
    monkeypatch.undo()
    assert not folder.is_finished
    with folder.claimed():
        assert folder.prepare(spec, {"options": options}, fresh=True) is False
    assert {path.name for path in folder.path.iterdir()} == {LOCK, "origin.json", "spec.resolved.yaml"}


@pytest.mark.slow
def test_a_run_without_trained_prototypes_goes_on_too(tmp_path: Path):
    quick = ("--quiet", "--no-train-prototypes", "--set", "search.finalists=1", "--set", "outputs.project=false")
    assert run_tiny("image", tmp_path / "undisturbed", *quick) == 0
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch).at(PrototypeTrainer, "train_finalists", 1, KeyboardInterrupt)
        assert run_tiny("image", tmp_path / "run", *quick) == 130
    assert run_tiny("image", tmp_path / "run", *quick) == 0
    assert same_artefacts(tmp_path / "undisturbed", tmp_path / "run")


def test_finalists_go_on_after_the_leg_at_which_they_were_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    more = ("--set", "training.steps=200", "--set", "outputs.project=false")
    assert run_tiny("image", tmp_path / "whole", "--quiet", *more) == 0
    with monkeypatch.context() as patch:
        Stop(patch).at(TrainingCheckpoints, "save", 5, KeyboardInterrupt, after=True)
        assert run_tiny("image", tmp_path / "run", "--quiet", *more) == 130
    steps = [int(path.name) for path in (tmp_path / "run" / "checkpoints").glob("*/*")]
    assert steps and max(steps) >= 100
    capsys.readouterr()
    assert run_tiny("image", tmp_path / "run", *more) == 0
    assert "goes on after 100 steps" in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert same_artefacts(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_without_room_for_checkpoints_an_interrupted_run_still_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    more = ("--set", "training.steps=100", "--set", "outputs.project=false", "--disk-limit", "1kB")
    assert run_tiny("image", tmp_path / "whole", *more) == 0
    assert "interrupted finalists will start over" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        Stop(patch).at(TrainingCheckpoints, "save", 1, KeyboardInterrupt, after=True)
        assert run_tiny("image", tmp_path / "run", "--quiet", *more) == 130
    assert run_tiny("image", tmp_path / "run", "--quiet", *more) == 0
    assert same_artefacts(tmp_path / "whole", tmp_path / "run")


def test_a_disk_limit_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_tiny("image", tmp_path / "run", "--disk-limit", "much") == 2
    assert "--disk-limit" in capsys.readouterr().err
