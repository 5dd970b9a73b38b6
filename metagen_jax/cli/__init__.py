"""The command line: verbs, options, exit codes. Knows nothing of the insides of a run."""

import errno
import signal
import sqlite3
import sys

import typer

from metagen_jax.cli.commands import app
from metagen_jax.errors import MetagenError
from metagen_jax.extensions import load_extensions

INTERRUPTED = 130  # what a shell reports for a command that was ended by Ctrl-C
AGAIN = "what has been trained is kept; the same command goes on from there"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted.

    A bug keeps its traceback.
    """
    try:
        load_extensions()
        code = app(arguments, standalone_mode=False)  # Typer turns Ctrl-C into the code 130
        if code == INTERRUPTED:
            print(f"interrupted; {AGAIN}", file=sys.stderr)
    except MetagenError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Exit as end:
        return end.exit_code
    except OSError as error:  # a full disk, a folder that may not be written
        advice = f"\n  Free some space; {AGAIN}." if error.errno == errno.ENOSPC else ""
        print(f"error: {error.strerror or error}: {error.filename or 'no file named'}{advice}", file=sys.stderr)
        return 1
    except sqlite3.OperationalError as error:
        print(f"error: search.sqlite: {error}\n  Is the disk full? Free some space; {AGAIN}.", file=sys.stderr)
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own errors have it: a wrong option or value
            raise
        print(f"error: {error.format_message()}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def entry_point() -> None:
    """What the installed command `metagen` calls."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's way to say Ctrl-C
    sys.exit(main())
