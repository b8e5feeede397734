"""What a configuration describes, made: the solver, the judge, the prompts, the model, the arena."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from numpy.typing import ArrayLike

import pgames as pg
from llm_backend import judges
from llm_backend.config import ConfigError, Reader, made
from pgames import losses
from pgames.arena import PairLoss, Solver

JUDGES = ("Chat", "LogProb", "Majority", "Pairwise", "RewardModel", "Rule", "Table")
RULES = ("arithmetic", "longer", "shorter")


def build_solver(values: Mapping[str, Any], section: str = "solver") -> Any:
    """A solver of pgames from {"name": ..., its fields}. Raises ConfigError naming the key."""
    name, rest = _taken(values, "name", section, _solvers())
    return made(section, getattr(pg, name), rest, _special)


def build_judge(values: Mapping[str, Any], section: str = "judge") -> Any:
    """A judge from {"kind": a class of `judges`, its parameters}; a model is loaded from `path`."""
    kind, rest = _taken(values, "kind", section, JUDGES)
    make = getattr(judges, kind)
    if kind == "Rule" and "name" not in rest:  # what its cache is known by
        rest["name"] = str(rest.get("score", rest.get("prefer")))
    return made(section, getattr(make, "from_pretrained", make), rest, _special)


def function_named(section: str, text: str) -> Callable[..., Any]:
    """`arithmetic`, `matches:REGEX` or `package.module:name`; raises ConfigError when there is none."""
    head, _, tail = text.partition(":")
    if head in RULES and not tail:
        return getattr(judges.rules, head)
    if head == "matches":
        return judges.rules.matches(tail)
    try:
        found = getattr(importlib.import_module(head), tail)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{section} = {text!r} is no function ({error}): use {', '.join(RULES)}, matches:REGEX, or "
            "package.module:name of your own."
        ) from None
    return found


def _solvers() -> list[str]:
    """Names in pgames that make something with init and step."""
    named = {name: getattr(pg, name) for name in pg.__all__}
    return sorted(name for name, thing in named.items() if _makes_solver(thing))


def _makes_solver(thing: Any) -> bool:
    made = inspect.signature(thing).return_annotation if inspect.isfunction(thing) else thing
    if isinstance(made, str):
        made = getattr(pg, made, None)
    return inspect.isclass(made) and made is not Solver and hasattr(made, "init") and hasattr(made, "step")


def _taken(values: Mapping[str, Any], key: str, section: str, known: Any) -> tuple[str, dict[str, Any]]:
    rest = dict(values)
    if key not in rest:
        raise ConfigError(f"{section}.{key} is missing: it is one of {', '.join(known)}.")
    if (name := rest.pop(key)) not in known:
        raise ConfigError(f"{section}.{key} = {name!r}: it must be one of {', '.join(known)}.")
    return name, rest


def _special(hint: Any) -> tuple[Any, Reader] | None:
    """How the file says what is no number: solvers, judges and losses by name, functions as module:name."""
    if hint == ArrayLike:
        return list[Any], lambda section, values: values
    for part in (hint, *get_args(hint)) if get_origin(hint) in (Union, UnionType) else (hint,):
        if part is Solver:
            return dict[str, Any], lambda section, values: build_solver(values, section)
        if part is judges.Judge:
            return dict[str, Any], lambda section, values: build_judge(values, section)
        if part is PairLoss:
            return str, _loss
        if get_origin(part) is Sequence and get_args(part) == (judges.Judge,):
            return list[dict[str, Any]], _several
        if get_origin(part) is Callable:
            return str, function_named
    return None


def _several(section: str, values: list[Mapping[str, Any]]) -> list[Any]:
    return [build_judge(one, f"{section}[{i}]") for i, one in enumerate(values)]


def _loss(section: str, name: str) -> PairLoss:
    found = getattr(losses, name, None)
    if isinstance(found, PairLoss):
        return found
    if name == "hinge":
        return losses.hinge()
    known = [key for key, value in vars(losses).items() if isinstance(value, PairLoss)]
    raise ConfigError(f"{section} = {name!r}: it must be one of {', '.join([*known, 'hinge'])}.")
