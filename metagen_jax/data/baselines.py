"""What a trained network has to beat."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from metagen_jax.data.characters import PADDING, decode_padded
from metagen_jax.data.datasets import (
    AudioDataset,
    AudioTokenDataset,
    CaptionedImageDataset,
    LabelledDataset,
    LabelledTextDataset,
    LabelledTextSplit,
    TextDataset,
    UnlabelledImageDataset,
    VideoDataset,
)

FRAME = 256  # samples, of which a spectrum is taken
CLIPS_AT_ONCE = 256
TRUSTED = 50  # times that a token has to be seen before what follows it is believed as much as the mean of all
BACKED_OFF = 10  # times that a row of characters has to be seen before it is believed as much as a shorter one
SHADES, NEIGHBOURS = 4, 10  # of a channel; training images that an image is compared by
MOST_FITTED = 10_000  # images that principal components are taken from


def bigram_bits_per_character(dataset: TextDataset, split: str = "validation") -> float:
    """Scores the next character from the current one alone, by add-one smoothed counts of the training split.

    The probability of b after a is `(n(a, b) + 1) / (n(a) + V)` for a vocabulary of V characters. The first
    character of the split has no predecessor and is not scored.

    Returns:
      Bits per character on the named split; lower is better, `log2(V)` is guessing.
    """
    vocabulary_size = len(dataset.vocabulary)
    first_counts = np.bincount(dataset.train[:-1], minlength=vocabulary_size)  # (V,)
    pairs, counts = np.unique(_pair_codes(dataset.train, vocabulary_size), return_counts=True)
    scored, times = np.unique(_pair_codes(getattr(dataset, split), vocabulary_size), return_counts=True)
    seen = np.zeros(len(scored), np.int64)  # n(a, b) of the scored pairs
    _, in_scored, in_pairs = np.intersect1d(scored, pairs, assume_unique=True, return_indices=True)
    seen[in_scored] = counts[in_pairs]
    probability = (seen + 1) / (first_counts[scored // vocabulary_size] + vocabulary_size)
    return float(-(times * np.log2(probability)).sum() / times.sum())


def _pair_codes(tokens: np.ndarray, vocabulary_size: int) -> np.ndarray:
    return tokens[:-1].astype(np.int64) * vocabulary_size + tokens[1:]  # (T - 1,)


def unigram_bits_per_token(dataset: AudioTokenDataset, split: str = "validation") -> float:
    """Scores every token by how often it is in the training split, add-one smoothed.

    Returns:
      Bits per token on the named split; lower is better.
    """
    return float(-np.log2(_shares(dataset)[getattr(dataset, split)]).mean())


def lagged_bits_per_token(dataset: AudioTokenDataset, lag: int, split: str = "validation") -> float:
    """Scores every token from the one `lag` places before, by counts of the training split.

    The probability of b after a is `(n(a, b) + TRUSTED p(b)) / (n(a) + TRUSTED)`, where p is that of the unigrams.
    The first tokens of the split have no predecessor and are not scored.

    Returns:
      Bits per token on the named split; lower is better.
    """
    count, train, scored = dataset.num_tokens, dataset.train.astype(np.int64), getattr(dataset, split)
    codes = train[:-lag] * count + train[lag:]
    counts = np.bincount(codes, minlength=count**2).reshape(count, count)
    mixed = counts + TRUSTED * _shares(dataset)
    probability = mixed / (counts.sum(axis=1, keepdims=True) + TRUSTED)
    return float(-np.log2(probability[scored[:-lag], scored[lag:]]).mean())


def _shares(dataset: AudioTokenDataset) -> np.ndarray:
    """The share of each token among the training tokens, had each been there once more."""
    counts = np.bincount(dataset.train, minlength=dataset.num_tokens) + 1
    return counts / counts.sum()


def majority_accuracy(dataset: LabelledDataset, split: str = "validation") -> float:
    """Returns the accuracy of always answering the most frequent class of the training split."""
    majority = np.argmax(np.bincount(dataset.train.labels))
    return float((getattr(dataset, split).labels == majority).mean())


def naive_bayes_accuracy(dataset: LabelledTextDataset, split: str = "validation") -> float:
    """Classifies texts by counts of pairs of neighbouring characters (multinomial naive Bayes, add-one smoothed).

    For V tokens, the probability of a pair in a class is `(n(pair, class) + 1) / (n(class) + V^2)`, and the prior of a
    class is its share of the training texts.

    Returns:
      The share of right answers on the named split.
    """
    codes, owners = _pairs_of_texts(dataset.train, dataset.num_tokens)
    known, numbers = np.unique(codes, return_inverse=True)  # (P,) different pairs
    cells = dataset.train.labels[owners] * len(known) + numbers
    counts = np.bincount(cells, minlength=dataset.num_classes * len(known)).reshape(dataset.num_classes, -1)  # (C, P)
    counts = np.pad(counts, ((0, 0), (0, 1)))  # the last is any pair that training does not have
    logs = np.log((counts + 1) / (counts.sum(1, keepdims=True) + dataset.num_tokens**2))
    scored = getattr(dataset, split)
    codes, owners = _pairs_of_texts(scored, dataset.num_tokens)
    numbers = np.searchsorted(known, codes)
    numbers[np.append(known, -1)[numbers] != codes] = len(known)
    sums = [np.bincount(owners, row[numbers], minlength=len(scored)) for row in logs]  # C times (N,)
    with np.errstate(divide="ignore"):  # a class without training texts is never the answer
        priors = np.log(np.bincount(dataset.train.labels, minlength=dataset.num_classes) / len(dataset.train))
    return float((np.argmax(np.stack(sums, 1) + priors, axis=1) == scored.labels).mean())


def _pairs_of_texts(split: LabelledTextSplit, num_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes of all pairs of characters, and which text each is from: twice `(M,)`."""
    tokens = split.tokens.astype(np.int64)
    owners, positions = np.nonzero(tokens[:, 1:] != PADDING)
    return tokens[owners, positions] * num_tokens + tokens[owners, positions + 1], owners


