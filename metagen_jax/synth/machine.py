"""What was measured on a machine and is kept for predictions: shipped figures, and the user's own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs


def user_file() -> Path:
    """Where `metagen calibrate` keeps what it has measured on this machine."""
    return Path(platformdirs.user_config_dir("metagen_jax")) / "coefficients.json"


def measured(backend: str, part: str, shipped: Path) -> Any:
    """One part of what is known of a backend: the user's own if there is any, else the shipped, else None."""
    for file in (user_file(), shipped):
        known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        if part in known.get(backend, {}):
            return known[backend][part]
    return None


def keep(file: Path, backend: str, parts: Mapping[str, Any]) -> None:
    """Writes parts of what is known of a backend into a file and leaves everything else in it as it is."""
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    known[backend] = known.get(backend, {}) | parts
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
