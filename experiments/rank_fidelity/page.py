"""Writes README.md and the figure from the results of run.py.

python experiments/rank_fidelity/page.py
"""

import itertools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # `experiments`, wherever the script is started

import json

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.rank_fidelity.correlations import NUM_RESAMPLES
from experiments.rank_fidelity.settings import PROTOTYPE, TARGET, TASKS
from experiments.rank_fidelity.store import read
from experiments.rank_fidelity.summary import values_of

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
PAGE, FIGURE = FOLDER / "README.md", RESULTS / "fidelity.png"
COLOURS = {"drawn": "#1b6ca8", "fixed": "#d1495b"}
STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


def page(results: dict[str, Any]) -> str:
    """The whole page as Markdown."""
    tables = "\n".join(f"## {title[0].upper()}{title[1:]}\n\n{table(own)}" for title, own in results["tables"].items())
    return f"{introduction(results)}\n{tables}"


INTRODUCTION = """# Do cheap measurements of a prototype rank what it stands for?

Written by `python experiments/rank_fidelity/page.py` from `results/`, which `taskset -c 1 {command}` measures: {minutes:.0f} CPU minutes on one core; {versions}. A run that was killed goes on where it was.

{architectures} architectures, drawn uniformly and all of different sizes, are the same for two tasks: digits of `mnist5k` with a vision transformer ({image}), characters of `kjv` with a decoder transformer ({text}). A *prototype* has the sizes as drawn ({ladder}) and is trained for {prototype_steps} steps. Its *target* has `d_model`, `num_heads` and `d_ff` doubled, {least:.1f} to {most:.1f} times the parameters, and is trained for {target_steps} steps. Both follow the spec's recipe in batches of {batch_size}, the cosine of the learning rate over their own length. Everything is measured with {seeds} seeds, of initial weights and of batches. The loss of a target is that on all validation data, the mean of the seeds; a prototype's is that on as much as a search looks at.

Hyperparameters are *drawn* with each architecture, as a search does, so that this is the ranking that a search goes by; or *fixed* at the middle of their choices, so that it is a ranking of architectures alone.

![Loss of prototypes against loss of targets](results/fidelity.png)

## What a user may be told

{claims}
## How to read the tables

- **prototype**: validation loss after the short training, and half and a quarter of the way through it.
- **synflow**, **grad_norm**: zero-cost proxies (`metagen_jax/population/zero_cost.py`) of the prototype's initial weights on the first batch; they know nothing of hyperparameters. **params**, **flops**: those of the target, which are known without any training. The architecture with the most is taken to be the best.
- Correlations are between the ranking by a measure, one seed of it, and the ranking by the targets' loss; the mean over the seeds of the measure. 1 is the same ranking. In brackets a 95 % interval: percentiles of {resamples:,} bootstrap resamples of the architectures. **Bold** where it excludes zero.
- **behind the prototype**: Spearman's correlation of the whole short training minus that of the measure, on the same resamples.
- **between seeds**: Spearman's correlation of a measure with itself under the other seed, a ceiling for what it can tell.
- **excess of its choice**: how much higher than the lowest loss of all targets that of the target is which the measure puts first.

CPU seconds for an architecture, compilation included: {costs}.
"""


def introduction(results: dict[str, Any]) -> str:
    settings, cpu = results["settings"], results["cpu_s"]
    overrides = {
        task: own[0].removeprefix("architecture.choices.").removeprefix("constraints.")
        for task, (_, own) in TASKS.items()
    }
    ladder = ", ".join(f"{axis} {values[0]}-{values[-1]}" for axis, values in settings["ladder"])
    return INTRODUCTION.format(
        command=results["command"],
        minutes=results["cpu_minutes"],
        versions=", ".join(f"{name} {results['versions'][name]}" for name in ("python", "jax", "flax", "optax")),
        architectures=settings["architectures"],
        **{task: f"`{override}`" for task, override in overrides.items()},
        ladder=ladder,
        least=results["target_over_prototype"]["least"],
        most=results["target_over_prototype"]["most"],
        prototype_steps=settings["prototype_steps"],
        target_steps=settings["target_steps"],
        batch_size=settings["batch_size"],
        seeds=len(settings["seeds"]),
        claims="".join(f"- {claim}\n" for claim in claims(results["tables"])),
        resamples=NUM_RESAMPLES,
        costs=", ".join(f"{kind} {seconds:.1f}" for kind, seconds in cpu.items()),
    )


