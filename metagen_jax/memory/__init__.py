"""What earlier runs on this machine have measured, kept for the next ones."""

from metagen_jax.memory.features import features_of
from metagen_jax.memory.files import read_runs
from metagen_jax.memory.portfolio import Entry, Portfolio, portfolio_text, read_portfolio
from metagen_jax.memory.records import Measured, RunRecord
from metagen_jax.memory.similarity import similarity
from metagen_jax.memory.store import Memory, Remembered, Task, user_file

__all__ = [
    "Entry",
    "Measured",
    "Memory",
    "Portfolio",
    "Remembered",
    "RunRecord",
    "Task",
    "features_of",
    "portfolio_text",
    "read_portfolio",
    "read_runs",
    "similarity",
    "user_file",
]
