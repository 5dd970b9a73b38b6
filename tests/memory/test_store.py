"""Nothing that was acknowledged is lost, whoever writes beside and whatever happens to the file."""

import dataclasses
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from metagen_jax.errors import MemoryFileError
from metagen_jax.memory import Memory, RunRecord, store
from tests.memory.conftest import MakeRun, make_run
from tests.runs import ROOT

WRITER = """
import sys
from pathlib import Path
from metagen_jax.memory import Memory
from tests.memory.conftest import make_run
path, first, count, size = Path(sys.argv[1]), *map(int, sys.argv[2:])
with Memory(path) as memory:
    for seed in range(first, first + count):
        run = make_run(seed, size)
        memory.remember(run)
        print(run.id, flush=True)
"""


def loaded(path: Path) -> list[RunRecord]:
    with Memory(path, pytest.fail) as memory:
        return [memory.load(run.id) for run in memory.overview()]


def test_a_run_comes_back_as_it_was(tmp_path: Path, make_run: MakeRun):
    run = make_run(0, 3)
    with Memory(tmp_path / "new" / "memory.sqlite") as memory:
        assert memory.remember(run)
    assert loaded(tmp_path / "new" / "memory.sqlite") == [run]


def test_the_same_run_is_remembered_once_and_replaced_when_it_went_further(tmp_path: Path, make_run: MakeRun):
    short, long = make_run(0, 3), make_run(0, 5)
    assert short.id == long.id
    with Memory(tmp_path / "memory.sqlite") as memory:
        stored = [memory.remember(run) for run in (short, dataclasses.replace(short, date="2026-12-24"), long, short)]
    assert stored == [True, False, True, False]
    assert loaded(tmp_path / "memory.sqlite") == [long]


def test_forgetting_removes_the_candidates_too(tmp_path: Path, make_run: MakeRun):
    first, second = make_run(0, 3), make_run(1, 4)
    with Memory(tmp_path / "memory.sqlite") as memory:
        assert memory.merge([first, second]) == 2
        assert memory.forget([first.id, "no such run"]) == 1
        with pytest.raises(KeyError):
            memory.load(first.id)
    with sqlite3.connect(tmp_path / "memory.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM candidates").fetchone() == (4,)


def test_a_merge_that_fails_leaves_nothing_behind(tmp_path: Path, make_run: MakeRun):
    good = make_run(0, 3)
    twice = dataclasses.replace(make_run(1, 3), candidates=good.candidates[:1] * 2)  # two of one number
    with Memory(tmp_path / "memory.sqlite") as memory, pytest.raises(MemoryFileError, match="UNIQUE"):
        memory.merge([good, twice])
    assert loaded(tmp_path / "memory.sqlite") == []


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be read as one" * 30, b"SQLite format 3\0" * 90]
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(content: bytes, tmp_path: Path, make_run: MakeRun):
    path, notes = tmp_path / "memory.sqlite", []
    for number in (1, 2):
        path.write_bytes(content)
        with Memory(path, notes.append) as memory:
            assert memory.remember(make_run(0, 3))
        assert (tmp_path / f"memory.sqlite.damaged-{number}").read_bytes() == content
        assert f"kept as memory.sqlite.damaged-{number}" in notes[-1]
    assert loaded(path) == [make_run(0, 3)]


def test_a_newer_file_is_left_alone(tmp_path: Path):
    path = tmp_path / "memory.sqlite"
    Memory(path).__exit__()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(MemoryFileError, match=r"has version 99.*knows 3 at most\n.*--no-memory"):
        Memory(path)
    assert [file.name for file in tmp_path.glob("*damaged*")] == []


def test_an_older_file_is_brought_up_to_date_with_all_that_it_has(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "memory.sqlite"
    with Memory(path) as memory:
        memory.remember(make_run(0, 3))
    step = "CREATE TABLE later (word TEXT); INSERT INTO later SELECT id FROM runs"
    monkeypatch.setattr(store, "STEPS", (*store.STEPS, step))
    assert loaded(path) == [make_run(0, 3)]
    assert loaded(path) == [make_run(0, 3)]  # not twice
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT word FROM later").fetchall() == [(make_run(0, 3).id,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)


def test_runs_of_the_first_version_have_spaces_and_initial_keys_that_are_not_known(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "memory.sqlite"
    run = dataclasses.replace(make_run(0, 3), space={"d_model": [8, 16]})
    with monkeypatch.context() as patched:
        patched.setattr(store, "STEPS", store.STEPS[:1])
        patched.setattr(store, "OF_RUN", tuple(name for name in store.OF_RUN if name != "space"))
        patched.setattr(store, "OF_CANDIDATE", tuple(name for name in store.OF_CANDIDATE if name != "initial_key"))
        with Memory(path) as memory:
            memory.remember(run)
    candidates = tuple(dataclasses.replace(each, initial_key=None) for each in run.candidates)
    assert loaded(path) == [dataclasses.replace(run, space={}, candidates=candidates)]


def test_the_best_few_come_back_best_first(tmp_path: Path, make_run: MakeRun):
    run = make_run(0, 5)  # the first of which failed
    with Memory(tmp_path / "memory.sqlite") as memory:
        memory.remember(run)
        assert memory.load(run.id, best=2) == dataclasses.replace(run, candidates=run.candidates[1:3])
        assert [(each.run, each.features) for each in memory.tasks()] == [(run.id, dict(run.features))]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MemoryFileError, match=r"file/memory\.sqlite cannot be used"):
        Memory(tmp_path / "file" / "memory.sqlite")


@pytest.mark.parametrize(("writers", "runs", "size"), [(3, 10, 50), pytest.param(8, 100, 100, marks=pytest.mark.slow)])
def test_writers_side_by_side_lose_nothing_though_some_are_killed(writers: int, runs: int, size: int, tmp_path: Path):
    path = tmp_path / "memory.sqlite"
    commands = [
        [sys.executable, "-c", WRITER, str(path), str(number * runs), str(runs), str(size)] for number in range(writers)
    ]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for command in commands]
    killed, acknowledged = processes[::3], []
    for process in killed:
        acknowledged += [process.stdout.readline().strip() for _ in range(runs // 10)]
        process.send_signal(signal.SIGKILL)
    for process in processes:
        acknowledged += process.stdout.read().split()
        assert process.wait() == (-signal.SIGKILL if process in killed else 0)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = {run.id: run for run in loaded(path)}
    assert set(acknowledged) <= set(kept)
    assert len(kept) >= len(acknowledged) >= (writers - len(killed)) * runs
    assert all(len(run.candidates) == size for run in kept.values())
    assert make_run(runs, size) in kept.values()
