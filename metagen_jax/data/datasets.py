"""What a loaded dataset is: three splits of images with labels, with texts or with neither, of their codes, of texts, clips
of sound or clips of video with labels, of one text, or of sound as tokens."""

import dataclasses

import numpy as np

from metagen_jax.data.characters import NUM_SPECIAL

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class HubOrigin:
    """Which data set of the Hugging Face Hub was read, in which configuration, and as of which commit."""

    name: str
    config: str
    revision: str


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSplit:
    """N labelled images.

    Attributes:
      images: `(N, H, W, C)` uint8, 0 is black.
      labels: `(N,)` int32, positions in the dataset's `class_names`.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDataset:
    """Labelled images in three splits that share no example.

    Attributes:
      class_names: one name for each label, in the order of the labels.
      notes: what was done to the data while it was read, in plain sentences.
      origin: where on the Hugging Face Hub they are from; None for all others.
    """

    name: str
    class_names: tuple[str, ...]
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    notes: tuple[str, ...] = ()
    origin: HubOrigin | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels

    def without_labels(self) -> "UnlabelledImageDataset":
        """The same images in the same splits."""
        images = {split: getattr(self, split).images for split in SPLITS}
        return UnlabelledImageDataset(self.name, **images, notes=self.notes, origin=self.origin)

    def to_be_drawn(self) -> "DrawnImageDataset":
        """The same images, to be drawn from their labels."""
        return DrawnImageDataset(**vars(self))


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnImageDataset(ImageDataset):
    """Labelled images that are drawn from their labels; what an `ImageDataset` is where labels come out."""


@dataclasses.dataclass(frozen=True, eq=False)
class UnlabelledImageDataset:
    """Images in three splits that share no example.

    Attributes:
      train, validation, test: `(N, H, W, C)` uint8, 0 is black.
      notes: what was done to the data while it was read, in plain sentences.
      origin: where on the Hugging Face Hub they are from; None for all others.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()
    origin: HubOrigin | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        _, height, width, channels = self.train.shape
        return height, width, channels


@dataclasses.dataclass(frozen=True, eq=False)
class TextDataset:
    """A text as characters, in three splits that share no position.

    Attributes:
      vocabulary: the characters in sorted order; the position of a character is its token.
      train, validation, test: `(T,)` uint8, or uint16 for more than 256 characters.
      notes: what was done to the text while it was read, in plain sentences.
      origin: where on the Hugging Face Hub they are from; None for all others.
    """

    name: str
    vocabulary: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()
    origin: HubOrigin | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledTextSplit:
    """N labelled texts.

    Attributes:
      tokens: `(N, T)` uint8 or uint16, as `characters.encode_padded` gives them: 0 fills up a shorter text.
      labels: `(N,)` int32, positions in the dataset's `class_names`.
    """

    tokens: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledTextDataset:
    """Labelled texts as characters, all of one length, in three splits that share no example.

    Attributes:
      class_names: one name for each label, in the order of the labels.
      vocabulary: the characters of the training texts in sorted order.
      notes: what was done to the data while it was read, in plain sentences.
      origin: where on the Hugging Face Hub they are from; None for all others.
    """

    name: str
    class_names: tuple[str, ...]
    vocabulary: str
    train: LabelledTextSplit
    validation: LabelledTextSplit
    test: LabelledTextSplit
    notes: tuple[str, ...] = ()
    origin: HubOrigin | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def num_tokens(self) -> int:
        """How many different tokens there are: padding, unknown, and every character."""
        return len(self.vocabulary) + NUM_SPECIAL


@dataclasses.dataclass(frozen=True, eq=False)
class AudioSplit:
    """N labelled clips of sound.

    Attributes:
      audio: `(N, T)` int16, one channel.
      labels: `(N,)` int32, positions in the dataset's `class_names`.
    """

    audio: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class AudioDataset:
    """Labelled clips of sound, all of one rate and one length, in three splits that share no example.

    Attributes:
      class_names: one name for each label, in the order of the labels.
      sample_rate: samples a second.
      notes: what was done to the data while it was read, in plain sentences.
    """

    name: str
    class_names: tuple[str, ...]
    sample_rate: int
    train: AudioSplit
    validation: AudioSplit
    test: AudioSplit
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def clip_length(self) -> int:
        """Samples of a clip."""
        return self.train.audio.shape[1]

    @property
    def clip_seconds(self) -> float:
        return self.clip_length / self.sample_rate


