"""One text file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metagen_jax.data.inspection.findings import Findings, Proposal
from metagen_jax.data.loading import shorten_vocabulary
from metagen_jax.data.sources.text_file import read_text
from metagen_jax.errors import DataError
from metagen_jax.spec.tasks import FORMATS_OF_SUFFIX

WINDOW, SMALLEST_WINDOW = 64, 8
HELD_OUT = 0.1  # for validation, and as much for the test
SHORT = 100_000  # characters, of which a model learns little more than words


def inspect_text_file(path: Path) -> Findings:
    """Counts characters and looks for what does not belong into a text."""
    try:
        text, notes = read_text(path)
    except DataError as error:
        return Findings((), problems=(str(error),))
    known = path.suffix.lower() in FORMATS_OF_SUFFIX
    return inspect_text(path, text, notes, data={} if known else {"format": "text"})


def inspect_text(
    path: Path,
    text: str,
    notes: Sequence[str],
    problems: Sequence[str] = (),
    data: Mapping[str, Any] = MappingProxyType({}),
) -> Findings:
    """What there is to say of one text.

    Args:
      notes: on what was changed or passed over.
      problems: with parts that could not be read.
      data: keys of that section that it takes to read it.
    """
    window = min(WINDOW, int(HELD_OUT * len(text)) - 1)
    if window < SMALLEST_WINDOW:
        needed = int((SMALLEST_WINDOW + 1) / HELD_OUT)
        short = f"{path}: {len(text):,} characters, at least {needed} are needed\n  Give a longer text."
        return Findings((), problems=(*problems, short))
    counts = Counter(text)
    vocabulary = "".join(sorted(counts))
    if len(vocabulary) < 2:
        one = f"{path}: only one character, {vocabulary!r}, again and again\n  Nothing can be learned."
        return Findings((), problems=(*problems, one))
    found = (
        f"a text of {len(text):,} characters in {text.count(chr(10)) + 1:,} lines; a tenth each, from its end, will be "
        "held out for validation and test",
        f"vocabulary of {len(vocabulary)} characters: {shorten_vocabulary(vocabulary)}",
        *notes,
    )
    proposal = Proposal(
        *("text", "text", "generation", "decoder_transformer", ("bits_per_character", "loss")),
        data=dict(data),
        constraints={"context_window": window},
        batch_size=32,
    )
    return Findings(found, tuple(_remarks(text, counts)), tuple(problems), (proposal,))


def _remarks(text: str, counts: Counter[str]) -> list[str]:
    remarks = []
    if len(text) < SHORT:
        remarks.append("a short text: the model will learn little more than words")
    rare = sorted(character for character, count in counts.items() if count < 3)
    if rare:
        remarks.append(f"{len(rare)} characters occur once or twice only: {shorten_vocabulary(''.join(rare))}")
    control = sorted(character for character in counts if character < " " and character not in "\n\t")
    if control:
        remarks.append(f"control characters: {shorten_vocabulary(''.join(control))}; is it a text?")
    return remarks
