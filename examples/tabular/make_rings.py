"""Writes rings.csv: points on three rings around one centre, and a column that has nothing to do with them.

    python make_rings.py rings.csv

A class is a ring, so all classes have the same mean: who looks at means alone can only guess.
"""

import csv
import sys
from pathlib import Path

import numpy as np

NUM_ROWS = 1200
RADII = {"inner": 1.0, "middle": 2.0, "outer": 3.0}


def write_rings(path: Path) -> None:
    """Writes the table; it is the same every time."""
    random = np.random.RandomState(0)  # whose numbers NumPy promises never to change
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["x", "y", "temperature", "label"])
        for number in range(NUM_ROWS):
            label = list(RADII)[number % len(RADII)]
            angle, radius = 2 * np.pi * random.rand(), RADII[label] + 0.2 * random.randn()
            numbers = radius * np.cos(angle), radius * np.sin(angle), 20 + 5 * random.randn()
            table.writerow([*(f"{value:.3f}" for value in numbers), label])


if __name__ == "__main__":
    write_rings(Path(sys.argv[1]))
