"""Texts and their labels, in the rows of tables."""

from metagen_jax.data.datasets import LabelledTextDataset
from metagen_jax.data.sources.labelled_texts import divided
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.rows import read_rows
from metagen_jax.spec.tasks import COLUMNS_OF_TABLES


def read_text_table(request: DataRequest) -> LabelledTextDataset:
    """Reads the columns `text` and `label`; other columns are passed over."""
    given = read_rows(request, COLUMNS_OF_TABLES["text_table"])
    texts = {split: [(row.text, row.label) for row in rows] for split, rows in given.rows.items()}
    return divided(request, texts, given.notes, given.origin)
