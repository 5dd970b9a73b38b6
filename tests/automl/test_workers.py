"""Other processes that train change nothing but the time."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metagen_jax.automl.run_folder import RunFolder
from tests.runs import tiny_command

QUICK = ("--quiet", "--set", "outputs.project=false", "--set", "search.rungs=2", "--set", "search.reduction_factor=2")


def start(out: Path, *more: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-m", "metagen_jax", *tiny_command("image", out, *QUICK, *more)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def children(process: "subprocess.Popen[str]") -> list[int]:
    """The processes of Python's `multiprocessing` that it has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert start(folder, "--workers", "1").wait() == 0
    return folder


def test_a_run_with_three_processes_gives_the_bytes_of_a_run_with_one(alone: Path, tmp_path: Path):
    assert start(tmp_path / "run", "--workers", "3").wait() == 0
    assert RunFolder(tmp_path / "run").sha256() == RunFolder(alone).sha256()
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["host_devices"] == 1


def test_a_worker_that_is_killed_takes_nothing_with_it(alone: Path, tmp_path: Path):
    run = start(tmp_path / "run", "--workers", "2")
    while not (workers := children(run)):
        time.sleep(0.1)
        assert run.poll() is None
    time.sleep(6)  # it is at work, or about to be
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert run.wait() == 0
    assert RunFolder(tmp_path / "run").sha256() == RunFolder(alone).sha256()


@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_workers_end_with_the_run_that_started_them_and_the_run_goes_on(
    alone: Path, tmp_path: Path, end: signal.Signals
):
    run = start(tmp_path / "run", "--workers", "2")
    database = tmp_path / "run" / "search.sqlite"
    while not (database.exists() and _num_recorded(database)):
        time.sleep(0.05)
        assert run.poll() is None
    workers = children(run)
    assert workers
    run.send_signal(end)
    assert run.wait() == (130 if end == signal.SIGINT else -signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert start(tmp_path / "run", "--workers", "1").wait() == 0
    assert RunFolder(tmp_path / "run").sha256() == RunFolder(alone).sha256()


def _num_recorded(database: Path) -> int:
    try:
        with sqlite3.connect(database) as connection:
            return connection.execute("SELECT count(*) FROM candidates").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0
