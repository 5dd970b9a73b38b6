"""Data sets of the Hugging Face Hub, read by its package `datasets` where that is installed."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from metagen_jax.data.datasets import HubOrigin
from metagen_jax.data.sources.class_folders import SPLIT_FOLDERS
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.tables import Given, check_columns, checked_rows, passed_over
from metagen_jax.errors import DataError
from metagen_jax.spec import Hub

OLDEST = 4  # the first version of `datasets` that runs no code of a data set


def read_hub(request: DataRequest, roles: tuple[str, ...], are_lines: bool = False) -> Given:
    """Reads the columns of a data set that are used, from the cache of `datasets` if they are there.

    Args:
      roles: what the columns hold, each of `image`, `text` and `label`; they are called so unless `request.columns` says
        otherwise.
      are_lines: whether texts are lines, which may be empty and keep the spaces that they begin with.
    Raises:
      DataError: the package is missing or too old, the data set cannot be read, has no split `train`, or a column or a
        cell is missing or of another kind.
    """
    hub = request.hub
    assert hub is not None and hub.name is not None
    library = _library(hub.name)
    builder, tables = _prepared(library, hub)
    given = {SPLIT_FOLDERS[name]: name for name in tables if name in SPLIT_FOLDERS}
    if "train" not in given:
        raise DataError(f"{hub.name}: no split train; found {', '.join(tables)}\n  Choose another data set or config.")
    names = {role: request.columns.get(role, role) for role in roles}
    columns = list(tables[given["train"]].features)
    rows = {}
    for split, name in given.items():
        check_columns(hub.name, list(tables[name].features), names.values())
        selected = _with_names(library, tables[name].select_columns(list(names.values())))
        places = ((f"row {i} of {name}", row) for i, row in enumerate(selected, start=1))
        rows[split] = checked_rows(hub.name, places, names, Path(), are_lines=are_lines)
    notes = [*passed_over(columns, names.values()), *_other_splits(list(tables), list(given.values()))]
    return Given(rows, notes, HubOrigin(hub.name, str(builder.config.name), str(builder.hash)))


def _library(name: str) -> ModuleType:
    try:
        library = importlib.import_module("datasets")
    except ImportError as error:
        remedy = "Install it, pip install datasets, or save the data as a file and name it by data.path."
        raise DataError(
            f"{name}: the Hub is read by the package datasets, which is not installed\n  {remedy}"
        ) from error
    if int(library.__version__.split(".")[0]) < OLDEST:
        found = f"datasets {library.__version__} may run code of a data set, and is not used"
        raise DataError(f"{name}: {found}\n  Install a newer one, pip install 'datasets>={OLDEST}'.")
    return library


def _prepared(library: ModuleType, hub: Hub) -> tuple[Any, Any]:
    """The builder of the data set, and its splits, downloaded."""
    try:
        builder = library.load_dataset_builder(hub.name, hub.config, revision=hub.commit or hub.revision)
        builder.download_and_prepare()
        return builder, builder.as_dataset()
    except Exception as error:  # whatever a network and a foreign package may raise
        reason = " ".join(str(error).split())[:300]
        remedy = (
            "Check data.hub (name, config, revision) and the network; what was downloaded before is read without one "
            "where HF_HUB_OFFLINE=1 is set."
        )
        raise DataError(
            f"{hub.name}: cannot be read from the Hub ({type(error).__name__}: {reason})\n  {remedy}"
        ) from error


def _with_names(library: ModuleType, table: Any) -> Iterator[dict[str, Any]]:
    """The rows, with labels by their names and pictures as the bytes of their files."""
    for name, feature in table.features.items():
        if isinstance(feature, library.Image):
            table = table.cast_column(name, library.Image(decode=False))
    classes = {name: each for name, each in table.features.items() if isinstance(each, library.ClassLabel)}
    for row in table:
        yield row | {name: _named(each.names, row[name]) for name, each in classes.items()}


def _named(names: list[str], number: int | None) -> str | None:
    """The name of a class; None where it is not told, which -1 stands for."""
    return None if number is None or number < 0 else names[number]


def _other_splits(found: list[str], used: list[str]) -> list[str]:
    others = [name for name in found if name not in used]
    return [f"splits passed over: {', '.join(others)}; read are {', '.join(used)}"] if others else []
