"""What a command says beside its result."""

import sys


def note(text: str) -> None:
    """Says on stderr what went otherwise than asked."""
    print(f"note: {text}", file=sys.stderr)
