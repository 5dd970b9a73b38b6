"""The rows that examples are made of, from wherever a request says."""

from metagen_jax.data.sources.hub import read_hub
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.tables import Given, read_table


def read_rows(request: DataRequest, roles: tuple[str, ...]) -> Given:
    """Reads a table, or a data set of the Hugging Face Hub.

    Args:
      roles: what the columns hold, each of `image`, `text` and `label`.
    Raises:
      DataError: something is missing, broken or of another kind; the message names where.
    """
    return read_table(request, roles) if request.hub is None else read_hub(request, roles)
