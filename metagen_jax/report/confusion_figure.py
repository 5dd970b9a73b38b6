"""`figures/confusion.png` of a run: the labels that the winner takes for others."""

import numpy as np
from matplotlib.figure import Figure

MOST_NUMBERED = 12  # labels, beyond which the squares are too small for their counts
MOST_NAMED = 60
LONGEST = 24  # characters of a name


def confusion_figure(names: list[str], counts: np.ndarray, title: str) -> Figure:
    """Draws counts `(classes, classes)`, row the right label, column the given one, each row as shares of it."""
    side = min(4 + 0.3 * len(names), 14)
    figure = Figure(figsize=(side + 1.5, side), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(picture, ax=axes, label="share of the right label's examples", shrink=0.8)
    if len(names) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.6 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    if len(names) <= MOST_NAMED:
        short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
        upright = len(names) > 10 or max(map(len, short)) > 3
        axes.set_xticks(range(len(names)), short, rotation=90 if upright else 0, parse_math=False)
        axes.set_yticks(range(len(names)), short, parse_math=False)
    axes.grid(visible=False)
    axes.set(xlabel="label given", ylabel="right label")
    axes.set_title(title, loc="left")
    return figure
