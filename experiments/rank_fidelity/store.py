"""Finished measurements as JSON lines: a run that was killed goes on after the last whole line."""

import json
from pathlib import Path
from typing import Any

from experiments.rank_fidelity.settings import Measurement


class OtherSettings(Exception):
    """The file holds what was measured with other settings or versions."""


class Store:
    """A file whose first line says what all further ones were measured with.

    Args:
      path: is created where it is not there.
      header: plain JSON.
    Raises:
      OtherSettings: the file has another header.
    """

    def __init__(self, path: Path, header: dict[str, Any]):
        self._path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n")
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])  # without a line that was being written
        found, self.results = read(path)
        if found != json.loads(json.dumps(header)):
            raise OtherSettings(f"{path} was measured with {found}, not with {header}; move it away or name another.")

    def add(self, what: Measurement, result: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(what.to_json() | result) + "\n")
        self.results[what] = result


def read(path: Path) -> tuple[dict[str, Any], dict[Measurement, dict[str, Any]]]:
    """The header and the results."""
    header, *lines = map(json.loads, path.read_text().splitlines())
    names = Measurement.__dataclass_fields__
    results = {}
    for line in lines:
        what = Measurement(**{name: line.pop(name) for name in names})
        results[what] = line
    return header, results
