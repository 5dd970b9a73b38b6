"""A table: what it holds is told from the names of its columns, and every row is read."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metagen_jax.data.inspection.duplicates import Example
from metagen_jax.data.inspection.findings import Findings, Proposal, held_out, resized
from metagen_jax.data.inspection.image_folder import labelled_pictures
from metagen_jax.data.inspection.image_shape import proposed_size
from metagen_jax.data.inspection.labelled_texts import labelled_texts, lengths_line, window_for, window_remarks
from metagen_jax.data.inspection.pictures import Seen, look_at, sizes_line, sizes_of
from metagen_jax.data.inspection.text_file import inspect_text
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.tables import Given, Row, columns_of, of_row, read_table
from metagen_jax.errors import DataError
from metagen_jax.spec.tasks import COLUMNS_OF_TABLES

USUAL_NAMES = {
    "image": ("image", "img", "picture", "file", "file_name", "filename", "path", "image_path"),
    "text": ("text", "caption", "sentence", "content", "title", "review"),
    "label": ("label", "labels", "class", "category", "target"),
}
FEW = 30  # pictures


def inspect_table(path: Path) -> Findings:
    """Looks at the columns that are called as usual: image and text, image and label, text and label, or text."""
    try:
        names = usual_columns(columns_of(path))
        kind = _kind(names)
        roles = COLUMNS_OF_TABLES[kind]
        columns = {role: names[role] for role in roles if names.get(role, role) != role}
        errors: list[DataError] = []
        given = read_table(DataRequest(path, columns=columns), roles, errors, are_lines=kind == "line_table")
    except DataError as error:
        return Findings((), problems=(str(error),))
    problems = [str(error) for error in errors]
    return _INSPECTORS[kind](path, given, problems, {"columns": columns} if columns else {})


def usual_columns(columns: Sequence[str]) -> dict[str, str]:
    """Which column holds what, by its name.

    Examples:
      >>> usual_columns(["id", "File_Name", "caption"])
      {'image': 'File_Name', 'text': 'caption'}
    """
    by_word = {column.strip().lower(): column for column in reversed(columns)}
    found = {role: [by_word[word] for word in words if word in by_word] for role, words in USUAL_NAMES.items()}
    return {role: names[0] for role, names in found.items() if names}


def _kind(names: Mapping[str, str]) -> str:
    """The format by which a spec would call a table with these columns; that of texts with labels, if it is none."""
    order = ("caption_table", "image_table", "text_table", "line_table")
    return next((kind for kind in order if set(COLUMNS_OF_TABLES[kind]) <= names.keys()), "text_table")


def _inspect_texts(path: Path, given: Given, problems: list[str], data: Mapping[str, Any]) -> Findings:
    read = [(_text_example(row), row.text) for row in given.rows["train"]]
    return labelled_texts(path, read, given.notes, problems, data)


def _inspect_lines(path: Path, given: Given, problems: list[str], data: Mapping[str, Any]) -> Findings:
    text = "".join(f"{row.text}\n" for row in given.rows["train"])
    return inspect_text(path, text, given.notes, problems, data)


def _inspect_images(path: Path, given: Given, problems: list[str], data: Mapping[str, Any]) -> Findings:
    seen = _seen(path, given.rows["train"], problems)
    pictures = [(Example(row.place, "train", row.label, each.digest), each) for row, each in seen]
    return labelled_pictures(path, pictures, given.notes, problems, data)


def _inspect_captions(path: Path, given: Given, problems: list[str], data: Mapping[str, Any]) -> Findings:
    seen = _seen(path, given.rows["train"], problems)
    if not seen:
        return Findings((), problems=tuple(problems))
    pictures = list({each.digest: each for _, each in seen}.values())
    texts = [row.text for row, _ in seen]
    lengths = sorted(map(len, texts))
    window = window_for(lengths)
    found = (
        f"{len(seen):,} texts of {len(pictures):,} pictures; a tenth of these each will be held out for validation and test",
        sizes_line(pictures),
        lengths_line(lengths),
        *given.notes,
    )
    remarks = window_remarks(lengths, window)
    problems += held_out(path, ["picture"] * len(pictures), (), "pictures")
    if len(pictures) < FEW:
        remarks.append(f"fewer than {FEW} pictures, too few to learn from")
    repeated = len(texts) - len(set(texts))
    if repeated:
        remarks.append(f"{repeated} texts are there more than once; which picture is meant by them cannot be told")
    shared: dict[str, Any] = {
        "data": resized(proposed_size(sizes_of(pictures))) | dict(data),
        "constraints": {"context_window": window},
        "batch_size": min(64, max(2, len(pictures) // 4)),
    }
    proposals = (
        Proposal("image text", "embedding", "contrastive", "dual_encoder", ("recall_at_10", "loss"), **shared),
        Proposal("image", "text", "captioning", "captioner", ("bits_per_character", "loss"), **shared),
    )
    return Findings(found, tuple(remarks), tuple(problems), proposals)


def _text_example(row: Row) -> Example:
    return Example(row.place, "train", row.label, hashlib.sha256(row.text.encode()).hexdigest())


def _seen(path: Path, rows: Sequence[Row], problems: list[str]) -> list[tuple[Row, Seen]]:
    """The rows whose pictures could be read, and what was seen; what is wrong with the others is added to `problems`."""
    seen = []
    for row in rows:
        try:
            seen.append((row, of_row(path, row, lambda picture: look_at(picture.file, picture.content))))
        except DataError as error:
            problems.append(str(error))
    return seen


_INSPECTORS: dict[str, Callable[[Path, Given, list[str], Mapping[str, Any]], Findings]] = {
    "text_table": _inspect_texts,
    "line_table": _inspect_lines,
    "image_table": _inspect_images,
    "caption_table": _inspect_captions,
}
