"""Several hosts: process 0 leads, the others train."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from metagen_jax.automl.run_folder import RunFolder
from metagen_jax.cli import main
from metagen_jax.cli.cluster import Cluster, cluster_of
from tests.runs import tiny_command

QUICK = ("--quiet", "--set", "outputs.samples=0", "--host-devices", "1", "--workers", "1")


def start(out: Path, *more: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-m", "metagen_jax", *tiny_command("image", out, *QUICK, *more)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def start_two(folder: Path, *of_the_second: str) -> list["subprocess.Popen[str]"]:
    together = ("--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--process-id")
    first = start(folder / "first", *together, "0")
    return [first, start(folder / "second", *together, "1", *of_the_second)]


def test_two_processes_that_meet_through_jax_distributed_give_the_bytes_of_one(tmp_path: Path):
    assert start(tmp_path / "alone").wait(timeout=300) == 0
    processes = start_two(tmp_path)
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    assert RunFolder(tmp_path / "first").sha256() == RunFolder(tmp_path / "alone").sha256()
    assert not (tmp_path / "second").exists()  # one leads and writes


@pytest.mark.slow
def test_a_process_that_was_started_with_another_spec_is_given_no_work(tmp_path: Path):
    first, second = start_two(tmp_path, "--seed", "7")
    assert first.wait(timeout=300) == 0
    second.wait(timeout=300)
    log = (tmp_path / "first" / "log.jsonl").read_text()
    assert "it was started with another spec, other data or other versions" in log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--process-id", "0"], "--coordinator, --num-processes and --process-id belong together"),
        (["--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"], "--process-id 2"),
        (["--coordinator", "a", "--num-processes", "2", "--process-id", "1"], "no port"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(tiny_command("image", tmp_path / "run", *arguments)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_clusters_that_jax_knows_are_found_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "TPU_WORKER_HOSTNAMES"):
        monkeypatch.delenv(name, raising=False)
    assert cluster_of(None, None, None) is None
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert cluster_of(None, None, None) is None
    monkeypatch.setenv("SLURM_NTASKS", "2")
    assert cluster_of(None, None, None) == Cluster()
    monkeypatch.delenv("SLURM_NTASKS")
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "a,b")
    assert cluster_of(None, None, None) == Cluster()
