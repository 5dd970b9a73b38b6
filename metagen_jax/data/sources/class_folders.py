"""A folder with one folder of files for each class, whatever the files hold."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.splits import assign_splits
from metagen_jax.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
Listed = list[tuple[Path, str]]  # file, class


@dataclasses.dataclass(frozen=True)
class FileKind:
    """What files of one kind are called, and how they are told from others.

    Attributes:
      one, many: the noun.
      suffixes: endings of their names, in small letters; "" is none at all.
    """

    one: str
    many: str
    suffixes: frozenset[str]

    def includes(self, path: Path, below: Path) -> bool:
        """Whether a path below a folder is such a file, and not hidden."""
        return path.suffix.lower() in self.suffixes and not is_hidden(path, below) and path.is_file()

    def files_of(self, path: Path) -> list[Path]:
        """What an example at this path is read from."""
        return [path]

    @property
    def known(self) -> str:
        return ", ".join(suffix or "no ending" for suffix in sorted(self.suffixes))


class Divided(NamedTuple):
    """The files of three splits.

    Attributes:
      files: of each split.
      labels: of the files of each split, `(N,)` int32 positions in `class_names`.
      notes: on what was passed over.
    """

    class_names: tuple[str, ...]
    files: dict[str, list[Path]]
    labels: dict[str, np.ndarray]
    notes: list[str]


def divide_files(request: DataRequest, kind: FileKind) -> Divided:
    """Lists the files of `request.path` and divides them, where they do not come divided.

    Raises:
      DataError: there is nothing to learn from, or a split is left without files.
    """
    given = list_splits(request.path, kind)
    class_names = class_names_of(given)
    labels = {split: np.array([class_names.index(name) for _, name in given[split]], np.int32) for split in given}
    assigned = assign_splits(
        labels,
        validation_fraction=request.validation_fraction,
        test_fraction=request.test_fraction,
        max_examples=request.max_examples,
    )
    files = {split: [given[origin][i][0] for i in indices] for split, (origin, indices) in assigned.items()}
    for split in SPLITS:
        if not files[split]:
            raise DataError(f"{request.path}: no {kind.many} for {split}\n  Add {kind.many}, or a folder {split}/.")
    return Divided(
        tuple(class_names),
        files,
        {split: labels[origin][indices] for split, (origin, indices) in assigned.items()},
        passed_over(request.path, given, kind),
    )


def list_splits(root: Path, kind: FileKind) -> dict[str, Listed]:
    """Lists `<class>/<file>`, or `train/`, `validation/`, `test/` with such folders inside.

    Returns:
      The files of each split that the data come divided into, sorted by class and path; of "train" alone if they do not.
    Raises:
      DataError: there is nothing to learn from; the message names the folder.
    """
    listed = {split: _list_files(folder, kind) for split, folder in _split_folders(root).items()}
    _check_classes(root, listed)
    return listed


def class_names_of(listed: dict[str, Listed]) -> list[str]:
    """The classes of the training files, sorted by name."""
    return sorted({name for _, name in listed["train"]})


def is_hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)


def passed_over(root: Path, listed: dict[str, Listed], kind: FileKind) -> list[str]:
    """A note on the files that are of another kind; none if there are none."""
    used = {file for examples in listed.values() for path, _ in examples for file in kind.files_of(path)}
    files = (path for path in root.rglob("*") if path.is_file() and not is_hidden(path, root))
    others = sorted(path for path in files if path not in used)
    if not others:
        return []
    return [f"files passed over because they are no {kind.many}: {len(others)}, such as {others[0].name}"]


def _split_folders(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder\n  data.path has to name a folder with one folder for each class.")
    folders = [folder for folder in _visible(root) if folder.is_dir()]
    if "train" not in {folder.name for folder in folders}:
        return {"train": root}
    splits: dict[str, Path] = {}
    for folder in folders:
        if folder.name not in SPLIT_FOLDERS:
            raise DataError(f"{folder}: a folder beside train/ has to be validation/ or test/\n  Move it elsewhere.")
        split = SPLIT_FOLDERS[folder.name]
        if split in splits:
            raise DataError(f"{folder}: a second folder for {split}, beside {splits[split].name}/\n  Keep one of them.")
        splits[split] = folder
    return splits


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _list_files(folder: Path, kind: FileKind) -> Listed:
    listed: Listed = []
    for inside in _visible(folder):
        if inside.is_dir():
            files = sorted(path for path in inside.rglob("*") if kind.includes(path, inside))
            if not files:
                remedy = f"Add {kind.many} ({kind.known}), or remove the folder."
                raise DataError(f"{inside}: no {kind.many} in it\n  {remedy}")
            listed += [(path, inside.name) for path in files]
        elif kind.includes(inside, folder):
            raise DataError(f"{inside}: a {kind.one} outside of a class\n  Put it into a folder named as its class.")
    if not listed:
        expected = f"Expected {folder.name}/<class>/<{kind.one}> ({kind.known})."
        raise DataError(f"{folder}: no {kind.many} in it\n  {expected}")
    return listed


def _check_classes(root: Path, listed: dict[str, Listed]) -> None:
    class_names = class_names_of(listed)
    if len(class_names) < 2:
        raise DataError(f"{root}: one class only, '{class_names[0]}'\n  To classify, it takes two folders or more.")
    for split, files in listed.items():
        for path, name in files:
            if name not in class_names:
                problem = f"class '{name}' of {split} is not among the training classes"
                raise DataError(f"{path.parent}: {problem}\n  Add it to train/, or remove the folder.")
