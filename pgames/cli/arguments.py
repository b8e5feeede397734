"""Games, solvers and learners from the texts of the command line."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pgames import names
from pgames.cli.calls import Call, Value, parse
from pgames.cli.game_files import Source, check_file, is_game_file, read_source, read_success
from pgames.games.preference import PreferenceGame
from pgames.losses import PairLoss
from pgames.population.matchmaking import Matchmaker
from pgames.population.meta import Meta
from pgames.regularisers import Regulariser
from pgames.roles.matrix import MatrixRoles
from pgames.roles.prompts import PromptRoles
from pgames.solver import Solver

FALLBACK = {"tau": 0.1, "eta": 0.5, "every": 100}  # values of required parameters that the text lacks


def parse_game(text: str) -> PreferenceGame:
    """The game of `parse_source`. Raises ValueError as it does."""
    return parse_source(text).game


def parse_source(text: str, symmetrise: bool = False, prompts: bool = True, drop: bool = False) -> Source:
    """A game from `name:5,p=0.9`, or from a file of a matrix or votes, as `read_source` reads it.

    Raises ValueError naming the fault of the text or the file, and the remedy.
    """
    path = Path(text)
    if is_game_file(path) or path.is_file():
        return read_source(path, symmetrise, prompts, drop)
    known = names.games()
    call = parse(text, known)
    if call.name not in known:
        if path.exists():
            check_file(path)
        raise ValueError(
            f"no game or file is named {call.name!r}: pass a file, or one of {', '.join(sorted(known))}."
            f"{names.near_miss(call.name, known)}"
        )
    return Source(_construct(call.name, known[call.name], call))


def parse_roles(text: str, prompts: bool = False) -> MatrixRoles | PromptRoles:
    """A game of two roles from `guards:5` or a matrix of success rates (.csv, .tsv, .txt, .npy, .npz).

    In a file rows are attacks and columns defences; with `prompts` they are prompts and the answers to each.
    Raises ValueError naming the fault of the text or the file, and the remedy.
    """
    path = Path(text)
    if is_game_file(path) or path.is_file():
        try:
            return (PromptRoles if prompts else MatrixRoles)(read_success(path))
        except ValueError as error:
            said = str(error)
            raise ValueError(said if said.startswith(str(path)) else f"{path}: {said}") from None
    known = names.role_games()
    call = parse(text, known)
    if call.name not in known:
        raise ValueError(
            f"no game of two roles or file is named {call.name!r}: pass a file, or one of "
            f"{', '.join(sorted(known))}.{names.near_miss(call.name, known)}"
        )
    game = _construct(call.name, known[call.name], call)
    if prompts and not isinstance(game, PromptRoles):
        raise ValueError(
            f"{call.name} is not a game of prompts: leave out --prompts, or pass random_prompts."
        )
    return game


def parse_solver(text: str, tau: float | None = None, eta: float | None = None) -> Any:
    """A solver from `EGPO`, `COMAL:every=50`, `Average(MMD(0.1, 0.5))` or `package.module:Class(0.1)`.

    `tau` and `eta` override the text, in every nested solver that takes them. Where a required tau or eta is
    missing, it is 0.1 or 0.5. Raises ValueError naming the fault and the remedy.
    """
    known = names.solvers()
    call = _spelled(parse(text, _AnyCase(known)), known)
    for option, value in {"tau": tau, "eta": eta}.items():
        if value is None:
            continue
        if not any(option in _parameters(one) for one in _nest(call)):
            takes = ", ".join(p for p in _parameters(call) if p not in ("pairs", "loss"))
            raise ValueError(
                f"{call.name} has no {option}: leave out --{option} (it takes {takes or 'nothing'})."
            )
        call = _with_option(call, option, value)
    return _solver(call)


def parse_matchmaker(text: str) -> Any:
    """A matchmaker from `Hard(2)` or `Everybody:self_play=0.5`. Raises ValueError naming the fault."""
    return _named("match", names.matchmakers(), parse(text, names.matchmakers()))


def parse_regulariser(text: str) -> Regulariser:
    """A regulariser from `L2`, `ChiSquare:kl=1` or `Tsallis(0.5)`. Raises ValueError naming the fault."""
    known = names.regularisers()
    return _named("regulariser", known, parse(text, _AnyCase(known)))


def parse_learner(text: str, tau: float) -> Any:
    """A learner from `enpo`, `optimistic:optimism=0.3` or `package.module:Class`.

    `tau` applies to a learner that takes a tau and whose text gives none. Raises ValueError naming the fault
    and the remedy.
    """
    known = names.learners()
    call = _spelled(parse(text, _AnyCase(known)), known)
    try:
        make = names.learner_class(call.name)
    except ValueError as error:
        raise ValueError(f"no learner is named {call.name!r}: {error}") from None
    if "tau" in names.signature(make).parameters and not call.values:
        call = call._replace(named={"tau": tau, **call.named})
    return _construct(call.name, make, call)


class _AnyCase:
    """Names, with membership that ignores case."""

    def __init__(self, known: Iterable[str]):
        self.known = {name.lower() for name in known}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.known


def _spelled(call: Call, known: Iterable[str]) -> Call:
    """The call with its name in the spelling of `known`."""
    exact = {name.lower(): name for name in known}
    return call._replace(name=exact.get(call.name.lower(), call.name))


def _class(call: Call) -> Any:
    try:
        return names.solver_class(call.name)
    except ValueError as error:
        raise ValueError(f"no solver is named {call.name!r}: {error}") from None


def _parameters(call: Call) -> Mapping[str, inspect.Parameter]:
    return names.signature(_class(call)).parameters


def _inner(call: Call) -> dict[str, Call]:
    """The solvers inside a call, by the parameter that takes them."""
    parameters = _parameters(call)
    given = dict(zip(parameters, call.values, strict=False)) | call.named
    return {
        name: _spelled(value, names.solvers())
        for name, value in given.items()
        if isinstance(value, Call) and name in parameters and Solver in _kinds(parameters[name].annotation)
    }


def _nest(call: Call) -> Iterator[Call]:
    """The call of a solver, and the calls of the solvers inside it."""
    yield call
    for inner in _inner(call).values():
        yield from _nest(inner)


def _with_option(call: Call, option: str, value: float) -> Call:
    """The call with option = value in every solver of the nest that takes it."""
    parameters = list(_parameters(call))
    changed: dict[str, Value] = {name: _with_option(one, option, value) for name, one in _inner(call).items()}
    if option in parameters:
        changed[option] = value
    place = {name: i for i, name in enumerate(parameters) if i < len(call.values)}
    values = list(call.values)
    for name in changed.keys() & place.keys():
        values[place[name]] = changed.pop(name)
    return call._replace(values=values, named=call.named | changed)


def _solver(call: Call) -> Any:
    call = _spelled(call, names.solvers())
    make = _class(call)
    given = {*list(_parameters(call))[: len(call.values)], *call.named}
    missing = [name for name, parameter in _parameters(call).items() if parameter.default is parameter.empty]
    fallback = {name: FALLBACK[name] for name in missing if name in FALLBACK and name not in given}
    return _construct(call.name, make, call._replace(named=call.named | fallback))


def _construct(name: str, make: Any, call: Call) -> Any:
    """make(*values, **named); raises ValueError naming the parameters when they do not fit."""
    signature = names.signature(make)
    try:
        bound = signature.bind(*call.values, **call.named)
    except TypeError as error:
        takes = ", ".join(
            p.name if p.default is p.empty else f"{p.name}={p.default}" for p in signature.parameters.values()
        )
        raise ValueError(f"{call.text!r}: {error}; it takes {takes or 'nothing'}.") from None
    for option, value in bound.arguments.items():
        hint = signature.parameters[option].annotation
        bound.arguments[option] = _read(f"{name}: {option}", hint, value)
    return make(*bound.args, **bound.kwargs)


def _read(where: str, hint: Any, value: Value) -> Any:
    """The argument for a number or a call, by the type of the parameter."""
    kinds = _kinds(hint)
    if not isinstance(value, Call):
        if {Solver, PairLoss, Meta, Matchmaker} & set(kinds):
            raise ValueError(f"{where} must be a name, such as MMD, logistic or Hard, got {value}.")
        if kinds == (int,) and not isinstance(value, int):
            raise ValueError(f"{where} must be a whole number, got {value}.")
        return value
    for kind, known in ((Meta, names.metas()), (Matchmaker, names.matchmakers())):
        if kind in kinds:
            return _named(where, known, value)
    bare = not value.values and not value.named
    for kind in kinds:
        if kind is Solver:
            return _solver(value)
        if kind is PairLoss and bare:
            try:
                return names.loss(value.name)
            except ValueError as error:
                raise ValueError(f"{where} = {value.name!r}: {error}") from None
        if get_origin(kind) is Literal and bare and value.name in get_args(kind):
            return value.name
        if kind is NoneType and bare and value.name == "None":
            return None
        if kind is bool and bare and value.name in ("True", "False", "true", "false"):
            return value.name in ("True", "true")
        if inspect.isclass(kind) and dataclasses.is_dataclass(kind) and value.name == kind.__name__:
            return _construct(value.name, kind, value)
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    if words:
        raise ValueError(f"{where} = {value.text!r}: {names.one_of(value.name, words)}")
    raise ValueError(f"{value.text!r} is not a number: write arguments as name:5,p=0.9.")


def _named(where: str, known: Mapping[str, Any], call: Call) -> Any:
    """The object of a call whose name is one of `known`. Raises ValueError naming them."""
    call = _spelled(call, known)
    if call.name not in known:
        raise ValueError(f"{where} = {call.name!r}: {names.one_of(call.name, known)}")
    return _construct(call.name, known[call.name], call)


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types that a parameter takes, generic ones without their arguments."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(part if get_origin(part) in (None, Literal) else get_origin(part) for part in parts)
