"""IMA ADPCM: speech at 4 bits a sample, by which the recordings that ship with the package are stored.

References:
  IMA Digital Audio Focus and Technical Working Groups, Recommended Practices for Enhancing Digital Audio Compatibility
  in Multimedia Systems, 1992, revision 3.00.
"""

import numpy as np

SIZES = """
7 8 9 10 11 12 13 14 16 17 19 21 23 25 28 31 34 37 41 45 50 55 60 66 73 80 88 97 107 118 130 143 157 173 190 209
230 253 279 307 337 371 408 449 494 544 598 658 724 796 876 963 1060 1166 1282 1411 1552 1707 1878 2066 2272
2499 2749 3024 3327 3660 4026 4428 4871 5358 5894 6484 7132 7845 8630 9493 10442 11487 12635 13899 15289 16818
18500 20350 22385 24623 27086 29794 32767
"""
STEPS = np.array([int(size) for size in SIZES.split()])  # each about a tenth larger than the one before
MOVES = np.array((-1, -1, -1, -1, 2, 4, 6, 8))  # along the steps, after a code of each magnitude


def encode(audio: np.ndarray) -> np.ndarray:
    """Returns two codes a byte, the first in the low half: `(N, T)` int16, T even, to `(N, T / 2)` uint8.

    Every row starts from 0 with the smallest step, so no row depends on another.
    """
    state = _State(len(audio))
    codes = np.empty(audio.shape, np.uint8)
    for t in range(audio.shape[1]):
        difference = audio[:, t].astype(int) - state.value
        size, left = STEPS[state.position], abs(difference)
        magnitude = np.zeros(len(audio), int)
        for bit in (4, 2, 1):
            fits = left >= size
            magnitude += bit * fits
            left = left - size * fits
            size = size >> 1
        codes[:, t] = magnitude + 8 * (difference < 0)
        state.take(codes[:, t])
    return codes[:, ::2] | codes[:, 1::2] << 4


def decode(packed: np.ndarray) -> np.ndarray:
    """Returns what `encode` was given, as nearly as its codes tell: `(N, T / 2)` uint8 to `(N, T)` int16.

    Examples:
      >>> wave = np.int16(8000 * np.sin(np.arange(200) / 5))[None]
      >>> bool(abs(decode(encode(wave)).astype(int) - wave)[:, 50:].max() < 800)
      True
    """
    state = _State(len(packed))
    audio = np.empty((len(packed), 2 * packed.shape[1]), np.int16)
    for byte in range(packed.shape[1]):
        for half in (0, 1):
            state.take(packed[:, byte] >> 4 * half & 15)
            audio[:, 2 * byte + half] = state.value
    return audio


class _State:
    """Where N decoders are: the last value of each, and the position of its step."""

    def __init__(self, count: int):
        self.value, self.position = np.zeros(count, int), np.zeros(count, int)

    def take(self, codes: np.ndarray) -> None:
        size, magnitude = STEPS[self.position], (codes & 7).astype(int)
        change = (size >> 3) + sum((magnitude >> bit & 1) * (size >> 2 - bit) for bit in (0, 1, 2))
        self.value = np.clip(self.value + np.where(codes & 8, -change, change), -32768, 32767)
        self.position = np.clip(self.position + MOVES[magnitude], 0, len(STEPS) - 1)
