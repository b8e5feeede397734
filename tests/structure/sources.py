"""The source files of the packages, parsed once, and the room that each belongs to."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import ROOT

PACKAGES = ("pgames", "llm_backend")


@dataclass(frozen=True)
class Source:
    """One module: its dotted name, the lines of its text and its syntax tree."""

    module: str
    path: Path
    lines: tuple[str, ...]
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder, or the file where it lies directly in the package: `pgames/exact`, `pgames/arena`."""
        return room_of(self.module, self.path.name == "__init__.py")


def room_of(module: str, is_package: bool = False) -> str:
    """The room of a module. `pgames.exact.newton` gives `pgames/exact`; `pgames` itself `pgames/__init__`."""
    parts = module.split(".")
    if len(parts) == 1:
        return f"{parts[0]}/__init__" if is_package else parts[0]
    return "/".join(parts[:2])


@cache
def sources(packages: tuple[str, ...] = PACKAGES, root: Path = ROOT) -> tuple[Source, ...]:
    """All modules of `packages` under `root`, in alphabetical order."""
    found = []
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_text()
            found.append(Source(module, path, tuple(text.splitlines()), ast.parse(text)))
    return tuple(found)
