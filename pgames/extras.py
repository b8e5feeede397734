"""Optional packages, imported where they are used; an error names the extra of a missing one."""

from __future__ import annotations

import importlib
from types import ModuleType


def need(module: str, extra: str) -> ModuleType:
    """The imported `module`, which `pip install 'pgames[EXTRA]'` installs.

    Raises ModuleNotFoundError naming the package and the extra when the package is not installed. An
    installed package that fails to import one of its own dependencies raises its own error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ModuleNotFoundError(
            f"this call needs {package}: pip install 'pgames[{extra}]' brings it.", name=package
        ) from None
