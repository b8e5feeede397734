"""Exact descriptions of computations as JSON: arguments, the function's code, and the constants it reads."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from pgames.games.preference import PreferenceGame


def described(value: Any) -> Any:
    """A JSON value that differs for values whose results may differ, and is the same in every process.

    Raises ValueError when the value has no such description, such as a lambda or an open file.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return f"array {value.dtype} {list(value.shape)} {_digest(np.ascontiguousarray(value).tobytes())}"
    if isinstance(value, PreferenceGame):
        parts = (value.P, value.reference, value.prompt_weights)
        return f"game {list(value.P.shape)} {_digest(*(part.tobytes() for part in parts))}"
    if isinstance(value, tuple | list):
        return [described(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, functools.partial):
        return {"function": named(value), **_arguments(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: described(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": described(type(value)), **fields}
    if isinstance(value, type):
        ours = value.__module__.partition(".")[0] == "pgames"  # its version is recorded
        return _name(value) if ours else {"class": _name(value), "code": code_digest(value)}
    if isinstance(value, FunctionType):
        return {"function": named(value), "code": code_digest(value), **constants(value)}
    raise ValueError(
        f"{value!r} cannot be written down exactly: use numbers, text, arrays, games, dataclasses, classes "
        "or named functions."
    )


def named(function: Callable[..., Any]) -> str:
    """module.name of a function, or of the function a partial calls. Raises ValueError for a lambda."""
    if isinstance(function, functools.partial):
        return named(function.func)
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise ValueError(f"{function!r} has no name to identify it: write it with def.")
    return _name(function)


def code_digest(function: Callable[..., Any]) -> str:
    """A digest of the bytecode of a function or class, and of what it uses from modules of one's own."""
    if isinstance(function, functools.partial):
        return code_digest(function.func)
    codes = [_code(one.__code__) for one in _reached(function)]
    return _digest(*(repr(code).encode() for code in codes))


def constants(function: Callable[..., Any]) -> dict[str, Any]:
    """The values of modules and closures that a function, or one it calls in a module of one's own, reads.

    Numbers, text, arrays, games, solvers, lists and dicts of them, and the attributes of classes; what has no
    description, such as an open file, is left out.
    """
    if isinstance(function, functools.partial):
        return constants(function.func)
    found: dict[str, Any] = {}
    for one in _reached(function):
        for name, value in _read(one).items():
            if isinstance(value, type) and _own(value):
                plain = {key: item for key, item in vars(value).items() if not key.startswith("__")}
                found |= _describable({f"{name}.{key}": item for key, item in plain.items()})
            else:
                found |= _describable({name: value})
    return found


def _describable(values: Mapping[str, Any]) -> dict[str, Any]:
    """The descriptions of those values that have one and are neither code nor modules."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, type | FunctionType | ModuleType):
            with suppress(ValueError, RecursionError):
                found[name] = described(value)
    return found


@functools.cache
def source_digest(package: Path) -> str:
    """A digest of all Python files of a package, computed once per process.

    It changes with every edit, while the version changes with a release only.
    """
    files = sorted(package.rglob("*.py"))
    parts = ((str(file.relative_to(package)).encode(), file.read_bytes()) for file in files)
    return _digest(*itertools.chain.from_iterable(parts))


def _arguments(call: functools.partial[Any]) -> dict[str, Any]:
    return {"args": described(call.args), "keywords": described(call.keywords)}


def _reached(start: Callable[..., Any]) -> list[FunctionType]:
    """The function or the methods of the class, and all functions that they use in modules of one's own."""
    reached = _functions(start)
    for one in reached:
        for value in _read(one).values():
            if getattr(value, "__module__", None) == start.__module__ or _own(value):
                reached += [function for function in _functions(value) if function not in reached]
    return reached


def _own(value: Any) -> bool:
    """Whether a function, a class or a module is the user's: not of Python, of pgames or installed."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if not isinstance(value, type | FunctionType | ModuleType) or module is None:
        return False
    if name == "__main__":
        return True
    file = getattr(module, "__file__", None)
    return file is not None and not any(Path(file).is_relative_to(folder) for folder in _installed())


@functools.cache
def _installed() -> tuple[Path, ...]:
    """The folders of Python, of its packages and of pgames."""
    paths = sysconfig.get_paths()
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return (*dict.fromkeys(Path(paths[kind]) for kind in kinds), Path(__file__).parents[1])


def _functions(value: Any) -> list[FunctionType]:
    members = vars(value).values() if isinstance(value, type) else [value]
    return [member for member in members if isinstance(member, FunctionType)]


def _read(function: FunctionType) -> dict[str, Any]:
    """The module's and the closure's values that a function names, inside comprehensions too."""
    names = [name for code in _codes(function.__code__) for name in code.co_names]
    found = {name: function.__globals__[name] for name in names if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        found[name] = cell.cell_contents
    for module_name, module in list(found.items()):
        if isinstance(module, ModuleType) and _own(module):
            parts = vars(module)
            found |= {f"{module_name}.{name}": parts[name] for name in names if name in parts}
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _code(code: CodeType) -> tuple[Any, ...]:
    return code.co_code.hex(), code.co_names, code.co_varnames, tuple(map(_constant, code.co_consts))


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, frozenset):  # its order differs between processes
        return sorted(map(repr, value))
    return repr(value)


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _digest(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()[:16]
