"""An extension of metagen_jax: tables of numbers in, one label for each row out."""

from pathlib import Path


def register() -> None:
    """Tells metagen_jax what this package adds; called once, before any spec is read."""
    from metagen_jax.data.sources import register_source
    from metagen_jax.spec.tasks import MAXIMIZE, TaskKind, register_format, register_task
    from metagen_jax.synth.codegen import register_templates
    from metagen_jax.synth.modalities import register_modality
    from metagen_tabular import documents  # noqa: F401  registers functions for its kind of dataset
    from metagen_tabular.data import read_table_of_numbers
    from metagen_tabular.modality import TabularClassification

    register_task(
        TaskKind(
            inputs=("table",),
            outputs=("label",),
            type="classification",
            goal="name what a row of numbers is",
            contents="rows of numbers with labels",
            loss="cross_entropy",
            metrics=("accuracy", "loss"),
            objectives={"validation_accuracy": MAXIMIZE},
        )
    )
    register_format("table", "rows of numbers with labels", suffixes=[".csv"])
    register_source("table", read_table_of_numbers)
    register_templates(Path(__file__).parent / "templates")
    register_modality(TabularClassification())
