"""Writes README.md from the stored figures: python experiments/refiner/page.py"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # wherever the script is started

from experiments.refiner.run import ARMS, CANDIDATES, ROUNDS, STEPS
from experiments.searches import TASKS
from metagen_jax.spec.tasks import PROXIES

RESULTS = Path(__file__).parent / "results" / "refiner.json"
PAGE = Path(__file__).parent / "README.md"
GIVEN = "search.prototype_steps="
NAMES = {"rungs": "rungs", "proxies": "proxies that choose"}
TEXT = """# Rungs against one fixed length of training, and proxies that have to show that they rank

    python experiments/refiner/run.py     # five seeds; of some tasks: --tasks
    python experiments/refiner/page.py    # writes this page

**Searches.** The lowest validation loss of two example specs, by the strategy of the spec, in {rounds} rounds. *Fixed*: {fixed} candidates, each trained for {steps} steps. *Rungs*: {many} candidates, of which one in three goes on after a ninth and after a third of that length. *Proxies that choose*: as fixed, with `search.oversampling: {oversampling}` and all proxies. All may take the same number of training steps. The seed is the same in a pair; it decides the search and the initial weights. What is compared is the validation loss of the winner after {steps} steps, on the examples that the search looks at: it picks by them, and so does its rival.

{compared}

*Loss*: as a multiple of that of the fixed length; below 1 is better. p: two-sided, of the logarithms of these multiples, by Wilcoxon's signed ranks, by all changes of sign of their mean, and by Student's t. The first two cannot fall below 2 / 2^n with n pairs, which is 0.0625 for five: one task alone can be significant only by the t test, which takes the logarithms for normal. Pairs of different tasks count alike in the last rows.

**Proxies.** {candidates} random candidates of each task, each trained for {steps} steps{longer}: Spearman's correlation of the loss with parameters, FLOPs, and the two scores of untrained networks; the mean over seeds, the ends of the 90 % intervals of all seeds together, and in how many of them the proxy would have a weight, because the lower end of its interval is above 0.

{ranked}

{verdict}

{provenance} `results/refiner.json` has every search, with the weights of each round.
"""


def compared_table(found: dict[str, Any]) -> str:
    """A row for each task and arm, and those for all."""
    header = (
        "| task | | pairs | better | loss: median, worst | p: signed ranks, signs, t | steps, of the fixed length |"
    )
    lines = [header, "|---" * (header.count("|") - 1) + "|"]
    for task, arms in found.items():
        for arm, own in arms.items():
            p = ", ".join("-" if own[name] is None else f"{own[name]:.4f}" for name in ("p_wilcoxon", "p_signs", "p_t"))
            cells = [task if task == "all" else f"`{task}`", NAMES[arm], f"{own['pairs']}", f"{own['better']}"]
            cells += [f"{own['median_ratio']:.3f}, {own['worst_ratio']:.3f}", p]
            cells += [f"{_span(own['steps'])}, {_span(own['steps_of_fixed'])}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ranked_table(found: dict[str, Any]) -> str:
    """A row for each task, a column for each proxy."""
    lines = [f"| task | {' | '.join(PROXIES)} |", "|---" * (len(PROXIES) + 1) + "|"]
    for task, proxies in found.items():
        lines.append(f"| `{task}` | {' | '.join(_cell(proxies[name]) for name in PROXIES)} |")
    return "\n".join(lines)


def verdict(found: dict[str, Any]) -> str:
    """Whether any proxy was used that should not have been."""
    own = [each for proxies in found.values() for each in proxies.values()]
    wrong, uses = (sum(each[kind] for each in own) for kind in ("chooses_though_zero_is_inside", "chooses"))
    measured = sum(each["seeds"] for each in own)
    return (
        f"Of {measured} measured correlations {uses} would have given a proxy a weight; "
        f"of these, {wrong} had an interval that included 0."
    )


def page(result: dict[str, Any]) -> str:
    """The whole page."""
    return TEXT.format(
        rounds=ROUNDS,
        fixed=ARMS["fixed"]["budget"],
        many=ARMS["rungs"]["budget"],
        oversampling=ARMS["proxies"]["oversampling"],
        steps=STEPS,
        longer=_longer(),
        candidates=CANDIDATES,
        compared=compared_table(result["compared"]),
        ranked=ranked_table(result["ranked"]),
        verdict=verdict(result["ranked"]),
        provenance=f"{result['date']}, {result['machine']}, jax {result['versions']['jax']}; last `{result['command']}`.",
    )


def _longer() -> str:
    """The tasks whose candidates are trained for longer, in brackets."""
    own = {task: item.removeprefix(GIVEN) for task, given in TASKS.items() for item in given if item.startswith(GIVEN)}
    return f" ({', '.join(f'`{task}` {steps}' for task, steps in own.items())})" if own else ""


def _span(values: list[int]) -> str:
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}"


def _cell(own: dict[str, Any]) -> str:
    if own["says_nothing"] == own["seeds"]:
        return "says nothing"
    return f"{own['mean']:.2f} [{own['lowest']:.2f}, {own['highest']:.2f}], {own['chooses']} of {own['seeds']}"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
