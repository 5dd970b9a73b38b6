"""From a spec to a finished run folder.

The package itself can be called: `metagen_jax.automl("spec.yaml")` does a whole run (`metagen_jax.api.automl`).
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # By its name, since it stands above: nothing in here needs it.
        return import_module("metagen_jax.api").automl(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
