"""One text, in the rows of tables."""

from metagen_jax.data.datasets import TextDataset
from metagen_jax.data.sources.request import DataRequest
from metagen_jax.data.sources.rows import read_rows
from metagen_jax.data.sources.text_file import divided
from metagen_jax.spec.tasks import COLUMNS_OF_TABLES


def read_line_table(request: DataRequest) -> TextDataset:
    """Reads the column `text`, one line a row; other columns are passed over.

    Splits that are not given are cut off the end of the training text.
    """
    given = read_rows(request, COLUMNS_OF_TABLES["line_table"], are_lines=True)
    texts = {split: "".join(f"{row.text}\n" for row in rows) for split, rows in given.rows.items()}
    return divided(request, texts, given.notes, given.origin)
