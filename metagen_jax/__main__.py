"""`python -m metagen_jax`: the same as `metagen`."""

from metagen_jax.cli import entry_point

entry_point()
