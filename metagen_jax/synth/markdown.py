"""Text that a user wrote, made safe to stand in a Markdown document."""

import re

JOINERS = "\u200c\u200d"  # not printable, and without them some scripts cannot be written


def printable(text: str) -> str:
    """Replaces control characters, lone surrogates and the marks that turn the direction of writing.

    Examples:
      >>> printable("caf\\u00e9 \\x1b[31m")
      'café �[31m'
    """
    return "".join(c if c.isprintable() or c in JOINERS else "\ufffd" for c in text)


def inline(text: str) -> str:
    r"""Escapes text for a line or a table cell, so that it shows as it was written and nothing in it takes effect.

    Examples:
      >>> print(inline("a_b | <img src=x>\nsecond *line*"))
      a\_b \| &lt;img src=x&gt; second \*line\*
    """
    one_line = printable(" ".join(text.split()))
    entities = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", entities)
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", quoted)  # no list, no line under a heading


def fence(text: str) -> str:
    r"""Returns a code block around text, whatever backticks it holds.

    Examples:
      >>> print(fence("one\ntwo"))
      ```text
      one
      two
      ```
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    shown = "\n".join(printable(line.replace("\t", "    ")) for line in text.split("\n"))
    return f"{ticks}text\n{shown}\n{ticks}"
