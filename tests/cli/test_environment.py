"""What is settled before JAX computes anything."""

from pathlib import Path

import jax
import pytest

from metagen_jax.cli import environment


@pytest.mark.parametrize(("platforms", "expected"), [("cpu", False), ("cpu,cuda", False), ("cuda,cpu", True)])
def test_the_first_platform_that_the_user_names_decides(
    platforms: str, expected: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    assert environment._has_accelerator() == expected


@pytest.mark.parametrize(
    ("device", "plugins", "expected"), [("nvidia0", ["cuda"], True), ("nvidia0", [], False), ("null", ["cuda"], False)]
)
def test_else_it_takes_a_driver_and_a_plugin_of_jax(
    device: str, plugins: list[str], expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr(environment, "DEVICES", tmp_path)
    monkeypatch.setattr(environment, "entry_points", lambda group: plugins)
    (tmp_path / device).touch()
    assert environment._has_accelerator() == expected


def test_where_there_is_no_accelerator_the_default_device_stays_as_it_is():
    before = jax.config.jax_default_device
    environment.search_on_cpu()
    assert jax.config.jax_default_device is before


def test_flags_of_the_user_win(monkeypatch: pytest.MonkeyPatch):
    theirs = (
        "--xla_gpu_deterministic_ops=false --xla_force_host_platform_device_count=3 --xla_cpu_multi_thread_eigen=true"
    )
    monkeypatch.setenv("XLA_FLAGS", theirs)
    environment.start_jax(8)
    assert environment.os.environ["XLA_FLAGS"] == theirs
