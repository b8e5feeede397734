"""Public docstrings that give no shape for an array, or do not say what the body raises.

`python -m tests.structure.docstrings [ROOM ...]` lists both by room, for example `pgames/exact`.

- A name is public if neither it nor anything around it begins with an underscore.
- Arrays count where an annotation of a parameter, of the result or of a field of a dataclass names one. The
  docstring must then hold a shape such as `float64[S, X, Y]` or `P[X, Y, Y]`, or the word "shape".
- A `raise` counts where the public body itself has one; `__init__` and `__post_init__` count for their class.
  The docstring must then hold the word "Raise" or "Raises".
- A method without a docstring whose name a protocol documents counts as documented there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.structure.sources import Source, sources

ARRAYS = re.compile(r"\b(NDArray|ndarray|ArrayLike|Tensor|Floats?|Ints|Bools|Vector|Matrix|Array)\b")
SHAPE = re.compile(
    r"\b(?:float|int|uint|bool|complex)\d*\["
    r"|\w\[(?:\.\.\.|[A-Z0-9(][\w' +*/()-]*|…)(?:, ?(?:\.\.\.|[\w' +*/()-]+))*\]|\bshape"
)
RAISES = re.compile(r"\bRaises?\b")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Public:
    """A public function, method or class: its place, its docstring, whether it has arrays and raises."""

    room: str
    place: str
    name: str
    doc: str | None
    arrays: bool
    raises: bool

    @property
    def no_shape(self) -> bool:
        return self.arrays and not SHAPE.search(self.doc or "")

    @property
    def no_raises(self) -> bool:
        return self.raises and not RAISES.search(self.doc or "")


def has_arrays(node: ast.AST) -> bool:
    """Whether the annotations of a function, or of the fields of a class, name an array."""
    if isinstance(node, FUNCTIONS):
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        notes = [*(a.annotation for a in every), node.returns]
    elif isinstance(node, ast.ClassDef):
        notes = [s.annotation for s in node.body if isinstance(s, ast.AnnAssign) and not private(s.target)]
    else:
        notes = []
    return any(note is not None and ARRAYS.search(ast.unparse(note)) is not None for note in notes)


def private(target: ast.AST) -> bool:
    return isinstance(target, ast.Name) and target.id.startswith("_")


def has_raise(node: ast.AST) -> bool:
    """Whether the body has a `raise` of its own; a bare `raise` and nested functions do not count."""
    todo = list(ast.iter_child_nodes(node))
    while todo:
        child = todo.pop()
        if isinstance(child, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None and not abstract(child.exc):
            return True
        todo += ast.iter_child_nodes(child)
    return False


def abstract(error: ast.AST) -> bool:
    return "NotImplementedError" in ast.unparse(error)


def public(source: Source) -> Iterator[Public]:
    """Every public function, method and class of a file."""
    if any(part.startswith("_") for part in source.module.split(".")):
        return
    inherited = documented_elsewhere()
    for node in source.tree.body:
        yield from _walk(source, node, "", inherited)


def _walk(source: Source, node: ast.AST, prefix: str, inherited: frozenset[str]) -> Iterator[Public]:
    if not isinstance(node, (*FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
        return
    if any(ast.unparse(d).endswith((".setter", "overload")) for d in node.decorator_list):
        return
    name, place = prefix + node.name, f"{source.path.name}:{node.lineno}"
    doc, raises = ast.get_docstring(node), False
    if isinstance(node, ast.ClassDef):
        inits = [s for s in node.body if isinstance(s, FUNCTIONS) and s.name in ("__init__", "__post_init__")]
        raises = any(map(has_raise, inits))
        arrays = has_arrays(node) or any(map(has_arrays, inits))
        doc = "\n".join(filter(None, [doc, *(ast.get_docstring(init) for init in inits)])) or None
    else:
        raises, arrays = has_raise(node), has_arrays(node)
        if doc is None and prefix and node.name in inherited:
            return
    yield Public(source.room, place, name, doc, arrays, raises)
    if isinstance(node, ast.ClassDef):
        for child in node.body:
            yield from _walk(source, child, f"{name}.", inherited)


def documented_elsewhere() -> frozenset[str]:
    """Names of methods that a protocol documents: an implementation without a docstring refers to it."""
    names = set()
    for source in sources():
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
                names |= {s.name for s in node.body if isinstance(s, FUNCTIONS) and ast.get_docstring(s)}
    return frozenset(names)


def everything() -> list[Public]:
    """All public names of both packages."""
    return [found for source in sources() for found in public(source)]


def main(rooms: list[str]) -> int:
    listed = defaultdict(list)
    for found in everything():
        if rooms and found.room not in rooms:
            continue
        if found.no_shape:
            listed[found.room].append(f"  {found.place} {found.name}: no shape")
        if found.no_raises:
            listed[found.room].append(f"  {found.place} {found.name}: no 'Raises'")
    for room, lines in sorted(listed.items()):
        print(f"{room}: {len(lines)}")
        print("\n".join(lines))
    some = [found for found in everything() if not rooms or found.room in rooms]
    shapes, raises = sum(f.no_shape for f in some), sum(f.no_raises for f in some)
    print(f"{shapes} public docstrings with arrays give no shape; {raises} do not say what they raise")
    return 1 if shapes or raises else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
