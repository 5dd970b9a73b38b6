"""Writes README.md from the stored results: python experiments/diffusion/page.py"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parent / "README.md"


def table(result: Mapping[str, Any]) -> str:
    digits = range(10)
    lines = [f"| guidance | recognised | {' | '.join(map(str, digits))} |", "|---" * 12 + "|"]
    for guidance, found in result["recognised_by_guidance"].items():
        shares = " | ".join(f"{share:.2f}" for share in found["by_label"])
        lines.append(f"| {float(guidance):g} | **{found['all']:.3f}** | {shares} |")
    return "\n".join(lines)


def page(result: Mapping[str, Any]) -> str:
    """The whole page as Markdown."""
    (baseline,), versions = result["baselines"], result["versions"]
    validation, constant = result["validation"]["loss"], baseline["validation"]["loss"]
    return f"""# Are images of a label what their label says?

Written by `python experiments/diffusion/page.py` from `results.json`, which `{result["command"]}` measured ({result["machine"]}; python {versions["python"]}, jax {versions["jax"]}; {result["date"]}) with the winner of `specs/image_diffusion_pixel.yaml`, {result["params"]:,} parameters.

Its denoising loss is {validation:.3f} on validation images, where {baseline["name"]} has {constant:.3f}: {1 - validation / constant:.0%} below. On test images it is {result["test"]["loss"]:.3f}.

A convolutional network that was trained on the same training images, apart, names {result["classifier"]["accuracy"]:.1%} of the test images rightly. Of {result["samples_of_each_label"]} images that were drawn of each digit it names as many as asked:

{table(result)}

`infer.py` and the figures of a run draw with guidance 2.

![Images drawn from their labels, a row each](samples.png)
"""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