def mean_image_mse(dataset: UnlabelledImageDataset, split: str = "validation") -> float:
    """Answers every image of a split with the mean of the training images.

    Returns:
      The mean squared error of a pixel, in 0..1 squared.
    """
    return pca_mse(dataset, 0, split)


def pca_mse(dataset: UnlabelledImageDataset, num_components: int, split: str = "validation") -> float:
    """Projects every image of a split on principal components of the training images: the best linear code of a length.

    The components are taken from the first `MOST_FITTED` training images, by a singular value decomposition.

    Returns:
      The mean squared error of a pixel, in 0..1 squared. Rounded to six digits after the point, as linear algebra
      rounds differently with other numbers of threads.
    """
    fitted, scored = _flat(dataset.train[:MOST_FITTED]), _flat(getattr(dataset, split))
    mean = fitted.mean(axis=0)
    components = np.linalg.svd(fitted - mean, full_matrices=False)[2][:num_components] if num_components else fitted[:0]
    centred = scored - mean
    return round(float(np.mean((centred - centred @ components.T @ components) ** 2)), 6)


def _flat(images: np.ndarray) -> np.ndarray:
    """Each image as one row of numbers in 0..1: `(N, H W C)`."""
    return images.reshape(len(images), -1) / 255.0


def nearest_spectrum_accuracy(dataset: AudioDataset, split: str = "validation") -> float:
    """Answers with the class whose mean spectrum is nearest to that of a clip.

    The spectrum of a clip is the mean over its frames of the logarithm of the energy at each frequency, less its own
    mean, so that how loud a clip is makes no difference.

    Returns:
      The share of right answers on the named split.
    """
    scored = getattr(dataset, split)
    means, present = _class_means(_mean_spectra(dataset.train.audio), dataset.train.labels)  # (C, frequencies)
    distances = ((_mean_spectra(scored.audio)[:, None] - means) ** 2).sum(axis=-1)  # (N, C)
    return float((present[distances.argmin(axis=1)] == scored.labels).mean())


def nearest_clip_accuracy(dataset: VideoDataset, split: str = "validation") -> float:
    """Answers with the class whose mean clip is nearest to a clip, by the squared differences of all of its pixels.

    Returns:
      The share of right answers on the named split.
    """
    scored = getattr(dataset, split)
    means, present = _class_means(dataset.train.video.reshape(len(dataset.train), -1), dataset.train.labels)
    clips = scored.video.reshape(len(scored), -1).astype(np.float64)  # (N, T H W C)
    distances = (means**2).sum(axis=1) - 2 * clips @ means.T  # (N, C), less the square of the clip itself
    return float((present[distances.argmin(axis=1)] == scored.labels).mean())


