"""The figures of a run: front and convergence, confusion where it gives labels, pictures where it gives images."""

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, ScalarFormatter

from metagen_jax.automl.confusion import CONFUSION, read_confusion
from metagen_jax.automl.samples import PICTURES
from metagen_jax.report.confusion_figure import confusion_figure
from metagen_jax.report.run_data import COSTS, Record, RunData, read_run
from metagen_jax.synth.architecture import by_name
from metagen_jax.synth.documents import LOSSES_IN_NATS

LABELS = {
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "validation_mse": "validation mean squared error of a pixel",
    "bits_per_character": "validation bits per character",
    "params": "parameters",
    "flops": "FLOPs of a forward pass",
    "latency_ms": "predicted latency [ms]",
}
SIZES = {
    "d_model": "width",
    "width": "width",
    "num_layers": "layers",
    "num_heads": "heads",
    "num_kv_heads": "key/value heads",
    "queries_per_kv_head": "query heads for each",
    "hidden": "hidden channels",
    "latent": "code",
}
PICTURE_TITLES = {
    "originals": "test images",
    "reconstructions": "the same images, drawn from their codes",
    "drawn": "images drawn from random codes",
    "drawn_by_label": "images drawn from their labels, a row each",
    "own_image_and_best_found": "a text of the test in each row: its own image, then those that go best with it",
    "recorded": "test clips: time to the right, low frequencies at the bottom, white is loud",
    "coded": "the same clips, as their tokens tell them",
    "generated": "clips that the model made up",
}
PICTURES_A_ROW = 10
STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
}
GREY, FRONT, WINNER = "0.6", "#1b6ca8", "#d1495b"


def draw_figures(folder: Path) -> None:
    """Draws the figures of a finished run into `folder/figures`; the same run gives the same bytes."""
    run = read_run(folder)
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    with matplotlib.rc_context(STYLE):
        _save(_front_figure(run), target / "front.png")
        _save(_convergence_figure(run), target / "convergence.png")
        if (folder / PICTURES).is_file():
            with np.load(folder / PICTURES) as pictures:
                _save(_pictures_figure(dict(pictures)), target / "pictures.png")
        if (folder / CONFUSION).is_file():
            names, counts = read_confusion(folder / CONFUSION)
            right, total = np.trace(counts), counts.sum()
            title = f"{run.result['spec']['name']}: {right:,} of {total:,} test examples are right"
            _save(confusion_figure(names, counts, title), target / "confusion.png")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150, metadata={"Software": None})  # the version of matplotlib is in the manifest's care


def _front_figure(run: RunData) -> Figure:
    """The trained candidates in the plane of the first two objectives, or the first and the parameters."""
    objectives = [objective["metric"] for objective in run.result["objectives"]]
    y_name = objectives[0]
    x_name = next((name for name in objectives[1:] if name != y_name), "params" if y_name != "params" else "flops")
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.add_subplot()
    front = {member["number"] for member in run.result["front"]}
    winner = run.result["winner"]["number"]
    shown = [r for r in run.records if math.isfinite(r.objective(y_name)) and math.isfinite(r.objective(x_name))]
    rounds = sorted({record.round for record in shown})
    for number, colour in zip(rounds, colormaps["viridis_r"](np.linspace(0.15, 0.85, len(rounds))), strict=True):
        own = [record for record in shown if record.round == number]
        spots = [record.objective(x_name) for record in own], [record.objective(y_name) for record in own]
        axes.scatter(*spots, color=colour, s=36, alpha=0.9, zorder=3, label=f"round {number}")
    _draw_front(axes, [record for record in shown if record.number in front], x_name, y_name)
    for record in shown:
        if record.number == winner:
            spot = (record.objective(x_name), record.objective(y_name))
            label = f"winner: {_sizes(run.result['winner'])}"
            axes.scatter(*spot, marker="*", s=240, color=WINNER, zorder=5, label=label)
    _scale(axes, "x", [record.objective(x_name) for record in shown], x_name, run)
    _scale(axes, "y", [record.objective(y_name) for record in shown], y_name, run)
    steps = run.result["front"][0]["steps"] if run.result["front"] else 0
    axes.set_title(f"{run.result['spec']['name']}: {len(shown)} candidates after {steps} training steps", loc="left")
    figure.legend(loc="outside right upper")
    return figure


