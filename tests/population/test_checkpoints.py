"""Weights on disk are the weights, and nothing of when or where they were written."""

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pytest

from experiments.faults.disk_full import fault, read_log
from metagen_jax.population.checkpoints import load_weights, save_weights

WEIGHTS = {
    ("embed", "position"): np.arange(6, dtype=np.float32).reshape(2, 3),
    **{("blocks", layer, "attention", "query"): np.full((2, 1, 3), layer / 3, np.float32) for layer in range(12)},
    ("head",): np.zeros((3, 2), np.float32),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    save_weights(tmp_path / "weights", WEIGHTS)
    loaded = load_weights(tmp_path / "weights")
    assert loaded.keys() == WEIGHTS.keys()
    for path, value in WEIGHTS.items():
        assert loaded[path].dtype == np.float32
        np.testing.assert_array_equal(loaded[path], value)


def test_the_same_weights_give_the_same_bytes_wherever_they_are_written(tmp_path):
    for name in ("one", "deeper/one"):
        save_weights(tmp_path / name, WEIGHTS)
    assert contents(tmp_path / "one") == contents(tmp_path / "deeper/one")
    assert not any(str(tmp_path).encode() in content for content in contents(tmp_path / "one").values())


def test_orbax_reads_them_without_our_help(tmp_path):
    save_weights(tmp_path / "weights", WEIGHTS)
    with ocp.StandardCheckpointer() as checkpointer:
        tree = checkpointer.restore(tmp_path / "weights")
    np.testing.assert_array_equal(
        tree["blocks"]["11"]["attention"]["query"], WEIGHTS["blocks", 11, "attention", "query"]
    )


def test_nothing_is_logged_and_the_next_warning_of_others_still_is(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        save_weights(tmp_path / "weights", WEIGHTS)
        load_weights(tmp_path / "weights")
        assert caplog.records == []
        logging.getLogger("absl").warning("something else")
    assert len(caplog.records) == 1


def test_weights_are_never_overwritten(tmp_path):
    save_weights(tmp_path / "weights", WEIGHTS)
    with pytest.raises(ValueError, match="already exists"):
        save_weights(tmp_path / "weights", WEIGHTS)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        load_weights(tmp_path / "nowhere")


def test_a_full_disk_is_an_os_error_that_names_the_folder(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def full(*arguments: object, **options: object) -> None:
        raise ValueError("RESOURCE_EXHAUSTED: Error writing local file: No space left on device [os_error_code='28']")

    monkeypatch.setattr(ocp.Checkpointer, "save", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_weights(tmp_path / "weights", {("a",): np.zeros(2, np.float32)})
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "weights")


WRITER = """
import sys
from pathlib import Path
from metagen_jax.population.checkpoints import save_weights
from tests.population.test_checkpoints import WEIGHTS

try:
    save_weights(Path(sys.argv[1]) / "weights", WEIGHTS)
except OSError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_is_one_message_whichever_write_meets_it_first(interposer: Path, tmp_path: Path):
    def write(name: str, after: int) -> subprocess.CompletedProcess[str]:
        (tmp_path / name).mkdir()
        environment = os.environ | fault(interposer, tmp_path / name, tmp_path / f"{name}.log", after)
        command = [sys.executable, "-c", WRITER, str(tmp_path / name)]
        return subprocess.run(
            command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
        )

    assert write("counted", 0).returncode == 0
    writes = read_log(tmp_path / "counted.log", tmp_path / "counted")
    in_arrays = [write.number for write in writes if "blocks.3" in write.file]
    for after in (2, 3, *in_arrays[::3], len(writes)):
        done = write(str(after), after)
        assert done.returncode == 1
        folder = tmp_path / str(after) / "weights"
        assert done.stderr.startswith(f"[Errno {errno.ENOSPC}] No space left on device: '{folder}")
        assert done.stderr.count("\n") == 1
