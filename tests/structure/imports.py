"""The import graph of the packages, computed from the sources, and the map in `docs/architecture.md`.

Imports inside functions count. Imports under `if TYPE_CHECKING:` are listed apart: they never run.
`python -m tests.structure.imports` prints the map of the present sources, to compare with the page.
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


@dataclass(frozen=True)
class Room:
    """What a room may import: `runs` when the program runs, `typing` only for a type checker."""

    runs: frozenset[str]
    typing: frozenset[str]


def read_map(path: Path = MAP) -> dict[str, Room]:
    """The map of a page: each room, in order, and the rooms that it may import.

    A line `room -> first second (third)` allows imports of the first and second room, and of the third one
    under TYPE_CHECKING. A line `pgames:` names the package of the rooms without a slash that follow.

    Raises ValueError when the page has no map, or when a room stands twice or imports, when the program
    runs, a room that does not stand above it.
    """
    block = BLOCK.search(path.read_text())
    if block is None:
        raise ValueError(f"{path.name} has no block that begins with '```text room -> rooms'")
    allowed: dict[str, Room] = {}
    package = ""
    for line in filter(None, map(str.strip, block.group(1).splitlines())):
        if line.endswith(":"):
            package = line[:-1]
            continue
        room, _, rest = line.partition("->")
        name = f"{package}/{room.strip()}"
        runs, _, typing = rest.partition("(")
        targets = [
            frozenset(target if "/" in target else f"{package}/{target}" for target in part.split())
            for part in (runs, typing.rstrip(")"))
        ]
        below = sorted(targets[0] - set(allowed))
        if name in allowed or below:
            raise ValueError(f"{path.name}: {name} stands twice, or imports {below}, which is not above it")
        allowed[name] = Room(*targets)
    return allowed


def not_allowed(found: Iterable[Arrow], allowed: Mapping[str, Room]) -> list[Arrow]:
    """Arrows between rooms that the map does not have."""
    nowhere = Room(frozenset(), frozenset())
    return [
        arrow
        for arrow in found
        if arrow.source.room != arrow.target.room
        and arrow.target.room not in (room := allowed.get(arrow.source.room, nowhere)).runs
        and not (arrow.typing and arrow.target.room in room.typing)
    ]


def unused(found: Iterable[Arrow], allowed: Mapping[str, Room]) -> list[str]:
    """Rooms and arrows of the map that no import has."""
    found = list(found)
    runs, every = by_room(found, typing=False), by_room(found)
    rooms = {arrow.source.room for arrow in found} | {arrow.target.room for arrow in found}
    lines = [room for room in allowed if room not in rooms]
    for name, room in allowed.items():
        lines += [f"{name} -> {other}" for other in sorted(room.runs - runs.get(name, set()))]
        typed = every.get(name, set()) - runs.get(name, set())
        lines += [f"{name} -> ({other})" for other in sorted(room.typing - typed)]
    return lines


def as_map(found: Iterable[Arrow], order: Iterable[str] = ()) -> str:
    """The lines of a map of these arrows; rooms keep their place in `order` where the arrows let them."""
    found = list(found)
    runs, every = by_room(found, typing=False), by_room(found)
    place = {room: i for i, room in enumerate(order)}
    rooms = {arrow.source.room for arrow in found} | {arrow.target.room for arrow in found}
    lines: list[str] = []
    done: set[str] = set()
    package = ""
    while rest := [room for room in rooms - done if runs.get(room, set()) <= done]:
        room = min(rest, key=lambda one: (one.startswith("llm"), place.get(one, len(place)), one))
        done.add(room)
        if room.split("/")[0] != package:
            package = room.split("/")[0]
            lines.append(f"{package}:")
        short = [name.removeprefix(f"{package}/") for name in sorted(runs.get(room, ()))]
        typed = [name.removeprefix(f"{package}/") for name in sorted(every[room] - runs.get(room, set()))]
        arrow = " ".join(["->", *short, *([f"({' '.join(typed)})"] if typed else [])])
        lines.append(f"  {room.removeprefix(f'{package}/')} {arrow if short or typed else ''}".rstrip())
    return "\n".join(lines)


def graph() -> list[Arrow]:
    """All arrows of the packages of this project."""
    return arrows(sources())


if __name__ == "__main__":
    try:
        order = list(read_map())
    except ValueError:
        order = []
    print(as_map(graph(), order))
