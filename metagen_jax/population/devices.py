"""The devices that share a population."""

import jax
import numpy as np

AXIS = "population"
ACCELERATOR_COMPILERS = 8  # programs compiled at the same time beside an accelerator, whatever its host has


def accelerator() -> jax.Device:
    """Where a single network is run: the first device of the default backend, whatever the default device is."""
    return jax.local_devices()[0]


def population_mesh(max_devices: int | None = None) -> jax.sharding.Mesh:
    """A one-dimensional mesh over the local devices.

    Args:
      max_devices: how many at most; by default all of them. On a CPU that was started with several host devices this
        is the number of cores: more would only take turns.
    """
    devices = jax.local_devices()[:max_devices]
    return jax.sharding.Mesh(np.array(devices), (AXIS,))
