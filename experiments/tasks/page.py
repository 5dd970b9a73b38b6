"""Puts the stored figures into README.md: python experiments/tasks/page.py"""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS, PAGE = FOLDER / "results", FOLDER / "README.md"
# Which is the better; the first that a task has is shown.
METRICS = {"bits_per_character": min, "bits_per_token": min, "accuracy": max, "mse": min, "loss": min}


def table(results: list[dict[str, Any]]) -> str:
    """A row for each run."""
    lines = ["| spec | | seed | test | baseline | parameters | minutes |", "|---|---|---|---|---|---|---|"]
    for result in results:
        for row in result["rows"]:
            metric = next(name for name in METRICS if name in row["test"])
            known = [(of["validation"][metric], of["name"]) for of in row["baselines"] if metric in of["validation"]]
            value, name = METRICS[metric](known)
            lines.append(
                f"| `{result['spec']}` | {row['kind']} | {row['seed']} | {metric.replace('_', ' ')} "
                f"{row['test'][metric]:.3f} | {value:.3f}, {name} | {row['params']:,} | {row['seconds'] / 60:.1f} |"
            )
    return "\n".join(lines)


def stored() -> list[dict[str, Any]]:
    """The results of every spec that was run."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def page(text: str) -> str:
    """The page with the table of what is stored."""
    return re.sub(r"\| spec \|.*?(?=\n\n)", lambda _: table(stored()), text, flags=re.S)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
