"""`python -m metagen_jax.automl`: the same as `metagen automl`."""

import sys

from metagen_jax.cli import main

sys.exit(main(["automl", *sys.argv[1:]]))
