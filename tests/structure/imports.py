"""The import graph of the packages, computed from the sources, and the map in `docs/architecture.md`.

Imports inside functions count. Imports under `if TYPE_CHECKING:` are listed apart: they never run.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.structure.sources import Source, sources
from tests.support import ROOT

MAP = ROOT / "docs" / "architecture.md"
BLOCK = re.compile(r"```text room -> rooms\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Arrow:
    """`source` imports `target`, at `line`; `typing` where only a type checker sees it."""

    source: Source
    target: Source
    line: int
    typing: bool

    def __str__(self) -> str:
        return f"{self.source.room} -> {self.target.room} ({self.source.module}:{self.line})"


def arrows(files: Iterable[Source]) -> list[Arrow]:
    """Every import of one file by another; importing a module does not count as importing its package."""
    modules = {file.module: file for file in files}
    found = []
    for file in modules.values():
        for node, typing in _imports(file.tree, False):
            for target in _targets(node, file, modules):
                if target is not file:
                    found.append(Arrow(file, target, node.lineno, typing))
    return found


def _imports(node: ast.AST, typing: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, typing
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _imports(ast.Module([part], []), True)
            for part in child.orelse:
                yield from _imports(ast.Module([part], []), typing)
        else:
            yield from _imports(child, typing)


def _targets(
    node: ast.Import | ast.ImportFrom, file: Source, modules: Mapping[str, Source]
) -> Iterator[Source]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        base = node.module or ""
        if node.level:
            is_package = file.path.name == "__init__.py"
            parts = file.module.split(".")
            parts = parts[: len(parts) - node.level + is_package]
            base = ".".join([*parts, *filter(None, [base])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        names = [name if name in modules else base for name in inner]
    for name in dict.fromkeys(names):
        if name in modules:
            yield modules[name]


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node (Tarjan), each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(found)


def by_file(found: Iterable[Arrow], typing: bool = False) -> dict[str, set[str]]:
    """The graph of files; `typing` includes the arrows that only a type checker sees."""
    edges: dict[str, set[str]] = defaultdict(set)
    for arrow in found:
        if typing or not arrow.typing:
            edges[arrow.source.module].add(arrow.target.module)
    return edges


def by_room(found: Iterable[Arrow], typing: bool = True) -> dict[str, set[str]]:
    """The graph of rooms; `typing` includes the arrows that only a type checker sees."""
    edges: dict[str, set[str]] = defaultdict(set)
    for arrow in found:
        if arrow.source.room != arrow.target.room and (typing or not arrow.typing):
            edges[arrow.source.room].add(arrow.target.room)
    return edges


def read_map(path: Path = MAP) -> dict[str, set[str]]:
    """The map of a page: each room, in order, and the rooms that it may import; all of them stand above it.

    Raises ValueError when the page has no block, or when a line names a room that does not stand above it.
    """
    block = BLOCK.search(path.read_text())
    if block is None:
        raise ValueError(f"{path.name} has no block that begins with '```text room -> rooms'")
    allowed: dict[str, set[str]] = {}
    package = ""
    for line in filter(None, map(str.strip, block.group(1).splitlines())):
        if line.endswith(":"):
            package = line[:-1]
            continue
        room, _, rest = line.partition("->")
        targets = {name if "/" in name else f"{package}/{name}" for name in rest.split()}
        room = f"{package}/{room.strip()}"
        below = sorted(targets - set(allowed))
        if room in allowed or below:
            raise ValueError(f"{path.name}: {room} stands twice, or imports {below}, not listed above it")
        allowed[room] = targets
    return allowed


def running_up(found: Iterable[Arrow], allowed: Mapping[str, set[str]]) -> list[Arrow]:
    """Arrows between rooms that the map does not allow."""
    return [
        arrow
        for arrow in found
        if arrow.source.room != arrow.target.room
        and arrow.target.room not in allowed.get(arrow.source.room, set())
    ]


def graph() -> list[Arrow]:
    """All arrows of the packages of this project."""
    return arrows(sources())
