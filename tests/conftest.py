"""Starts JAX as the command line does, once for all tests, before anything imports it."""

from metagen_jax.cli.environment import DEFAULT_HOST_DEVICES, start_jax

start_jax(DEFAULT_HOST_DEVICES)
