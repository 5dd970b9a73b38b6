"""Starts JAX as the command line does, once for all tests, before anything imports it."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from metagen_jax.cli.environment import start_jax
from tests.short import is_further

# Many tests run the same small programs: compile each once for all processes, those of pytest-xdist included.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="metagen_jax_tests_")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    # Tests remember nothing for the runs of who starts them, and one does not begin with what another has found.
    _data = tempfile.TemporaryDirectory(prefix="metagen_jax_tests_")
    os.environ["XDG_DATA_HOME"] = _data.name
    os.environ["METAGEN_COLD"] = "1"

start_jax(8)  # for meshes of several devices

# Of the 65,530 memory maps that Linux grants a process by default; a small program takes 15, a large one hundreds.
MOST_MAPS = 20_000


@pytest.hookimpl(tryfirst=True)  # before what `-m` leaves out is left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if is_further(item, config.rootpath):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_let_go_of() -> Iterator[None]:
    """Drops what JAX has compiled for earlier files, before it runs out of memory maps: XLA does not survive that."""
    import jax  # which reads the environment when it is imported

    yield
    maps = Path("/proc/self/maps")
    if not maps.exists() or maps.read_text().count("\n") > MOST_MAPS:
        jax.clear_caches()
        gc.collect()
