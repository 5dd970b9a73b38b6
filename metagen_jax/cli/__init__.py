"""The command line: verbs, options, exit codes. Knows nothing of the insides of a run."""

import sys

import typer

from metagen_jax.cli.commands import app
from metagen_jax.errors import MetagenError

INTERRUPTED = 1


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 the run failed, 2 the input was wrong.

    A bug keeps its traceback.
    """
    try:
        code = app(arguments, standalone_mode=False)
    except MetagenError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Exit as end:
        return end.exit_code
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"error: {error.strerror or error}: {error.filename or 'no file named'}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; the same command starts again", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own errors have it: a wrong option or value
            raise
        print(f"error: {error.format_message()}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def entry_point() -> None:
    """What the installed command `metagen` calls."""
    sys.exit(main())
