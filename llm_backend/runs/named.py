"""Solvers, judges, losses and functions that a run's file names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import TypeVar, Union, get_args, get_origin

from numpy.typing import ArrayLike

from llm_backend import judges
from llm_backend.engines.vllm import VLLM
from llm_backend.judges import Judge
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.sections import Reader, Table, Type, construct
from pgames import names
from pgames.losses import PairLoss
from pgames.population import Matchmaker, Meta
from pgames.solver import Solver

T = TypeVar("T")

JUDGES = ("Chat", "Human", "LogProb", "Majority", "Pairwise", "RewardModel", "Rule", "Table")
RULES = ("arithmetic", "longer", "shorter")


def build_solver(table: Table, section: str = "solver") -> Solver:
    """A solver from {"name": its name in pgames or package.module:Class, its fields}.

    Raises ConfigError naming the key.
    """
    name, rest = _required(table, "name", section, names.solvers())
    try:
        make = names.solver_class(name)
    except ValueError as error:
        raise ConfigError(f"{section}.name = {name!r}: {error}") from None
    return construct(section, make, rest, reader)


def build_judge(table: Table, section: str = "judge") -> Judge:
    """A judge from {"kind": a class of `judges`, its parameters}; a model is loaded from `path`.

    Raises ConfigError naming the key.
    """
    kind, rest = _required(table, "kind", section, JUDGES)
    if kind not in JUDGES:
        raise ConfigError(f"{section}.kind = {kind!r}: {names.one_of(kind, JUDGES)}")
    make: Callable[..., Judge] = getattr(judges, kind)
    if kind == "Rule" and "name" not in rest:  # a cache is kept under the judge's name
        rest["name"] = str(rest.get("score", rest.get("prefer")))
    return construct(section, getattr(make, "from_pretrained", make), rest, reader)


def of_population(section: str, table: Table, known: Mapping[str, Callable[..., T]]) -> T:
    """A matchmaker or a meta-solver of pgames.population from {"name": its name, its fields}.

    Raises ConfigError naming the key.
    """
    rest = dict(table)
    name = rest.pop("name", None)
    if not isinstance(name, str) or name not in known:
        got = "missing" if name is None else f"{name!r:.60}"
        raise ConfigError(f"{section}.name is {got}: {names.one_of(str(name), known)}")
    return construct(section, known[name], rest)


def function_named(section: str, text: str) -> Callable[..., object]:
    """The function `arithmetic`, `matches:REGEX` or `package.module:name`. Raises ConfigError for others."""
    head, _, tail = text.partition(":")
    if head in RULES and not tail:
        return getattr(judges.rules, head)
    try:
        if head == "matches":
            return judges.rules.matches(tail)
    except (ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{section} = {text!r:.200}: {error}") from None
    try:
        found = names.imported(text)
        if not callable(found):
            raise ValueError(f"it is {type(found).__name__}")
        return found
    except ValueError as error:
        raise ConfigError(
            f"{section} = {text!r:.200} is not a function ({error}): use {', '.join(RULES)}, matches:REGEX, "
            "or package.module:name of your own."
        ) from None


def reader(hint: Type) -> Reader | None:
    """The reader of an argument that is neither a number nor a text.

    Solvers, meta-solvers, matchmakers, judges and losses are given by name, functions as module:name, arrays
    as lists.
    """
    if hint == ArrayLike:
        return Reader(list[object], lambda section, values: values)
    for part in (hint, *get_args(hint)) if get_origin(hint) in (Union, UnionType) else (hint,):
        if part is Solver:
            return Reader(dict[str, object], lambda section, table: build_solver(table, section))
        if part is Meta:
            return Reader(
                dict[str, object], lambda section, table: of_population(section, table, names.metas())
            )
        if part is Matchmaker:
            return Reader(
                dict[str, object], lambda section, table: of_population(section, table, names.matchmakers())
            )
        if part is VLLM:
            return Reader(dict[str, object], lambda section, table: construct(section, VLLM, table))
        if part is Judge:
            return Reader(dict[str, object], lambda section, table: build_judge(table, section))
        if part is PairLoss:
            return Reader(str, _loss)
        if get_origin(part) is Sequence and get_args(part) == (Judge,):
            return Reader(list[dict[str, object]], _judges)
        if get_origin(part) is Callable:
            return Reader(str, function_named)
    return None


def _required(
    table: Table, key: str, section: str, known: Collection[str] | Mapping[str, object]
) -> tuple[str, dict[str, object]]:
    rest = dict(table)
    if key not in rest:
        raise ConfigError(f"{section}.{key} is missing: it is one of {', '.join(known)}.")
    value = rest.pop(key)
    if not isinstance(value, str):
        raise ConfigError(f"{section}.{key} = {value!r}: {names.one_of(str(value), known)}")
    return value, rest


def _judges(section: str, tables: list[Table]) -> list[Judge]:
    return [build_judge(table, f"{section}[{i}]") for i, table in enumerate(tables)]


def _loss(section: str, name: str) -> PairLoss:
    try:
        return names.loss(name)
    except ValueError as error:
        raise ConfigError(f"{section} = {name!r}: {error}") from None
