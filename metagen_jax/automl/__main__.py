"""`python -m metagen_jax.automl`: the same as `metagen automl`."""

import sys

from metagen_jax.cli import entry_point

sys.argv[1:1] = ["automl"]
entry_point()
