"""Writes README.md from the stored results: python experiments/costs/page.py"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "costs.json"
PAGE = Path(__file__).parent / "README.md"
MEASURES = {
    "flops": "FLOPs of a forward pass, as written",
    "training_flops": "FLOPs of a batch's gradients, as written",
    "training_flops_compiled": "the same, after optimisation",
    "memory_bytes": "memory of a training step",
}


def table(result: Mapping[str, Any]) -> str:
    lines = ["| predicted against XLA | networks | median error | smallest to largest ratio |", "|---|---|---|---|"]
    for name, title in MEASURES.items():
        found = result["all"][name]
        span = f"{found['smallest_ratio']:.3f} to {found['largest_ratio']:.3f}"
        lines.append(f"| {title} | {found['candidates']} | {found['median_error']:.2%} | {span} |")
    return "\n".join(lines)


def page(result: Mapping[str, Any]) -> str:
    """The whole page as Markdown."""
    everything, versions = result["all"], result["versions"]
    memory = everything["memory_bytes"]
    far_below = sum(row["memory_bytes"] < 0.9 for rows in result["rows"].values() for row in rows)
    return f"""# Are the costs those of the rendered programs?

Written by `python experiments/costs/page.py` from `results/costs.json`, which `{result["command"]}` measured in {result["seconds"] / 60:.0f} minutes on two cores ({result["machine"]}; python {versions["python"]}, jax {versions["jax"]}; {result["date"]}).

{everything["candidates"]} random networks (seed {result["seed"]}) of {len(result["rows"])} families (`{"`, `".join(result["rows"])}`), any norm, activation, patch or stride, sizes by steps that are no multiples of anything. For each, the program that would be trained is rendered and handed to XLA: its parameters are counted, its FLOPs are those of XLA's cost analysis (layers are unrolled in it, so there are no loops to account for), its memory is that of XLA's memory analysis of a whole training step with donated weights.

Parameters are equal for {everything["params_equal"]} of {everything["candidates"]}.

{table(result)}

Memory is within 20 % for {memory["within_20_percent"]:.1%} of the networks; for {far_below or "none"} it is more than 10 % below what XLA takes. The rules of what XLA stores, and when, were worked out on the networks of seeds 0 to 3. After optimisation XLA also counts what it computes twice, or what it has replaced: that is compiled for every fifth network.
"""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
