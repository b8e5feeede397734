"""The tests of a program, run where the program cannot reach them."""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

from llm_backend.isolation.peer import Peer
from llm_backend.isolation.wire import Broken, Channel


def run(source: str, channel: Channel) -> None:
    """Run the tests to their end; whatever they raise is raised.

    A name that the tests use and do not define is the program's, except built-in functions and modules of the
    standard library: a program that replaced those would decide about itself.
    Raises Broken when the program ends or breaks the format.
    """
    end = Peer(channel, open=False)
    code = compile(source, "tests", "exec")
    defined = channel.receive()
    if not isinstance(defined, list) or not all(isinstance(name, str) for name in defined):
        raise Broken("not a list of names")
    names: dict[str, Any] = {"__name__": "program"}
    modules = _modules(source)
    for name in sorted(set(_used(code)) & set(defined)):
        if not hasattr(builtins, name) and not name.startswith("__"):
            names[name] = importlib.import_module(name) if name in modules else end.fetch(name)
    exec(code, names)


def _used(code: CodeType) -> Iterator[str]:
    """The names that code and the functions in it look up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _used(constant)


def _modules(source: str) -> set[str]:
    """The modules of the standard library whose attributes the tests read."""
    nodes = ast.walk(ast.parse(source))
    read = {n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}
    return read & sys.stdlib_module_names
