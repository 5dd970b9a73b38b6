"""What was saved comes back bit for bit or not at all, within the bytes that it may take."""

import contextlib
import errno
import itertools
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.faults.disk_full import fault
from metagen_jax.population.training_checkpoints import TrainingCheckpoints

ROOT = Path(__file__).parents[2]
NAME = "candidate-7"
FACTS = {"losses": [0.1, float("nan")], "score": 2.5}
NUM_VALUES = 40_000


class State(NamedTuple):
    params: dict[str, Any]
    opt_state: Any
    alive: np.ndarray


def state_after(step: int, num_values: int = NUM_VALUES) -> State:
    """Random bits, which no compression makes smaller, and what is easily lost: NaNs, nothing, one bit."""
    draw = np.random.default_rng(step)
    params = {
        "w": draw.integers(2**32, size=(num_values // 4, 4), dtype=np.uint32).view(np.float32),
        "empty": np.zeros((0, 3), np.float32),
        "half": np.asarray(jnp.arange(3, dtype=jnp.bfloat16)),
        "transposed": draw.standard_normal((3, 5)).astype(np.float32).T,
    }
    return State(params, (optax.EmptyState(), [np.int32(step)]), np.bool_(step % 2))


def same_bits(first: Any, second: Any) -> bool:
    if jax.tree.structure(first) != jax.tree.structure(second):
        return False
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


def used_bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # renamed or removed meanwhile
                total += Path(place, name).stat().st_size
    return total


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def reopened(tmp_path: Path, notes: list[str]) -> Iterator[Callable[..., TrainingCheckpoints]]:
    """Opens the folder as a new process would."""
    opened = []

    def reopen(limit_bytes: int | None = None) -> TrainingCheckpoints:
        opened.append(TrainingCheckpoints(tmp_path / "checkpoints", limit_bytes, notes.append))
        return opened[-1]

    yield reopen
    for checkpoints in opened:
        checkpoints.close()


@pytest.fixture
def two_steps(reopened: Callable[..., TrainingCheckpoints], tmp_path: Path) -> Path:
    """The folder of a training that was stopped after 20 steps; it has a checkpoint of step 10 as well."""
    with reopened() as checkpoints:
        for step in (10, 20):
            checkpoints.save(NAME, step, state_after(step), FACTS | {"step": step})
    return tmp_path / "checkpoints" / NAME


def content_of(checkpoint: Path) -> Path:
    return max((path for path in checkpoint.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def test_the_newest_state_comes_back_bit_for_bit_in_another_process(two_steps: Path, reopened, notes):
    saved = reopened().latest(NAME, state_after(0))
    assert saved is not None and saved.step == 20
    assert same_bits(saved.state, state_after(20)) and not same_bits(saved.state, state_after(10))
    assert str(saved.facts) == str(FACTS | {"step": 20})  # as text, since NaN differs from itself
    assert not notes


def test_shapes_are_enough_to_read_a_state(two_steps: Path, reopened):
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state_after(0))
    assert same_bits(reopened().latest(NAME, shapes).state, state_after(20))


def test_a_tuple_of_arrays_comes_back_without_knowing_their_shapes(reopened):
    state = (np.arange(6, dtype=np.int32).reshape(2, 3), np.float32(0.1), np.bool_(True))
    checkpoints = reopened()
    checkpoints.save(NAME, 1, state, {})
    assert same_bits(checkpoints.latest(NAME).state, state)


def test_a_state_that_changes_after_save_is_saved_as_it_was(reopened):
    state, checkpoints = state_after(1), reopened()
    checkpoints.save(NAME, 1, state, {})
    state.params["w"][:] = 0
    assert same_bits(checkpoints.latest(NAME, state).state, state_after(1))


def test_trainings_do_not_meet_and_a_discarded_one_starts_over(reopened, tmp_path: Path):
    checkpoints = reopened()
    checkpoints.save("first", 1, state_after(1), {})
    checkpoints.save("second", 2, state_after(2), {})
    checkpoints.discard("second")
    assert checkpoints.latest("second", state_after(0)) is None
    assert checkpoints.latest("first", state_after(0)).step == 1
    checkpoints.discard("first")
    checkpoints.close()
    assert not (tmp_path / "checkpoints").exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, Path.unlink])
def test_a_damaged_checkpoint_is_noted_and_the_one_before_is_used(damage, two_steps: Path, reopened, notes):
    damage(content_of(two_steps / "20"))
    saved = reopened().latest(NAME, state_after(0))
    assert saved.step == 10 and same_bits(saved.state, state_after(10))
    assert len(notes) == 1 and str(two_steps / "20") in notes[0]
    assert not (two_steps / "20").exists()


def test_no_flipped_byte_of_any_file_gives_another_state(reopened, tmp_path: Path):
    with reopened() as checkpoints:
        checkpoints.save(NAME, 1, state_after(1, num_values=16), FACTS)
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "checkpoints", whole)
    checkpoints, read = reopened(), []
    for path in sorted(path for path in whole.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for position in random.Random(0).sample(range(len(content)), 12):
            shutil.rmtree(tmp_path / "checkpoints", ignore_errors=True)
            shutil.copytree(whole, tmp_path / "checkpoints")
            damaged = content[:position] + bytes([content[position] ^ 0x15]) + content[position + 1 :]
            (tmp_path / "checkpoints" / path.relative_to(whole)).write_bytes(damaged)
            read.append(checkpoints.latest(NAME, state_after(0, num_values=16)))
    used = [saved for saved in read if saved is not None]
    assert 0 < len(used) < len(read)  # orbax does not need every byte of its own descriptions
    assert all(same_bits(saved.state, state_after(1, num_values=16)) for saved in used)
    assert all(str(saved.facts) == str(FACTS) for saved in used)


def test_a_checkpoint_under_the_name_of_another_step_is_not_used(two_steps: Path, reopened, notes):
    (two_steps / "20").rename(two_steps / "30")
    assert reopened().latest(NAME, state_after(0)).step == 10
    assert len(notes) == 1


def test_a_state_of_another_program_is_not_used(two_steps: Path, reopened, notes):
    larger = state_after(0, num_values=2 * NUM_VALUES)
    assert reopened().latest(NAME, larger) is None
    assert len(notes) == 2 and "another program" in notes[0]


def test_a_half_written_checkpoint_is_noted_removed_and_passed_over(two_steps: Path, reopened, notes):
    half = two_steps / "30.orbax-checkpoint-tmp"
    shutil.copytree(two_steps / "20", half)
    content_of(half).unlink()
    assert reopened().latest(NAME, state_after(0)).step == 20
    assert not half.exists()
    assert len(notes) == 1 and str(half) in notes[0] and "half-written" in notes[0]


def test_the_checkpoint_before_stays_until_the_new_one_is_whole(reopened, tmp_path: Path):
    checkpoints, folder, stop = reopened(), tmp_path / "checkpoints" / NAME, threading.Event()
    least = []

    def watch() -> None:
        while not stop.is_set():
            least.append(sum(path.name.isdecimal() for path in folder.glob("*")))

    checkpoints.save(NAME, 1, state_after(1), {})
    checkpoints.latest(NAME, state_after(0))  # it is whole now
    watcher = threading.Thread(target=watch)
    watcher.start()
    for step in range(2, 12):
        checkpoints.save(NAME, step, state_after(step), {})
    assert checkpoints.latest(NAME, state_after(0)).step == 11
    stop.set()
    watcher.join()
    assert len(least) > 10 and min(least) == 1 and max(least) == 2


def test_a_training_that_starts_over_leaves_later_steps_behind(two_steps: Path, reopened):
    checkpoints = reopened()
    checkpoints.save(NAME, 5, state_after(5), {})
    assert checkpoints.latest(NAME, state_after(0)).step == 5


@pytest.mark.parametrize("room_for", [0.5, 1.5, 2.5, 3.5])
def test_the_files_never_take_more_than_the_limit(room_for: float, reopened, tmp_path: Path, notes):
    limit = int(room_for * 4 * NUM_VALUES)
    checkpoints, stop = reopened(limit), threading.Event()
    taken = []

    def watch() -> None:
        while not stop.is_set():
            taken.append(used_bytes(tmp_path / "checkpoints"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for step, name in itertools.product(range(1, 7), ("first", "second")):
        checkpoints.save(name, step, state_after(step), {})
    latest = [checkpoints.latest(name, state_after(0)) for name in ("first", "second")]
    stop.set()
    watcher.join()
    assert max(taken) <= limit
    assert len(taken) > 10 and (room_for < 1 or max(taken) > 4 * NUM_VALUES)  # so that the rest is not vacuous
    steps = [saved and saved.step for saved in latest]
    # With room for one, the first training keeps it; for two, neither is renewed; for three, always one at a time.
    assert steps == {0.5: [None, None], 1.5: [1, None], 2.5: [1, 1], 3.5: [6, 6]}[room_for]
    assert len(notes) == (room_for < 3)
    assert all("checkpoints are limited to" in note for note in notes)


WRITER = """
import sys
from pathlib import Path
from metagen_jax.population.training_checkpoints import TrainingCheckpoints
from tests.population.test_training_checkpoints import NAME, state_after

try:
    with TrainingCheckpoints(Path(sys.argv[1]), None, print) as checkpoints:
        for step in range(1, int(sys.argv[2]) + 1):
            checkpoints.save(NAME, step, state_after(step), {})
            print(step, flush=True)
except OSError as error:
    sys.exit(str(error))
"""


def write(folder: Path, num_steps: int, **environment: str) -> subprocess.Popen[str]:
    """A process that saves a checkpoint after each step and says which."""
    command = [sys.executable, "-c", WRITER, str(folder), str(num_steps)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=os.environ | environment)


def test_a_process_killed_while_it_writes_leaves_a_state_that_it_had(tmp_path: Path, reopened, notes):
    moments = random.Random(0)
    for _ in range(4):
        with write(tmp_path / "checkpoints", 100_000) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(moments.randrange(3, 9))]
            time.sleep(moments.random() / 20)
            process.kill()
            said += process.stdout.readlines()
        last = int(said[-1])
        saved = reopened().latest(NAME, state_after(0))
        assert last - 1 <= saved.step <= last + 1  # the one before the last was whole when the last was begun
        assert same_bits(saved.state, state_after(saved.step))
    assert all("half-written" in note for note in notes)


def test_a_full_disk_is_one_message_with_the_folder_and_a_later_process_goes_on(
    interposer: Path, tmp_path: Path, notes: list[str]
):
    log = tmp_path / "writes.log"
    with write(tmp_path / "counted", 2, **fault(interposer, tmp_path / "counted", log)) as process:
        process.communicate()
    num_writes = len(log.read_text().splitlines())
    assert process.returncode == 0 and num_writes > 20
    for after in random.Random(0).sample(range(1, num_writes + 1), 6):
        folder = tmp_path / f"full-{after}"
        with write(folder, 2, **fault(interposer, folder, tmp_path / f"{after}.log", after)) as process:
            _, errors = process.communicate()
        assert process.returncode == 1
        assert (
            errors.startswith(f"[Errno {errno.ENOSPC}] No space left on device: '{folder}") and errors.count("\n") == 1
        )
        with TrainingCheckpoints(folder, None, notes.append) as checkpoints:
            saved = checkpoints.latest(NAME, state_after(0))
            assert saved is None or same_bits(saved.state, state_after(saved.step))
            checkpoints.save(NAME, 3, state_after(3), {})
            assert checkpoints.latest(NAME, state_after(0)).step == 3
