"""Writes README.md from the stored results: python experiments/diffusion/page.py"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent / "README.md"


def table(result: Mapping[str, Any]) -> str:
    digits = range(10)
    lines = [f"| guidance | recognised | {' | '.join(map(str, digits))} |", "|---" * 12 + "|"]
    for guidance, found in result["recognised_by_guidance"].items():
        shares = " | ".join(f"{share:.2f}" for share in found["by_label"])
        lines.append(f"| {float(guidance):g} | **{found['all']:.3f}** | {shares} |")
    return "\n".join(lines)


def section(name: str, result: Mapping[str, Any]) -> str:
    """What was measured with the winner of one spec."""
    (baseline,), versions = result["baselines"], result["versions"]
    validation, constant = result["validation"]["loss"], baseline["validation"]["loss"]
    return f"""## {name}

`{result["command"]}` measured this ({result["machine"]}; python {versions["python"]}, jax {versions["jax"]}; {result["date"]}) with the winner of `specs/{name}.yaml`, {result["params"]:,} parameters.

Its denoising loss is {validation:.3f} on validation data, where {baseline["name"]} has {constant:.3f}: {1 - validation / constant:.0%} below. On test data it is {result["test"]["loss"]:.3f}.

The classifier names {result["classifier"]["accuracy"]:.1%} of the test images rightly. Of {result["samples_of_each_label"]} images that were drawn of each digit it names as many as asked:

{table(result)}

![Images drawn from their labels, a row each](results/{name}.png)
"""


def stored() -> dict[str, dict[str, Any]]:
    """What was measured, by the name of the spec."""
    files = sorted(RESULTS.glob("*.json"), reverse=True)  # pixels first
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page as Markdown."""
    sections = "\n".join(section(name, result) for name, result in results.items())
    return f"""# Are images of a label what their label says?

Written by `python experiments/diffusion/page.py` from `results/`. The judge is a convolutional network that was trained on the same training images, apart. `infer.py` and the figures of a run draw with guidance 2. A loss of pixels and one of codes are of different data and cannot be compared.

{sections}"""


if __name__ == "__main__":
    PAGE.write_text(page(stored()), encoding="utf-8")
