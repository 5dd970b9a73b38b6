"""The spec language: YAML to a validated, resolved `ModelSpec`. Knows nothing of JAX."""

from metagen_jax.spec.editor import json_schema
from metagen_jax.spec.load import load_spec
from metagen_jax.spec.model_spec import (
    Architecture,
    Choice,
    Constraints,
    DataSpec,
    Evaluation,
    Hub,
    Modality,
    ModelSpec,
    Objective,
    Outputs,
    Search,
    Target,
    Task,
    Training,
)

__all__ = [
    "Architecture",
    "Choice",
    "Constraints",
    "DataSpec",
    "Evaluation",
    "Hub",
    "Modality",
    "ModelSpec",
    "Objective",
    "Outputs",
    "Search",
    "Target",
    "Task",
    "Training",
    "json_schema",
    "load_spec",
]
