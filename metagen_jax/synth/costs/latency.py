"""The time of one answer, predicted before anything is built: a linear function of what its program computes and moves."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metagen_jax.synth import machine
from metagen_jax.synth.costs.effort import Effort
from metagen_jax.synth.fitting import relative_least_squares

SHIPPED = Path(__file__).with_name("latency.json")
SHARE = 0.9  # of the networks, that are within the error
KERNELS_OF_A_PRODUCT = 4  # its own, and those of the elementwise operations around it
# What is stored between the products of a batch grows with their FLOPs: measurements of small networks tell them not apart.
FITTED = tuple(name for name in Effort._fields if name != "batch_flops")
TABLE_ERROR = 1.0  # of a prediction from round figures: it may be half of what is measured


@dataclasses.dataclass(frozen=True)
class Device:
    """What a kind of device is assumed to sustain on small networks in float32; the figures are round and low."""

    flops_per_s: float
    bytes_per_s: float
    overhead_s: float  # of one kernel


DEVICES = {
    "gpu": Device(flops_per_s=1e13, bytes_per_s=5e11, overhead_s=4e-6),
    "tpu": Device(flops_per_s=2e13, bytes_per_s=5e11, overhead_s=4e-6),
}


@dataclasses.dataclass(frozen=True)
class Predictor:
    """How long a device takes for one example.

    Attributes:
      device: a backend of JAX.
      seconds: for each unit of the terms of `Effort`, by name.
      error: relative; of ordinary networks that it was not fitted to, 90 % are predicted within it.
      calibrated: whether it was fitted to measurements; if not, it comes from a table of round figures.
      source: where the figures are from.
    """

    device: str
    seconds: Mapping[str, float]
    error: float
    calibrated: bool
    source: str

    def predicted_ms(self, effort: Effort) -> Any:
        """`(N,)`, from terms that are `(N,)` each."""
        return 1000.0 * sum(self.seconds[name] * units for name, units in effort._asdict().items())

    @property
    def says(self) -> str:
        """Where predictions come from, and how far they are to be trusted."""
        if not self.calibrated:
            return f"predicted from a table, not calibrated: may be off by {self.error:.0%} and more"
        return f"predicted from networks measured on {self.source}; {SHARE:.0%} of them within {self.error:.0%}"

    def to_json(self) -> dict[str, Any]:
        """The predictor as JSON knows it; `Predictor(**content)` takes it back."""
        return dataclasses.asdict(self) | {"seconds": dict(self.seconds)}


def predictor_of(device: str) -> Predictor:
    """The predictor of a device: the user's own figures if there are any, else the shipped ones, else a table's."""
    fitted = machine.measured(device, "latency", SHIPPED)
    return Predictor(**fitted) if fitted is not None else from_table(device, DEVICES[device])


def from_table(name: str, device: Device) -> Predictor:
    """A roofline: what is computed, what is moved and what is launched, one after the other."""
    seconds = dict.fromkeys(Effort._fields, 0.0) | {
        "products": KERNELS_OF_A_PRODUCT * device.overhead_s,
        "tiled_flops": 1.0 / device.flops_per_s,
        "batch_flops": 1.0 / device.flops_per_s,
        "stored_bytes": 2.0 / device.bytes_per_s,  # written and read
        "cold_bytes": 1.0 / device.bytes_per_s,
    }
    return Predictor(name, seconds, TABLE_ERROR, calibrated=False, source="a table of round figures")


def fit(efforts: Sequence[Effort], measured_ms: Sequence[float], device: str, source: str) -> Predictor:
    """Fits a predictor to measured networks; its error, as far as these tell, is that of `checked` on them.

    Args:
      efforts: numbers, one for each network.
      measured_ms: of the same networks.
      device, source: what the predictor says of itself.
    """
    rows = [[float(getattr(effort, name)) for name in FITTED] for effort in efforts]
    coefficients = _centred(rows, [ms / 1000 for ms in measured_ms])
    by_term = dict.fromkeys(Effort._fields, 0.0) | dict(zip(FITTED, coefficients, strict=True))
    return checked(Predictor(device, by_term, 0.0, calibrated=True, source=source), efforts, measured_ms)


def checked(predictor: Predictor, efforts: Sequence[Effort], measured_ms: Sequence[float]) -> Predictor:
    """The predictor with the error that it has on these networks; best on others than it was fitted to."""
    errors = [abs(float(predictor.predicted_ms(e)) / ms - 1) for e, ms in zip(efforts, measured_ms, strict=True)]
    return dataclasses.replace(predictor, error=round(float(np.quantile(errors, SHARE)), 4))


def _centred(rows: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Least relative squares favour predictions that are too small: these are as often too large."""
    coefficients = np.array(relative_least_squares(rows, seconds))
    return list(map(float, coefficients / np.median(np.array(rows) @ coefficients / np.array(seconds))))
