"""A folder of pictures: every one is opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.inspection.duplicates import Example, duplicates
from metagen_jax.data.inspection.findings import Findings, balance, division, held_out, image_proposal, training_counts
from metagen_jax.data.inspection.image_shape import proposed_size
from metagen_jax.data.inspection.pictures import Seen, look_at, sizes_line, sizes_of
from metagen_jax.data.sources.class_folders import list_splits, passed_over
from metagen_jax.data.sources.image_folder import PICTURES
from metagen_jax.errors import DataError


def inspect_image_folder(path: Path) -> Findings:
    """Looks at `<class>/<picture>`, or at such folders inside of `train/`, `validation/` and `test/`."""
    try:
        listed = list_splits(path, PICTURES)
    except DataError as error:
        return Findings((), problems=(str(error),))
    pictures: list[tuple[Example, Seen]] = []
    problems = []
    for split in SPLITS:
        for file, label in listed.get(split, ()):
            try:
                seen = look_at(file)
                pictures.append((Example(str(file.relative_to(path)), split, label, seen.digest), seen))
            except DataError as error:
                problems.append(str(error))
    return labelled_pictures(path, pictures, passed_over(path, listed, PICTURES), problems)


def labelled_pictures(
    path: Path,
    pictures: Sequence[tuple[Example, Seen]],
    notes: Sequence[str],
    problems: Sequence[str],
    data: Mapping[str, Any] = MappingProxyType({}),
) -> Findings:
    """What there is to say of pictures with labels.

    Args:
      notes: on what was changed or passed over.
      problems: with others, that could not be read.
      data: keys of that section that it takes to read them.
    """
    if not pictures:
        return Findings((), problems=tuple(problems))
    examples, seen = zip(*pictures, strict=True)
    try:
        counts = training_counts(path, examples)
    except DataError as error:
        return Findings((), problems=(*problems, str(error)))
    classes, remarks = balance(counts)
    found = (division((each.split for each in examples), "pictures"), sizes_line(seen), *classes, *notes)
    remarks += duplicates(examples, "picture", "pictures")
    refused = (*problems, *held_out(path, counts.elements(), (each.split for each in examples), "pictures"))
    proposal = image_proposal(len(counts), counts.total(), proposed_size(sizes_of(seen)), data)
    return Findings(found, tuple(remarks), refused, (proposal,))