def _draw_front(axes: Axes, members: list[Record], x_name: str, y_name: str) -> None:
    spots = sorted((record.objective(x_name), record.objective(y_name)) for record in members)
    if spots:
        axes.step(*zip(*spots, strict=True), where="post", color=FRONT, linewidth=1.5, zorder=1, label="Pareto front")


def _scale(axes: Axes, which: str, values: list[float], name: str, run: RunData) -> None:
    """Logarithmic where the values span more than a factor of five."""
    positive = [value for value in values if value > 0]
    axis = axes.xaxis if which == "x" else axes.yaxis
    if len(positive) == len(values) and values and max(values) / min(values) > 5:
        getattr(axes, f"set_{which}scale")("log")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(EngFormatter(sep="") if name in COSTS else ScalarFormatter(useOffset=False))
    getattr(axes, f"set_{which}label")(_label(name, run))


def _label(name: str, run: RunData) -> str:
    in_nats = name == "validation_loss" and run.result.get("loss", LOSSES_IN_NATS[0]) in LOSSES_IN_NATS
    return LABELS.get(name, name.replace("_", " ")) + (" [nats]" if in_nats else "")


def _sizes(winner: dict[str, Any]) -> str:
    lengths = by_name(winner["sizes"])
    return ", ".join(f"{title} {lengths[axis]}" for axis, title in SIZES.items() if axis in lengths)


def _convergence_figure(run: RunData) -> Figure:
    """Left: the best candidate so far over the search. Right: how the candidates and finalists learned."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    search, training = figure.subplots(1, 2)
    _draw_search(search, run)
    _draw_training(training, run)
    return figure


def _draw_search(axes: Axes, run: RunData) -> None:
    objective = run.result["objectives"][0]
    name, maximize = objective["metric"], objective["direction"] == "maximize"
    values = np.array([record.objective(name) for record in run.records])
    numbers = np.array([record.number + 1 for record in run.records])
    finite = np.isfinite(values)
    best = np.fmax.accumulate(values) if maximize else np.fmin.accumulate(values)
    axes.scatter(numbers[finite], values[finite], s=22, color=GREY, label="candidate")
    axes.step(numbers, best, where="post", color=FRONT, linewidth=2, label="best so far")
    for before, after in zip(run.records, run.records[1:], strict=False):
        if after.round != before.round:
            axes.axvline(after.number + 0.5, color="0.85", linewidth=1, zorder=0)
    axes.set(xlabel="candidates trained", ylabel=_label(name, run), title="search")
    axes.legend(loc="best")


def _draw_training(axes: Axes, run: RunData) -> None:
    metric = "bits_per_character" if any("bits_per_character" in r.scores for r in run.records) else "loss"
    winner = run.result["winner"]["number"]
    for record in run.records:
        if record.scores.get(metric):
            axes.plot(
                *zip(*record.scores[metric], strict=True), ".-", color=GREY, linewidth=0.8, markersize=4, alpha=0.7
            )
    for record in sorted(run.records, key=lambda r: r.number == winner):  # the winner on top
        if record.final.get(metric):
            own = record.number == winner
            axes.plot(
                *zip(*record.final[metric], strict=True),
                color=WINNER if own else FRONT,
                linewidth=2 if own else 1.2,
                label="winner" if own else None,
            )
    axes.plot([], [], ".-", color=GREY, label="prototypes")
    if sum(bool(record.final) for record in run.records) > 1:
        axes.plot([], [], color=FRONT, label="other finalists")
    unit = "validation bits per character" if metric == "bits_per_character" else _label("validation_loss", run)
    axes.set(xlabel="training steps", ylabel=unit, title="training", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="best")


def _pictures_figure(pictures: dict[str, np.ndarray]) -> Figure:
    """Every kind of picture as a grid, one below the other."""
    grids = {name: _grid(images) for name, images in pictures.items()}
    heights = [grid.shape[0] / grid.shape[1] for grid in grids.values()]
    figure = Figure(figsize=(8, 8 * sum(heights) + 0.4 * len(heights)), layout="constrained")
    each = figure.subplots(len(grids), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (name, grid) in zip(each, grids.items(), strict=True):
        axes.imshow(grid.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(PICTURE_TITLES[name], loc="left")
        axes.set_axis_off()
    return figure


def _grid(images: np.ndarray) -> np.ndarray:
    """`(N, H, W, C)` images as one: rows of `PICTURES_A_ROW`, the last filled up with black."""
    missing = -len(images) % PICTURES_A_ROW
    images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
    rows = images.reshape(-1, PICTURES_A_ROW, *images.shape[1:])  # (rows, columns, H, W, C)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
