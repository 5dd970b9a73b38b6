"""Puts the stored figures into README.md: python experiments/memory/page.py"""

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "memory.json"
SCALE = Path(__file__).parent / "results" / "scale.json"
PAGE = Path(__file__).parent / "README.md"
HEADER = (
    "| task | searches | from the others: median, worst | unrelated starts | "
    "first round without memory | of the same spec again | of half the budget |"
)


def table(result: dict[str, Any]) -> str:
    """A row for each task, and one for all."""
    rows = [name for name in result if isinstance(result[name], dict) and "from_others" in result[name]]
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    for name in [*(row for row in rows if row != "all"), "all"]:
        found = result[name]
        others = found["from_others"]
        first, again, half = (
            f"{found[kind]['median']:.3f}, {found[kind]['worst']:.3f}"
            for kind in ("first_round_without_memory", "same_again_first_round", "half_budget_first_round")
        )
        cells = [name if name == "all" else f"`{name}`", f"{found['searches']}"]
        cells += [f"{others['median']:.2f}, {others['worst']:.2f}", f"{found['unrelated_starts']}", first, again, half]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with the table of what is stored."""
    new, large = table(json.loads(RESULTS.read_text(encoding="utf-8"))), json.loads(SCALE.read_text(encoding="utf-8"))
    text = re.sub(r"\| task \|.*?(?=\n\n)", lambda _: new, text, flags=re.S)
    return re.sub(r"(?<=\*\*A million candidates\.\*\* )[^\n]*", lambda _: scale(large), text)


def scale(found: dict[str, Any]) -> str:
    """A sentence on a large memory."""
    return (
        f"Of {found['candidates']:,} candidates in {found['runs']:,} made-up runs ({found['file_mb']:.0f} MB), a starting "
        f"point takes {found['first_s']:.2f} s at first and {max(found['again_s']):.2f} s again, with opening the file."
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
