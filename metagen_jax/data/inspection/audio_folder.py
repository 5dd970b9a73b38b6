"""A folder of WAV files: every one is read."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metagen_jax.data import waves
from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example, duplicates
from metagen_jax.data.inspection.findings import Findings, Proposal, balance, division, held_out, training_counts
from metagen_jax.data.sources.audio_folder import WAVES, conversion_notes, proposed_rate, proposed_seconds
from metagen_jax.data.sources.class_folders import list_splits, passed_over
from metagen_jax.errors import DataError


@dataclasses.dataclass(frozen=True)
class _Recording:
    """One that could be read: what it is called and belongs to, its head, and whether there is anything to be heard."""

    example: Example
    head: waves.Head
    is_silent: bool


def inspect_audio_folder(path: Path) -> Findings:
    """Looks at `<class>/<WAV file>`, or at such folders inside of `train/`, `validation/` and `test/`."""
    try:
        listed = list_splits(path, WAVES)
    except DataError as error:
        return Findings((), problems=(str(error),))
    recordings, problems = [], []
    for split in SPLITS:
        for file, label in listed.get(split, ()):
            try:
                recordings.append(_read(file, str(file.relative_to(path)), split, label))
            except DataError as error:
                problems.append(str(error))
    if not recordings:
        return Findings((), problems=tuple(problems))
    heads = [recording.head for recording in recordings]
    examples = [recording.example for recording in recordings]
    try:
        counts = training_counts(path, examples)
    except DataError as error:
        return Findings((), problems=(*problems, str(error)))
    classes, remarks = balance(counts)
    notes = conversion_notes(heads, proposed_rate(heads), proposed_seconds(heads))
    found = (
        division((example.split for example in examples), "recordings"),
        _lengths(heads),
        *classes,
        *notes,
        *passed_over(path, listed, WAVES),
    )
    silent = [each.example.name for each in recordings if each.is_silent]
    if silent:
        remarks.append(f"nothing but silence: {len(silent)} recordings, such as {silent[0]}")
    problems += held_out(path, counts.elements(), (example.split for example in examples), "recordings")
    remarks += duplicates(examples, "recording", "recordings")
    proposal = Proposal(
        *("audio", "label", "classification", "spectrogram_transformer", ("accuracy", "loss")),
        num_classes=len(counts),
        batch_size=min(32, max(1, counts.total() // 2)),
    )
    return Findings(found, tuple(remarks), tuple(problems), (proposal,))


def _read(file: Path, name: str, split: str, label: str) -> _Recording:
    head = waves.read_head(file)
    audio = waves.read_clip(file, head.rate, None)
    digest = hashlib.sha256(repr(head.rate).encode() + audio.tobytes()).hexdigest()
    return _Recording(Example(name, split, label, digest), head, not np.any(audio))


def _lengths(heads: Sequence[waves.Head]) -> str:
    seconds, rates = sorted(head.seconds for head in heads), sorted({head.rate for head in heads})
    span = f"{rates[0]:,}" if len(rates) == 1 else f"{rates[0]:,} to {rates[-1]:,}"
    middle = seconds[len(seconds) // 2]
    return f"{seconds[0]:.2f} to {seconds[-1]:.2f} s long, half of them up to {middle:.2f} s, {span} samples a second"
