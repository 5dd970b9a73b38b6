"""The time of one answer, predicted before anything is built: a linear function of what its program computes and moves."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metagen_jax.spec.devices import DEVICE_CLASSES, kind_of
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
    """What a kind of device is assumed to sustain on small networks; the figures are round and low."""

    flops_per_s: float
    bytes_per_s: float


KINDS = {
    "cpu": Device(flops_per_s=3e10, bytes_per_s=1e10),
    "gpu": Device(flops_per_s=1e13, bytes_per_s=5e11),
    "tpu": Device(flops_per_s=2e13, bytes_per_s=5e11),
}
KERNEL_S = {"cpu": 1e-6, "gpu": 4e-6, "tpu": 4e-6}  # that starting one takes
SUSTAINED = 0.3  # of the peaks of a class of devices


@dataclasses.dataclass(frozen=True)
class Predictor:
    """How long a device takes for one example.

    Attributes:
      device: a backend of JAX, or a class of devices.
      seconds: for each unit of the terms of `Effort`, by name.
      error: relative; 90 % of ordinary networks are predicted within it by fits that have not seen them.
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
            return f"predicted from {self.source}, not calibrated: may be off by {self.error:.0%} and more"
        return f"predicted from networks measured on {self.source}; {SHARE:.0%} of unseen ones within {self.error:.0%}"

    def to_json(self) -> dict[str, Any]:
        """The predictor as JSON knows it; `Predictor(**content)` takes it back."""
        return dataclasses.asdict(self) | {"seconds": dict(self.seconds)}


def predictor_of(device: str, precision: str = "float32") -> Predictor:
    """The predictor of a device: the user's own figures if there are any, else the shipped ones, else a table's.

    Args:
      device: a kind, or a class of one, of which a table is all that there is.
      precision: of products; what was measured is float32, which stands for `tensorfloat32` too.
    """
    fitted = machine.measured(device, "latency", SHIPPED)
    if fitted is None:
        return from_table(device, precision)
    predictor = Predictor(**fitted)
    if precision != "bfloat16":
        return predictor
    source = f"networks in float32 measured on {predictor.source}"
    return dataclasses.replace(predictor, error=TABLE_ERROR, calibrated=False, source=source)


def from_table(name: str, precision: str) -> Predictor:
    """A roofline: what is computed, what is moved and what is launched, one after the other."""
    if name in DEVICE_CLASSES:
        known = DEVICE_CLASSES[name]
        peak = known.bfloat16_flops_per_s if precision == "bfloat16" else known.float32_flops_per_s
        device = Device(SUSTAINED * peak, SUSTAINED * known.memory_bytes_per_s)
        source = f"the data sheet of {known.example}"
    else:
        device, source = KINDS[name], "a table of round figures"
    seconds = dict.fromkeys(Effort._fields, 0.0) | {
        "products": KERNELS_OF_A_PRODUCT * KERNEL_S[kind_of(name)],
        "tiled_flops": 1.0 / device.flops_per_s,
        "batch_flops": 1.0 / device.flops_per_s,
        "stored_bytes": 2.0 / device.bytes_per_s,  # written and read
        "cold_bytes": 1.0 / device.bytes_per_s,
    }
    return Predictor(name, seconds, TABLE_ERROR, calibrated=False, source=source)


def fit(
    efforts: Sequence[Effort], measured_ms: Sequence[float], num_ordinary: int, *, device: str, source: str
) -> Predictor:
    """Fits a predictor to measured networks.

    Its error is what fits without one of the ordinary networks err by on that one: others are in the sample because
    they are extreme, and say more about the coefficients than about what is predicted later.

    Args:
      efforts: numbers, one for each network.
      measured_ms: of the same networks.
      num_ordinary: how many networks, the last ones, are like those that will be predicted.
      device, source: what the predictor says of itself.
    """
    rows = [[float(getattr(effort, name)) for name in FITTED] for effort in efforts]
    seconds = [ms / 1000 for ms in measured_ms]
    errors = []
    for out in range(len(rows) - num_ordinary, len(rows)):
        rest = _centred(rows[:out] + rows[out + 1 :], seconds[:out] + seconds[out + 1 :])
        errors.append(abs(np.dot(rows[out], rest) / seconds[out] - 1))
    by_term = dict.fromkeys(Effort._fields, 0.0) | dict(zip(FITTED, _centred(rows, seconds), strict=True))
    return Predictor(device, by_term, round(float(np.quantile(errors, SHARE)), 4), calibrated=True, source=source)


def _centred(rows: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Least relative squares favour predictions that are too small: these are as often too large."""
    coefficients = np.array(relative_least_squares(rows, seconds))
    return list(map(float, coefficients / np.median(np.array(rows) @ coefficients / np.array(seconds))))
