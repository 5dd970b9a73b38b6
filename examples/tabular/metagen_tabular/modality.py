"""The handler of the task, and its one family: a residual network of matmuls."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metagen_jax.data import majority_accuracy
from metagen_jax.spec import ModelSpec
from metagen_jax.synth.modalities import HYPERPARAMETER, SIZE, STRUCTURE, Dimension, Family, Field, Modality
from metagen_jax.synth.modalities.base import Array
from metagen_jax.synth.modalities.parts import INITIALIZER, MAJORITY, NORM, WARMUP_STEPS, WEIGHT_DECAY
from metagen_tabular.data import TableDataset

MLP = Family(
    name="mlp",
    title="residual multilayer perceptron",
    model_class="MultilayerPerceptron",
    dimensions=(
        Dimension("norm", STRUCTURE, ("rms",), "normalisation before each block"),
        Dimension("activation", STRUCTURE, ("gelu",), "function between the two matmuls of a block"),
        Dimension("width", SIZE, (8, 16, 24, 32, 48, 64), "width of the residual stream"),
        Dimension("num_layers", SIZE, (1, 2, 3, 4), "number of blocks"),
        Dimension("hidden", SIZE, (16, 32, 48, 64, 96, 128), "width between the two matmuls of a block"),
        Dimension("learning_rate", HYPERPARAMETER, (1e-3, 2e-3, 5e-3, 1e-2), "peak of the schedule"),
        WEIGHT_DECAY,
        WARMUP_STEPS,
    ),
    fragments=(INITIALIZER, NORM, "fragments/tables/mlp.py.j2"),
    width="width",
    parameter='axes=("width", "hidden"), fan_in=("width",)',
    parallel=("hidden",),
    anchors=(),
)


class TabularClassification(Modality):
    """Names what a row of numbers is."""

    name = "tabular_classification"
    inputs = ("table",)
    outputs = ("label",)
    task_type = "classification"
    families: ClassVar = {"mlp": MLP}
    recipe_fragments = (
        "fragments/training/optimizer.py.j2",
        "fragments/losses/classification.py.j2",
        "fragments/tables/batches.py.j2",
    )
    recipe_words: ClassVar = {"inputs": "rows", "shape": "(B, F) standardised", "read": "rows", "one": "row"}
    evaluation_batch_size = 256
    try_it = "python infer.py example.csv"
    search_examples = None

    def fixed_fields(self, spec: ModelSpec, dataset: TableDataset) -> tuple[Field, ...]:
        return (
            Field("num_features", len(dataset.columns), "numbers of a row"),
            Field("num_classes", dataset.num_classes, "labels"),
        )

    def dimensions(self, family: Family, spec: ModelSpec, fixed: Mapping[str, int]) -> tuple[Dimension, ...]:
        return family.dimensions

    def default_structure(self, family: Family, fixed: Mapping[str, int], dimension: Dimension) -> tuple[Any, ...]:
        return dimension.values

    def abstract_batch(self, fixed: Mapping[str, int], batch_size: int) -> tuple[Array, ...]:
        rows = Array((batch_size, fixed["num_features"]), np.dtype(np.float32))
        return rows, Array((batch_size,), np.dtype(np.int32))

    def abstract_example(self, fixed: Mapping[str, int]) -> tuple[Array, ...]:
        return (Array((1, fixed["num_features"]), np.dtype(np.float32)),)

    def train_arrays(self, dataset: TableDataset) -> tuple[np.ndarray, ...]:
        return dataset.standardised("train"), dataset.train.labels

    def evaluation_arrays(self, dataset: TableDataset, split: str, fixed: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        return dataset.standardised(split), getattr(dataset, split).labels

    def metrics(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: scores[name] for name in ("loss", "accuracy")}

    def baselines(self, dataset: TableDataset, sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
        return {
            MAJORITY: {"accuracy": majority_accuracy(dataset)},
            "the class with the nearest mean": {"accuracy": nearest_mean_accuracy(dataset)},
        }


def nearest_mean_accuracy(dataset: TableDataset) -> float:
    """The share of validation rows whose class has the nearest mean among the standardised training rows."""
    rows, labels = dataset.standardised("train"), dataset.train.labels
    present = np.unique(labels)  # a class without training rows is never the answer
    means = np.stack([rows[labels == label].mean(axis=0) for label in present])  # (C, F)
    distances = ((dataset.standardised("validation")[:, None] - means) ** 2).sum(axis=-1)  # (N, C)
    return float((present[distances.argmin(axis=1)] == dataset.validation.labels).mean())
