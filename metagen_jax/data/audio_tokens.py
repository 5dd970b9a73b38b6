"""From clips of sound to one row of tokens a split, by codebooks that are fitted to the training clips."""

import numpy as np

from metagen_jax.data import codec
from metagen_jax.data.datasets import SPLITS, AudioDataset, AudioTokenDataset

NUM_CODES = 255  # entries of each of the two codebooks
MOST_FITTED = 20_000  # frames that a codebook is fitted to
NUM_ITERATIONS = 25
CODEBOOK_SEED = 0  # not the seed of the run: runs with different seeds are scored on the same tokens
SAMPLES_AT_ONCE = 2**18  # that are measured, in whole clips
NUM_EXAMPLES, SAMPLES_KEPT = 10, 2**20  # clips that are kept as they were recorded, one at least
CLIPS_HEARD, FRAMES_HEARD = 10, 125  # that are synthesised to tell how far off they are


def as_tokens(dataset: AudioDataset) -> AudioTokenDataset:
    """Encodes every clip; labels are passed over.

    Each clip is a token of its own, `AudioTokenDataset.start`, and then its tokens, two a frame.
    """
    rate = dataset.sample_rate
    levels = {split: _measure(getattr(dataset, split).audio, rate) for split in SPLITS}
    codebooks = fit_codebooks(levels["train"].reshape(-1, levels["train"].shape[-1]))
    tokens = {split: codec.encode(levels[split], codebooks) for split in SPLITS}
    start = codebooks.shape[0] * codebooks.shape[1]
    rows = {split: np.insert(tokens[split], 0, start, axis=1).reshape(-1) for split in SPLITS}
    return AudioTokenDataset(
        name=dataset.name,
        sample_rate=rate,
        clip_tokens=tokens["train"].shape[1],
        codebooks=codebooks,
        examples=dataset.test.audio[: min(NUM_EXAMPLES, max(1, SAMPLES_KEPT // dataset.clip_length))],
        notes=(*dataset.notes, *_codec_notes(levels, tokens["validation"], codebooks, rate)),
        **rows,
    )


def fit_codebooks(levels: np.ndarray) -> np.ndarray:
    """Fits one codebook to levels of frames, and the second one to what the first one leaves.

    Args:
      levels: `(M, bands)` whole numbers.
    Returns:
      `(2, NUM_CODES, bands)` int16. Whole numbers all the way, so that no order of summing changes a bit.
    """
    order = np.random.RandomState(CODEBOOK_SEED).permutation(len(levels))
    rest, codebooks = levels[order[:MOST_FITTED]], []
    for _ in range(codec.STAGES):
        codebook = k_means(rest, NUM_CODES)
        rest = rest - codebook[codec.nearest(rest, codebook)]
        codebooks.append(codebook)
    return np.stack(codebooks)


def k_means(rows: np.ndarray, count: int) -> np.ndarray:
    """Lloyd's algorithm from the first rows, with centres rounded to whole numbers.

    Args:
      rows: `(M, D)` whole numbers, shuffled.
    Returns:
      `(count, D)` int16; a centre that is nearest to no row stays where it is.

    Examples:
      >>> k_means(np.array([[1], [9], [2], [11]]), 2).ravel().tolist()
      [2, 10]
    """
    centres = rows[np.arange(count) % len(rows)].astype(np.int16)
    for _ in range(NUM_ITERATIONS):
        chosen = codec.nearest(rows, centres)
        counts = np.bincount(chosen, minlength=count)[:, None]
        sums = np.stack([np.bincount(chosen, column, minlength=count) for column in rows.T], axis=1)
        means = np.rint(sums / np.maximum(counts, 1))
        centres = np.where(counts > 0, means, centres).astype(np.int16)
    return centres


def _measure(audio: np.ndarray, rate: int) -> np.ndarray:
    few = max(1, SAMPLES_AT_ONCE // audio.shape[1])
    return np.concatenate([codec.measure(audio[i : i + few], rate) for i in range(0, len(audio), few)])


def _codec_notes(levels: dict[str, np.ndarray], tokens: np.ndarray, codebooks: np.ndarray, rate: int) -> list[str]:
    """What the tokens keep of validation clips that no codebook was fitted to."""
    true, decoded = levels["validation"], codec.decode(tokens, codebooks)
    heard = [codec.synthesise(each, rate) for each in decoded[:CLIPS_HEARD, :FRAMES_HEARD]]
    again = codec.measure(np.stack(heard), rate)
    mean = levels["train"].mean(axis=(0, 1))
    hop = 1000 * codec.HOP_SECONDS
    return [
        f"a frame of {codec.FRAME_HOPS * hop:g} ms every {hop:g} ms becomes {codec.STAGES} tokens, each of {codebooks.shape[1]}",
        f"tokens are not lossless: of validation clips the levels of {true.shape[-1]} bands are off by "
        f"{_off(true, decoded):.1f} dB (root mean square), {_off(true[:CLIPS_HEARD, :FRAMES_HEARD], again):.1f} dB once they are sound again; "
        f"the mean level of each band is off by {_off(true, mean):.1f} dB",
        "tokens tell nothing of phases: these are made up, so a wave that comes back is another one",
    ]


def _off(levels: np.ndarray, others: np.ndarray) -> float:
    """The root mean square of their differences, in dB."""
    return float(np.sqrt(np.mean((levels - others) ** 2.0))) / codec.UNITS
