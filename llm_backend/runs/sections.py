"""Sections of a run's file: each table is checked against the signature of the object it constructs."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Strict, ValidationError, create_model

from llm_backend.runs.errors import ConfigError

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
# of settings; a step of a solver may be infinite
FINITE = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Table = Mapping[str, object]
Type = object  # of an annotation: a class, a union, a generic alias
PLAIN = (bool, int, float, str, type(None))
SECRET = ("url", "key_variable", "settings")  # a wrong value may be a credential, so it is not shown


class Reader(NamedTuple):
    """How a value of the file becomes an argument: its type there, and (section.key, value) -> argument."""

    kind: Type
    read: Callable[[str, typing.Any], object]


Readers = Callable[[Type], Reader | None]  # annotation of a parameter -> its reader, None for a plain value


def no_readers(hint: Type) -> Reader | None:
    """None for every annotation: values are taken unchanged."""
    return None


def construct(
    section: str,
    make: Callable[..., T],
    table: Table,
    readers: Readers = no_readers,
    **others: object,
) -> T:
    """make(**arguments, **others), with the arguments from the table [section].

    Raises ConfigError naming the key that is wrong, or the section when `make` refuses its arguments.
    """
    given = arguments(section, make, table, readers, set(others))
    try:
        return make(**given, **others)
    except ConfigError:
        raise
    except (ValueError, TypeError, OSError) as error:
        raise ConfigError(f"[{section}] {error}") from error


def arguments(
    section: str,
    make: Callable[..., object],
    table: Table,
    readers: Readers = no_readers,
    others: Collection[str] = (),
) -> dict[str, object]:
    """The keyword arguments of `make` in the table [section], except the `others`, which the file cannot set.

    A parameter that is a dataclass is a table inside the section; `readers` gives the readers of other types.
    Raises ConfigError naming the key that is wrong.
    """
    fields: dict[str, typing.Any] = {}
    special: dict[str, Reader] = {}
    hints = _hints(make)
    for name, parameter in inspect.signature(make).parameters.items():
        if name in others or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        reader = readers(hints.get(name)) or _nested(hints.get(name), readers)
        kind = _in_the_file(hints.get(name)) if reader is None else reader.kind
        if reader is not None:
            special[name] = reader
        if kind is not None:
            fields[name] = (kind, ... if parameter.default is parameter.empty else None)
    model = create_model(getattr(make, "__name__", type(make).__name__), __config__=STRICT, **fields)
    read = validated(model, section, table)
    return {
        name: special[name].read(f"{section}.{name}", getattr(read, name))
        if name in special
        else getattr(read, name)
        for name in table
    }


def validated(model: type[M], section: str, table: object) -> M:
    """An instance of `model` from the table [section]. Raises ConfigError naming `section.key`."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{section} must be a table, [{section}], got {table!r}.")
    for key in table:
        if key not in model.model_fields:
            raise ConfigError(unknown(f"{section}.{key}", f"[{section}]", list(model.model_fields)))
    if (odd := _not_plain(table)) is not None:
        raise ConfigError(f"[{section}] holds {odd!r:.60}, which is not a number, text, list or table.")
    if (key := _unprintable(table, section)) is not None:
        raise ConfigError(f"{key} holds a NUL or half a character: write it as plain text.")
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
        key = f"{section}.{first['loc'][0]}"
        if first["type"] == "missing" and len(first["loc"]) == 1:
            raise ConfigError(f"{key} is missing: [{section}] needs it.") from None
        wanted = first["msg"].removeprefix("Input should be ")
        if first["type"] == "missing":
            wanted = "longer: an entry is missing"
        for theirs, ours in (("a valid dictionary", "a table"), ("a valid tuple", "a valid list")):
            wanted = wanted.replace(theirs, ours)
        value = table[str(first["loc"][0])]
        shown = key if first["loc"][0] in SECRET else f"{key} = {value!r:.200}"
        raise ConfigError(f"{shown}: it must be {wanted}.") from None


def unknown(key: str, where: str, allowed: Sequence[str]) -> str:
    """The error line for an unknown key, with the allowed keys and the nearest of them."""
    near = difflib.get_close_matches(key.rpartition(".")[2], allowed, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{key} is unknown: {where} takes {', '.join(allowed) or 'nothing'}.{hint}"


def _hints(make: Callable[..., object]) -> dict[str, Type]:
    plain = inspect.isclass(make) and not dataclasses.is_dataclass(make)
    return typing.get_type_hints(make.__init__ if plain else make)  # type: ignore[misc]


def _nested(hint: Type, readers: Readers) -> Reader | None:
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        return Reader(dict[str, object], lambda section, values: construct(section, hint, values, readers))
    return None


def _in_the_file(hint: Type) -> typing.Any:
    """The part of a type that TOML can hold, or None when there is none. A list serves as a tuple."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint in PLAIN or origin is Literal:
        return hint
    if origin in (typing.Union, types.UnionType):
        kept = [part for part in map(_in_the_file, inside) if part not in (None, type(None))]
        return typing.Union[(*kept, None)] if kept else None
    if origin in (tuple, list, Sequence):
        kept = [_in_the_file(part) for part in inside if part is not Ellipsis]
        if None in kept:
            return None
        fixed = origin is tuple and Ellipsis not in inside
        return Annotated[tuple[tuple(kept)], Strict(False)] if fixed else list[kept[0]]
    return dict[str, object] if origin in (dict, Mapping) else None


def _not_plain(value: object) -> object | None:
    """The first part of a value that JSON cannot hold, such as a date; None when there is none."""
    if isinstance(value, Mapping):
        return next((odd for part in value.values() if (odd := _not_plain(part)) is not None), None)
    if isinstance(value, list | tuple):
        return next((odd for part in value if (odd := _not_plain(part)) is not None), None)
    return None if isinstance(value, PLAIN) else value


def _unprintable(value: object, key: str) -> str | None:
    """The key of the first text that cannot be a path or be printed; None when there is none."""
    if isinstance(value, str):
        return key if "\0" in value or (not value.isascii() and not _encodes(value)) else None
    parts = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    found = (
        _unprintable(part, f"{key}.{name}" if isinstance(name, str) else f"{key}[{name}]")
        for name, part in parts
    )
    return next((key for key in found if key is not None), None)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