def claims(tables: dict[str, Any]) -> list[str]:
    """What may be told, from the intervals alone."""
    proven = {
        name: [task for task, own in tables.items() if excludes_zero(own["measures"][name]["spearman"])]
        for name in in_order(next(iter(tables.values()))["measures"])
    }
    everywhere = [name for name, tasks in proven.items() if len(tasks) == len(tables)]
    somewhere = [f"{name} ({len(proven[name])} of {len(tables)})" for name in proven if name not in everywhere]
    whole = next(iter(proven))  # the whole short training comes first
    values = [own["measures"][whole]["spearman"]["value"] for own in tables.values()]
    excesses = [100 * own["measures"][whole]["excess_of_its_choice"] for own in tables.values()]
    return [
        f"Spearman's correlation with the targets' loss excludes zero in all {len(tables)} settings for "
        f"{', '.join(everywhere) or 'no measure'}; not in all of them for {', '.join(somewhere) or 'none'}.",
        f"A short training of prototypes ranks their targets with {min(values):.2f} to {max(values):.2f}. The target of "
        f"the prototype that comes first has a loss {min(excesses):.1f} to {max(excesses):.1f} % above the lowest, so "
        "that several of the best are worth a long training.",
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """The short training first, the whole of it before its parts; then what needs none."""
    steps = {name: int("".join(filter(str.isdigit, name)) or 0) for name in names}
    return sorted(steps, key=lambda name: (-steps[name], name))


def table(own: dict[str, Any]) -> str:
    rows = []
    for name in in_order(own["measures"]):
        measure = own["measures"][name]
        between = measure["between_seeds"]
        rows.append(
            [
                name,
                estimate(measure["spearman"]),
                estimate(measure["kendall"]),
                estimate(measure["behind_prototype"]) if rows else "",
                "" if between is None else f"{between:.2f}",
                f"{100 * measure['excess_of_its_choice']:.1f} %",
            ]
        )
    header = ["measure", "Spearman", "Kendall", "behind the prototype", "between seeds", "excess of its choice"]
    loss = own["target_loss"]
    return (
        f"{markdown(header, rows)}\n"
        f"Loss of the targets {loss['best']:.3f} to {loss['worst']:.3f} nats; two seeds of them rank each other with "
        f"{own['target_between_seeds']:.2f}.\n"
    )


def estimate(numbers: dict[str, float]) -> str:
    """Value and interval, in bold where the interval excludes zero."""
    mark = "**" if excludes_zero(numbers) else ""
    return f"{mark}{numbers['value']:.2f}{mark} [{numbers['low']:.2f}, {numbers['high']:.2f}]"


def excludes_zero(numbers: dict[str, float]) -> bool:
    return numbers["low"] > 0 or numbers["high"] < 0


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def draw_figure(measurements: Path, results: dict[str, Any], path: Path) -> None:
    """Prototype against target, task by task; the same measurements give the same bytes."""
    header, measured = read(measurements)
    settings = header["settings"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.4), layout="constrained")
        axes = figure.subplots(1, len(settings["tasks"]), squeeze=False)[0]
        for task, condition in itertools.product(settings["tasks"], settings["conditions"]):
            own = {
                kind: values_of(settings, measured, task, kind, settings[f"{kind}_steps"], condition)
                for kind in (PROTOTYPE, TARGET)
            }
            measures = results["tables"][f"{task}, {condition}"]["measures"]
            rho = measures[in_order(measures)[0]]["spearman"]["value"]
            _draw(
                axes[settings["tasks"].index(task)],
                own,
                f"hyperparameters {condition}: Spearman {rho:.2f}",
                COLOURS[condition],
            )
        for task, panel in zip(settings["tasks"], axes, strict=True):
            panel.set(
                title=task,
                xlabel=f"validation loss of the prototype after {settings['prototype_steps']} steps [nats]",
                ylabel=f"of the target after {settings['target_steps']} steps [nats]",
            )
            panel.legend(loc="upper left")
        figure.savefig(path, dpi=120, metadata={"Software": None})


def _draw(axes: Axes, own: dict[str, np.ndarray], label: str, colour: str) -> None:
    """A point at the mean of the seeds, bars between them."""
    x, y = own[PROTOTYPE], own[TARGET]
    bars = [np.abs(values.mean(axis=0) - [values.min(axis=0), values.max(axis=0)]) for values in (y, x)]
    axes.errorbar(
        x.mean(axis=0), y.mean(axis=0), *bars, fmt="o", markersize=4, linewidth=0.8, color=colour, label=label
    )


def main() -> None:
    results = json.loads((RESULTS / "results.json").read_text())
    PAGE.write_text(page(results))
    draw_figure(RESULTS / "measurements.jsonl", results, FIGURE)
    print(PAGE, FIGURE)


if __name__ == "__main__":
    main()
