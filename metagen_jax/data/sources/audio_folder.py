"""A folder with one folder of WAV files for each class."""

from collections.abc import Sequence

import numpy as np

from metagen_jax.data import waves
from metagen_jax.data.datasets import SPLITS, AudioDataset, AudioSplit
from metagen_jax.data.sources.class_folders import FileKind, divide_files
from metagen_jax.data.sources.request import DataRequest

WAVES = FileKind("WAV file", "WAV files", frozenset((".wav", ".wave")))
HIGHEST_RATE = 16_000  # samples a second, if the spec does not say: enough for speech
SHORTEST, LONGEST = 0.1, 1.0  # seconds of a clip, if the spec does not say


def read_audio_folder(request: DataRequest) -> AudioDataset:
    """Reads `<class>/<WAV file>`, or `train/`, `validation/`, `test/` with such folders inside.

    Classes are sorted by name. Hidden files are passed over. A split that has no folder is cut out of the training
    recordings, class by class, by a fixed shuffle. Every recording becomes a clip: one channel, one rate, one length.
    """
    divided = divide_files(request, WAVES)
    heads = [waves.read_head(path) for split in SPLITS for path in divided.files[split]]
    rate = request.sample_rate or proposed_rate(heads)
    seconds = request.clip_seconds or proposed_seconds(heads)
    length = round(seconds * rate)
    splits = {
        split: AudioSplit(
            np.stack([waves.read_clip(path, rate, length) for path in divided.files[split]]), divided.labels[split]
        )
        for split in SPLITS
    }
    return AudioDataset(
        name=request.path.name,
        class_names=divided.class_names,
        sample_rate=rate,
        notes=(*conversion_notes(heads, rate, seconds), *divided.notes),
        **splits,
    )


def proposed_rate(heads: Sequence[waves.Head]) -> int:
    """That of the recording with the lowest one."""
    return min(HIGHEST_RATE, *(head.rate for head in heads))


def proposed_seconds(heads: Sequence[waves.Head]) -> float:
    """As long as the longest recording, within bounds."""
    return min(LONGEST, max(SHORTEST, *(head.seconds for head in heads)))


def conversion_notes(heads: Sequence[waves.Head], rate: int, seconds: float) -> list[str]:
    """Sentences about what recordings lose on the way to clips."""
    mixed = sum(head.channels > 1 for head in heads)
    resampled = sum(head.rate != rate for head in heads)
    longer, shorter = (sum(compared) for compared in zip(*(_compared(head, seconds) for head in heads), strict=True))
    told = [
        (mixed, "are mixed down to one channel"),
        (resampled, f"are resampled to {rate:,} samples a second"),
        (longer, f"are longer than {seconds:g} s: only their beginning is read"),
        (shorter, f"are shorter than {seconds:g} s: silence fills them up"),
    ]
    return [f"{count:,} of {len(heads):,} recordings {what}" for count, what in told if count]


def _compared(head: waves.Head, seconds: float) -> tuple[bool, bool]:
    return head.seconds > seconds, head.seconds < seconds
