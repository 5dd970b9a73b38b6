"""Writes the results of a benchmark as JSON, with what is needed to read them later."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
from typing import Any

RESULTS = pathlib.Path(__file__).parent / "results"
LIBRARIES = ("jax", "jaxlib", "numpy", "cma", "evosax", "pymoo", "optuna", "scikit-learn")


def write_results(name: str, results: dict[str, Any]) -> pathlib.Path:
    """Writes `results/<name>.json` and returns its path.

    Args:
      name: of the benchmark.
      results: numbers, texts, lists and dicts only.
    """
    record = {
        "benchmark": name,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": {"processor": platform.machine(), "cores": len(os.sched_getaffinity(0))},
        "versions": {library: _version(library) for library in LIBRARIES},
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
