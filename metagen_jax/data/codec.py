"""Sound as tokens and back: how loud its bands are, frame after frame, in two codebooks.

A frame lasts 32 ms and begins 8 ms after the one before. The nearest entry of the first
codebook stands for the levels of its bands, that of the second one for what is missing:
two tokens a frame. They tell nothing of phases, which `synthesise` makes up, so what
comes back sounds alike and is another wave.

References:
  Juang and Gray, Multiple stage vector quantization for speech coding, 1982.
  Griffin and Lim, Signal estimation from modified short-time Fourier transform, 1984.
"""

import numpy as np

HOP_SECONDS = 0.008
FRAME_HOPS = 4  # hops that a frame lasts
MOST_BANDS = 32
QUIETEST = -90.0  # dB below a sine of full scale; what is quieter is silence
UNITS = 2  # of a level, in one dB
STAGES = 2  # tokens of a frame
ITERATIONS = 60  # of finding phases
ROWS_AT_ONCE = 8192


def hop_length(rate: int) -> int:
    """Samples from one frame to the next, at `rate` samples a second."""
    return round(HOP_SECONDS * rate)


def band_starts(rate: int) -> np.ndarray:
    """The first frequency of each band, as positions in a spectrum; even in mel."""
    frame = FRAME_HOPS * hop_length(rate)
    highest = np.log1p(rate / 2 / 700)
    hertz = 700 * np.expm1(highest * np.arange(MOST_BANDS) / MOST_BANDS)
    return np.unique(np.rint(hertz * frame / rate).astype(int))


def measure(audio: np.ndarray, rate: int) -> np.ndarray:
    """Levels of the bands of clips: (N, T) int16 to (N, frames, bands) int16.

    A level is a whole number, 0 for silence, `UNITS` more for each dB. The last frame is
    filled up with silence.
    """
    starts = band_starts(rate)
    spectra = _spectra(audio, hop_length(rate))  # (N, F, frequencies)
    widths = np.diff(starts, append=spectra.shape[-1])
    power = np.add.reduceat(np.abs(spectra) ** 2, starts, axis=-1) / widths
    levels = 10 * np.log10(power + 10 ** (QUIETEST / 10))
    return np.rint(UNITS * (levels - QUIETEST)).astype(np.int16)


def encode(levels: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Levels (N, frames, bands) to tokens (N, `STAGES` frames) uint16.

    Token k of stage s is s K + k, where the codebooks are (`STAGES`, K, bands) int16.

    Examples:
      >>> tokens = encode(np.array([[[7], [2]]]), np.array([[[2], [5]], [[0], [2]]]))
      >>> tokens.tolist()
      [[1, 3, 0, 2]]
    """
    rest = levels.reshape(-1, levels.shape[-1])
    tokens: list[np.ndarray] = []
    for codebook in codebooks:
        chosen = nearest(rest, codebook)
        rest = rest - codebook[chosen]
        tokens.append(chosen + len(tokens) * len(codebook))
    return np.stack(tokens, axis=1).astype(np.uint16).reshape(len(levels), -1)


def decode(tokens: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Tokens of whole frames (N, `STAGES` frames) to levels (N, frames, bands).

    Examples:
      >>> decode(np.array([[1, 3, 0, 2]]), np.array([[[2], [5]], [[0], [2]]])).tolist()
      [[[7], [2]]]
    """
    entries = codebooks.reshape(-1, codebooks.shape[-1])[tokens]
    return entries.reshape(len(tokens), -1, STAGES, codebooks.shape[-1]).sum(axis=2)


def nearest(rows: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """The entry (K, bands) next to each row (M, bands), the first of those as near.

    Whole numbers below 2^24 are exact in float32: no order of summing rounds.
    """
    entries = codebook.astype(np.float32)
    sizes = np.sum(entries**2, axis=1)
    chosen = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        few = rows[start : start + ROWS_AT_ONCE].astype(np.float32)
        chosen.append(np.argmin(sizes - 2 * (few @ entries.T), axis=1))
    return np.concatenate(chosen)


def synthesise(levels: np.ndarray, rate: int) -> np.ndarray:
    """One clip of these levels: (frames, bands) to (frames hops,) int16."""
    hop = hop_length(rate)
    widths = np.diff(band_starts(rate), append=FRAME_HOPS * hop // 2 + 1)
    decibels = np.repeat(levels / UNITS + QUIETEST, widths, axis=-1)
    power = 10 ** (decibels / 10) - 10 ** (QUIETEST / 10)
    magnitudes = np.sqrt(np.maximum(power, 0))  # (F, frequencies)
    phases = np.random.RandomState(0).uniform(0, 2 * np.pi, magnitudes.shape)
    turned = np.exp(1j * phases)
    for _ in range(ITERATIONS):  # towards phases that overlapping frames agree on
        spectra = _spectra(_wave(magnitudes * turned, hop)[None], hop)[0]
        turned = spectra / np.maximum(np.abs(spectra), 1e-12)
    audio = np.rint(_wave(magnitudes * turned, hop))
    return np.clip(audio, -(2**15), 2**15 - 1).astype(np.int16)


def _window(hop: int) -> np.ndarray:
    """A raised cosine as long as a frame."""
    length = FRAME_HOPS * hop
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)


def _scale(hop: int) -> float:
    """The largest value in the spectrum of a sine of full scale."""
    return 2**15 * FRAME_HOPS * hop / 4


def _before(hop: int) -> int:
    """Samples of the first frame that lie before the clip."""
    return (FRAME_HOPS - 1) * hop // 2


def _spectra(audio: np.ndarray, hop: int) -> np.ndarray:
    """Spectra of the frames of clips: (N, T) to (N, frames, frequencies)."""
    count, length = -(-audio.shape[1] // hop), FRAME_HOPS * hop
    padded = np.pad(audio.astype(float), ((0, 0), (_before(hop), length)))
    places = np.arange(count)[:, None] * hop + np.arange(length)  # (F, length)
    return np.fft.rfft(padded[:, places] * _window(hop)) / _scale(hop)


def _wave(spectra: np.ndarray, hop: int) -> np.ndarray:
    """The clip whose spectra are nearest to these: (F, frequencies) to (F hops,)."""
    window = _window(hop)
    frames = np.fft.irfft(spectra * _scale(hop), FRAME_HOPS * hop) * window
    weights = np.broadcast_to(window**2, frames.shape)
    inside = slice(_before(hop), _before(hop) + len(frames) * hop)
    return _added(frames, hop)[inside] / _added(weights, hop)[inside]


def _added(frames: np.ndarray, hop: int) -> np.ndarray:
    """The sum of frames (F, length), each a hop later than the one before."""
    parts = frames.reshape(len(frames), FRAME_HOPS, hop)
    total = np.zeros((len(frames) + FRAME_HOPS - 1, hop))
    for number in range(FRAME_HOPS):
        total[number : number + len(frames)] += parts[:, number]
    return total.reshape(-1)
