"""Times as linear functions of counted work."""

from collections.abc import Sequence

import numpy as np


def relative_least_squares(rows: Sequence[Sequence[float]], measured: Sequence[float]) -> list[float]:
    """Coefficients with the least relative error, none of them negative.

    Args:
      rows: what was counted, one row a measurement.
      measured: its time, above 0.
    """
    from scipy.optimize import nnls  # takes half a second to import, and only a calibration needs it

    matrix = np.array(rows, float) / np.array(measured)[:, None]
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-300)  # columns differ by ten orders of magnitude
    return [float(value) for value in nnls(matrix / scale, np.ones(len(rows)))[0] / scale]
