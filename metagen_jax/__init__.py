"""MetaGen: turns a specification into a trained model.

    import metagen_jax

    run = metagen_jax.automl("specs/image_digits_demo.yaml")

Parts that can be used alone: `ArchitectureSearchEngine` proposes, `PrototypeTrainer` trains populations,
`ArchitectureRefiner` leads the rounds, `MetaLearner` finds where to start; `metagen_jax.search` has the strategies as
plain JAX functions.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metagen_jax.api import automl as automl
    from metagen_jax.automl.meta_learner import MetaLearner as MetaLearner
    from metagen_jax.automl.pipeline import Options as Options
    from metagen_jax.automl.pipeline import Run as Run
    from metagen_jax.automl.pipeline import prepare as prepare
    from metagen_jax.automl.prototype_trainer import PrototypeTrainer as PrototypeTrainer
    from metagen_jax.automl.refiner import ArchitectureRefiner as ArchitectureRefiner
    from metagen_jax.automl.search_engine import ArchitectureSearchEngine as ArchitectureSearchEngine
    from metagen_jax.memory import Memory as Memory
    from metagen_jax.spec import load_spec as load_spec

__version__ = "0.1.0"

# Where the public names are; they are imported when they are asked for, so that the package itself stays light.
_HOMES = {
    "ArchitectureRefiner": "metagen_jax.automl.refiner",
    "ArchitectureSearchEngine": "metagen_jax.automl.search_engine",
    "Memory": "metagen_jax.memory",
    "MetaLearner": "metagen_jax.automl.meta_learner",
    "Options": "metagen_jax.automl.pipeline",
    "PrototypeTrainer": "metagen_jax.automl.prototype_trainer",
    "Run": "metagen_jax.automl.pipeline",
    "load_spec": "metagen_jax.spec",
    "prepare": "metagen_jax.automl.pipeline",
}
__all__ = ["__version__", "automl", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "automl":
        return import_module("metagen_jax.automl")  # a package that can be called
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
