"""Every error that a user can cause, under one base class that the command line prints without a traceback."""

import difflib
from collections.abc import Iterable


class MetagenError(Exception):
    """Base of every error a user can cause.

    Attributes:
      exit_code: what the command line exits with: 2 for wrong input, 1 for a run that failed.
    """

    exit_code = 2


class SpecError(MetagenError):
    """A spec that cannot be read or does not make sense; the message names file, line and path."""


class ExtensionError(MetagenError):
    """An extension that cannot be loaded, or registers what there is already or what cannot work."""


class DataError(MetagenError):
    """Data that is missing, broken or does not fit the spec; the message names the file."""


class InfeasibleError(MetagenError):
    """Limits that no candidate can satisfy; the message names the limit and the closest value that works."""


class OutputError(MetagenError):
    """An output folder that cannot be used as asked."""


class MemoryFileError(MetagenError):
    """A memory of runs that cannot be used: it may not be written, a newer program wrote it, or it has no such run."""


class RunError(MetagenError):
    """A run that started and could not finish, for example because every candidate diverged."""

    exit_code = 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns the remedy line for a misspelt word.

    Examples:
      >>> did_you_mean("kernal_size", ["kernel_size", "stride"])
      "Did you mean 'kernel_size'?"
      >>> did_you_mean("zzz", ["b", "a"])
      'Known: a, b.'
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."