@dataclasses.dataclass(frozen=True, eq=False)
class VideoSplit:
    """N labelled clips of video.

    Attributes:
      video: `(N, T, H, W, C)` uint8, T frames each, 0 is black.
      labels: `(N,)` int32, positions in the dataset's `class_names`.
    """

    video: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class VideoDataset:
    """Labelled clips of video, all of as many frames of one size, in three splits that share no example.

    Attributes:
      class_names: one name for each label, in the order of the labels.
      notes: what was done to the data while it was read, in plain sentences.
    """

    name: str
    class_names: tuple[str, ...]
    train: VideoSplit
    validation: VideoSplit
    test: VideoSplit
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return self.train.video.shape[1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels of a frame."""
        *_, height, width, channels = self.train.video.shape
        return height, width, channels


@dataclasses.dataclass(frozen=True, eq=False)
class AudioTokenDataset:
    """Clips of sound as tokens, one after the other, in three splits that share no clip.

    Attributes:
      sample_rate: samples a second.
      clip_tokens: how many tokens a clip has, the one that it starts with not counted.
      codebooks: `(S, K, bands)` int16, as `codec` reads them; a token is one of S K, or `start`.
      examples: `(E, T)` int16, the first clips of the test as they were recorded.
      train, validation, test: `(N,)` uint16.
      notes: what was done to the data while it was read, in plain sentences.
    """

    name: str
    sample_rate: int
    clip_tokens: int
    codebooks: np.ndarray
    examples: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def clip_seconds(self) -> float:
        return self.examples.shape[1] / self.sample_rate

    @property
    def start(self) -> int:
        """The token that every clip starts with, and the last one there is."""
        return self.codebooks.shape[0] * self.codebooks.shape[1]

    @property
    def num_tokens(self) -> int:
        """How many different tokens there are."""
        return self.start + 1


@dataclasses.dataclass(frozen=True, eq=False)
class CodeSplit:
    """The codes of N labelled images.

    Attributes:
      codes: `(N, L)` float32; over all training codes, each number of a code has a mean of 0 and a variance of 1.
      labels: `(N,)` int32, positions in the dataset's `class_names`.
    """

    codes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class CodeDataset:
    """The codes that an autoencoder gives labelled images, in the splits of these: what is drawn in their place.

    Attributes:
      class_names: one name for each label, in the order of the labels.
      image_shape: height, width, channels of the images.
      mean, deviation: `(L,)` float32, of the numbers of training codes; a code that the autoencoder decodes is the one
        here times `deviation` plus `mean`.
      notes: what was done to the data while it was read, in plain sentences.
      origin: where on the Hugging Face Hub the images are from; None for all others.
    """

    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: np.ndarray
    deviation: np.ndarray
    train: CodeSplit
    validation: CodeSplit
    test: CodeSplit
    notes: tuple[str, ...] = ()
    origin: HubOrigin | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def code_length(self) -> int:
        """Numbers of a code."""
        return len(self.mean)


@dataclasses.dataclass(frozen=True, eq=False)
class CaptionedImageSplit:
    """N images, each with a text; an image with several texts is there as often.

    Attributes:
      images: `(N, H, W, C)` uint8, 0 is black.
      tokens: `(N, T)` uint8 or uint16, as `characters.encode_padded` gives them: 0 fills up a shorter text.
    """

    images: np.ndarray
    tokens: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@dataclasses.dataclass(frozen=True, eq=False)
class CaptionedImageDataset:
    """Images and texts that say what they show, in three splits that share no image.

    Attributes:
      vocabulary: the characters of the training texts in sorted order.
      notes: what was done to the data while it was read, in plain sentences.
      origin: where on the Hugging Face Hub they are from; None for all others.
    """

    name: str
    vocabulary: str
    train: CaptionedImageSplit
    validation: CaptionedImageSplit
    test: CaptionedImageSplit
    notes: tuple[str, ...] = ()
    origin: HubOrigin | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels

    @property
    def num_tokens(self) -> int:
        """How many different tokens there are: padding, unknown, and every character."""
        return len(self.vocabulary) + NUM_SPECIAL

    def to_be_described(self) -> "DescribedImageDataset":
        """The same images, whose texts are to be found."""
        return DescribedImageDataset(**vars(self))


@dataclasses.dataclass(frozen=True, eq=False)
class DescribedImageDataset(CaptionedImageDataset):
    """Images of which it is said in words what they show; what a `CaptionedImageDataset` is where texts come out."""


LabelledDataset = ImageDataset | CodeDataset | LabelledTextDataset | AudioDataset | VideoDataset
Dataset = LabelledDataset | UnlabelledImageDataset | TextDataset | AudioTokenDataset | CaptionedImageDataset


def origin_of(dataset: Dataset) -> HubOrigin | None:
    """Where on the Hugging Face Hub data are from; None for all others, and for kinds that are never from there."""
    return getattr(dataset, "origin", None)
