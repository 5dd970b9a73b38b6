"""Starts JAX as the command line does, once for all tests, before anything imports it."""

import os
import tempfile

from metagen_jax.cli.environment import start_jax

# Many tests run the same small programs: compile each once, in this process and in those that it starts.
_cache = tempfile.TemporaryDirectory(prefix="metagen_jax_tests_")
os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"

start_jax(8)  # for meshes of several devices
