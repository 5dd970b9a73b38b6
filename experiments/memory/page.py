"""Puts the stored figures into README.md: python experiments/memory/page.py"""

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

from experiments.memory.run import summary

RESULTS = Path(__file__).parent / "results" / "memory.json"
SCALE = Path(__file__).parent / "results" / "scale.json"
PAGE = Path(__file__).parent / "README.md"
HEADER = (
    "| task | searches | from the others: median, worst | and a prior | other searches without memory | starts | "
    "candidates better than a start | unrelated starts | "
    "first round without memory | of the same spec again | with another seed | its winner there | of half the budget |"
)


def table(result: dict[str, Any]) -> str:
    """A row for each task, and one for all."""
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    for task in dict.fromkeys(row["task"] for row in result["rows"]):
        lines.append(_line(f"`{task}`", summary([row for row in result["rows"] if row["task"] == task])))
    return "\n".join([*lines, _line("all", summary(result["rows"]))])


def _line(name: str, found: dict[str, Any]) -> str:
    def spread(kind: str, digits: int) -> str:
        return f"{found[kind]['median']:.{digits}f}, {found[kind]['worst']:.{digits}f}" if kind in found else "-"

    rounds = ("first_round_without_memory", "same_again_first_round", "other_seed_first_round", "winner_at_other_seed")
    cells = [name, f"{found['searches']}", spread("from_others", 2)]
    cells += [spread("from_others_and_prior", 2), spread("without_memory", 2)]
    cells += [f"{found['starts']}", spread("better_than_a_start", 2), f"{found['unrelated_starts']}"]
    cells += [spread(kind, 3) for kind in (*rounds, "half_budget_first_round")]
    return f"| {' | '.join(cells)} |"


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
