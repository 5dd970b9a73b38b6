"""What the project of a trained network says of its data, and the files in it that no template writes."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metagen_jax.automl.questions import Questions, Which, questions
from metagen_jax.automl.samples import answers_of, named_answers
from metagen_jax.synth.documents import data_card, example_counts, write_json, write_labels, write_meaning, write_text
from metagen_jax.synth.markdown import inline
from metagen_jax.synth.project_data import LABELS_FILE, UNCALIBRATED, data_context, listed_classes
from metagen_tabular.data import TableDataset

EXAMPLE = "example.csv"
NUM_EXAMPLES = 5


@write_meaning.register
def _(dataset: TableDataset, folder: Path) -> None:
    write_labels(dataset.class_names, folder)
    numbers = {name: getattr(dataset, name).tolist() for name in ("mean", "deviation")}
    write_json(folder / "columns.json", {"names": dataset.columns, **numbers})
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([dataset.columns, *dataset.test.rows[:NUM_EXAMPLES].tolist()])
    write_text(folder / EXAMPLE, table.getvalue().rstrip("\n"))


@data_context.register
def _(dataset: TableDataset, lengths: Mapping[str, int], samples: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    counts = f"{example_counts(dataset)} rows of {len(dataset.columns)} numbers."
    return {
        "further_packages": [],
        "train_arguments": "rows, labels",
        "train_values": "*train_data",
        "examples_function": "",
        "num_columns": len(dataset.columns),
        "example_file": EXAMPLE,
        "example_noun": "row",
        "infer_command": f"python infer.py {EXAMPLE}",
        "samples": [(inline(question), inline(answer)) for question, answer in samples],
        "data_arrays": "train_rows and train_labels, the same for validation and test, class_names\nand columns",
        "data_card": data_card(dataset, f"{counts} Labels: {listed_classes(dataset.class_names)}."),
        "intended": (
            "For naming what rows like these are, for learning how such a network works, and as a starting point for "
            "other tables. Not for decisions about people, health or safety."
        ),
        "limits": [
            f"It always answers with one of its {dataset.num_classes} labels, also when none of them fits.",
            f"It was trained on {len(dataset.train):,} rows; numbers far from those that they have mean nothing to it.",
            UNCALIBRATED,
        ],
        "data_files": [
            LABELS_FILE,
            ("columns.json", "the columns, with the mean and the deviation that numbers are standardised by"),
            (EXAMPLE, "the first rows of the test data, to try it with"),
        ],
    }


@questions.register
def _(dataset: TableDataset, model: Any, which: Which) -> Questions:
    return Questions(dataset.standardised("test")[which], dataset.test.labels[which], dataset.class_names)


@answers_of.register
def _(dataset: TableDataset, model: Any, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    return named_answers(dataset, model, count, "row")
