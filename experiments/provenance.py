"""What every stored result says about where it is from."""

import argparse
import datetime
import platform
import shlex
import sys
from typing import Any

from metagen_jax.automl.run_folder import versions


def provenance(script: str, where: str, seed: int) -> dict[str, Any]:
    """Date, command, machine, versions and seed.

    Args:
      script: its path from the root of the project.
      where: what of the machine it ran on, such as "one core".
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": shlex.join(["python", script, *_what_counts(sys.argv[1:])]),
        "machine": f"{platform.machine()}, {where}",
        "versions": versions(),
        "seed": seed,
    }


def _what_counts(arguments: list[str]) -> list[str]:
    """The arguments without folders, which are those of some machine and change nothing in the results."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--results")
    parser.add_argument("--run")
    return parser.parse_known_args(arguments)[1]
