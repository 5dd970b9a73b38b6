"""What every stored result says about where it is from."""

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
        "command": shlex.join(["python", script, *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {where}",
        "versions": versions(),
        "seed": seed,
    }