def _class_means(examples: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means of the rows of each class, `(C, D)`, and their labels; a class without examples is never the answer."""
    present = np.unique(labels)
    return np.stack([examples[labels == label].mean(axis=0) for label in present]), present


def _mean_spectra(audio: np.ndarray) -> np.ndarray:
    """`(N, T)` int16 to `(N, frequencies)`."""
    return np.concatenate([_spectra_of_few(audio[i : i + CLIPS_AT_ONCE]) for i in range(0, len(audio), CLIPS_AT_ONCE)])


def _spectra_of_few(audio: np.ndarray) -> np.ndarray:
    frame = min(FRAME, audio.shape[1])
    whole = audio.shape[1] // frame * frame
    frames = audio[:, :whole].reshape(len(audio), -1, frame) * np.hanning(frame)  # (N, F, frame)
    energy = np.abs(np.fft.rfft(frames)) ** 2
    spectra = np.log(energy + 1.0).mean(axis=1)  # of int16: 1 is about what rounding to whole numbers leaves
    return spectra - spectra.mean(axis=1, keepdims=True)


def caption_bits_per_character(dataset: CaptionedImageDataset, before: int, split: str = "validation") -> float:
    """Scores each character of a text, and its end, by the characters before it alone, by counts of the training texts.

    The probability of b after a row of `before` characters is `(n(row, b) + BACKED_OFF p(b)) / (n(row) + BACKED_OFF)`, where
    p is that after one character less; without any, each token counts once more, the 0 that ends a text among them.

    Returns:
      Bits per character, the mean over texts of what the characters of each and its end take on average; lower is better.
    """
    train, scored = (_with_ends(getattr(dataset, name).tokens.astype(np.int64), before) for name in ("train", split))
    count = dataset.num_tokens
    probability = np.full(len(scored.rows), 1 / count)
    for seen in range(before + 1):
        own, asked = (rows[:, before - seen :] for rows in (train.rows, scored.rows))
        following, total = _times(own, asked), _times(own[:, :-1], asked[:, :-1])
        weight = count if seen == 0 else BACKED_OFF
        probability = (following + weight * probability) / (total + weight)
    bits = np.bincount(scored.owners, -np.log2(probability))
    return float((bits / np.bincount(scored.owners)).mean())


class _Ends(NamedTuple):
    """Every token of some texts with those before it, `(M, before + 1)`, 0 before the first and after the last of a text; and
    which text it is from, `(M,)`."""

    rows: np.ndarray
    owners: np.ndarray


def _with_ends(tokens: np.ndarray, before: int) -> _Ends:
    began = np.pad(tokens, ((0, 0), (before + 1, 0)), constant_values=PADDING)
    # Characters, and the first token behind them, if there is room for it.
    counts = np.pad(tokens[:, :-1] != PADDING, ((0, 0), (1, 0)), constant_values=True)
    owners, positions = np.nonzero(counts)
    return _Ends(began[owners[:, None], positions[:, None] + np.arange(1, before + 2)], owners)


def _times(own: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """How often each row of `asked`, `(M, W)`, is among those of `own`, `(N, W)`."""
    _, numbers = np.unique(np.concatenate([own, asked]), axis=0, return_inverse=True)
    return np.bincount(numbers[: len(own)], minlength=numbers.max() + 1)[numbers[len(own) :]]


def chance_recall(dataset: CaptionedImageDataset, best: int, split: str = "validation") -> float:
    """Returns how often the right one is among so many that are drawn from a split."""
    return min(1.0, best / len(getattr(dataset, split)))


def nearest_colours_recall(dataset: CaptionedImageDataset, best: int, split: str = "validation") -> float:
    """Compares the words of a text with those of the training images whose colours are most like those of an image.

    The colours of an image are how often each of `SHADES^channels` shades is in it. An image and a text of the split go
    together as the mean over the `NEIGHBOURS` nearest training images, by the sum of absolute differences of colours, of
    the words that text and training text share, each weighted by the logarithm of how rare it is.

    Returns:
      How often the right one is among the `best`, the mean of both ways; ties count half.
    """
    train, scored = dataset.train, getattr(dataset, split)
    own, theirs = _colours(train.images), _colours(scored.images)  # (N, shades), (M, shades)
    distances = np.stack([np.abs(own - row).sum(axis=1) for row in theirs])  # (M, N)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    words = [set(_text(row, dataset).lower().split()) for row in train.tokens]
    counts = Counter(word for text in words for word in text)
    weights = {word: float(np.log(len(words) / count)) for word, count in counts.items()}
    asked = [set(_text(row, dataset).lower().split()) for row in scored.tokens]
    shared = np.array([[sum(weights[word] for word in text & other) for other in words] for text in asked])  # (M, N)
    scores = shared[:, nearest].mean(axis=-1).T  # (M, M): images down, texts across
    return (_among_best(scores, best) + _among_best(scores.T, best)) / 2


def _colours(images: np.ndarray) -> np.ndarray:
    """The share of each shade of `(N, H, W, C)` uint8 images, `(N, SHADES^C)`."""
    channels = images.shape[-1]
    codes = (images // (256 // SHADES)).astype(int) @ SHADES ** np.arange(channels)  # (N, H, W)
    rows = codes.reshape(len(images), -1)
    return np.stack([np.bincount(row, minlength=SHADES**channels) for row in rows]) / rows.shape[1]


def _text(tokens: np.ndarray, dataset: CaptionedImageDataset) -> str:
    return decode_padded(tokens, dataset.vocabulary)


def _among_best(scores: np.ndarray, best: int) -> float:
    right = np.diagonal(scores)[:, None]
    rank = (scores > right).sum(axis=1) + ((scores == right).sum(axis=1) - 1) / 2
    return float((rank < best).mean())
