"""The modules that lessons import: their names load when they are first used."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from course.core.errors import wrap_os_errors


def lazy(face: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose names load when they are first used.

    So `import course` stays quick, and an error in a call shows as one message in a notebook.

    Args:
        face: the module's name.
        homes: name → the module that defines it, or that is it.
    """

    def load(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module '{face}' has no attribute '{name}'")
        module = importlib.import_module(home)
        is_module = home.endswith(f".{name}") and not hasattr(module, name)
        value = module if is_module else getattr(module, name)
        if inspect.isfunction(value):
            value = wrap_os_errors(value)
        setattr(sys.modules[face], name, value)
        return value

    return load
