"""The check that every count among a strategy's own hyperparameters goes through."""


def check_counts(**counts: int) -> None:
    """Refuses counts that are not positive.

    Args:
      counts: values by the names that the caller's user knows them by.
    Raises:
      ValueError: a value is not an int of 1 or more.

    Examples:
      >>> check_counts(num_alive=20, tournament_size=10)
      >>> check_counts(num_alive=0)
      Traceback (most recent call last):
      ...
      ValueError: num_alive must be an int of 1 or more, got 0. For example num_alive=8.
    """
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int of 1 or more, got {value!r}. For example {name}=8.")
