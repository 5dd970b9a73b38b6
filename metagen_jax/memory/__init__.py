"""What earlier runs on this machine have measured, kept for the next ones."""

from metagen_jax.memory.features import features_of
from metagen_jax.memory.records import Measured, RunRecord
from metagen_jax.memory.store import Memory, Remembered, user_file

__all__ = ["Measured", "Memory", "Remembered", "RunRecord", "features_of", "user_file"]
