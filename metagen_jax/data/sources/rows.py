"""The rows that examples are made of, from wherever a request says."""

from metagen_jax.data.sources.hub import read_hub
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.tables import Given, read_table


def read_rows(request: DataRequest, roles: tuple[str, ...], are_lines: bool = False) -> Given:
    """Reads a table, or a data set of the Hugging Face Hub.

    Args:
      roles: what the columns hold, each of `image`, `text` and `label`.
      are_lines: whether texts are lines, which may be empty and keep the spaces that they begin with.
    Raises:
      DataError: something is missing, broken or of another kind; the message names where.
    """
    if request.hub is None:
        return read_table(request, roles, are_lines=are_lines)
    return read_hub(request, roles, are_lines)
