"""Puts the stored figures into README.md: python experiments/limits/page.py"""

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "limits.json"
PAGE = Path(__file__).parent / "README.md"
COLUMNS = (
    "specs",
    "feasible",
    "proposed",
    "repaired",
    "infeasible",
    "built",
    "nothing feasible",
    "named",
    "refused when read",
    "something wrong",
)


def table(result: dict[str, Any]) -> str:
    """A row for each size of space, and one for all."""
    rows = [name for name in result if isinstance(result[name], dict) and "specs" in result[name]]
    lines = [f"| spaces | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name in [*(row for row in rows if row != "all"), "all"]:
        lines.append(f"| {name} | {' | '.join(f'{result[name][column]:,}' for column in COLUMNS)} |")
    return "\n".join(lines)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    new = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(re.sub(r"\| spaces \|.*?(?=\n\n)", lambda _: new, text, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    main()
