"""The names of solvers, learners, losses and games, for the command line and for run files.

The name of a solver is the one that `pgames` exports (`EGPO`, `Average`); a solver of your own is
`package.module:Class`.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import pgames as pg
from pgames import losses
from pgames.games.preference import PreferenceGame
from pgames.losses import PairLoss
from pgames.population import matchmaking, meta
from pgames.regularisers import Regulariser
from pgames.roles import named
from pgames.roles.matrix import MatrixRoles
from pgames.roles.prompts import PromptRoles
from pgames.solver import Solver

LEARNERS = (  # solvers that know a game only from duels
    "DENPO DoubleThompson ENPO Enhancer ExploreThenCommit Greedy OMG OnPolicyGreedy Optimistic Passive RUCB "
    "SELM SparringEXP3 UniformAdversary VMG VPO XPO"
).split()
OPPOSED = ("Rivals", "Turns")  # solvers of two roles, which need a RoleArena

Maker = Callable[..., Any]


def solvers() -> dict[str, Maker]:
    """Every solver, learner and wrapper that `pgames` exports, a class or a function, by name."""
    exported = {name: getattr(pg, name) for name in pg.__all__}
    return {name: make for name, make in sorted(exported.items()) if _makes_solver(make)}


def learners() -> dict[str, Maker]:
    """The solvers that know a game only from duels, by name."""
    known = solvers()
    return {name: known[name] for name in LEARNERS}


def solver_class(name: str) -> Maker:
    """The class or function of a solver from its exported name or `package.module:Class`.

    Raises ValueError when there is none. Its text begins with "it must be", so that the caller can prepend
    the place and the name.
    """
    return _class(name, solvers())


def learner_class(name: str) -> Maker:
    """The class of a learner from its exported name or `package.module:Class`.

    Raises ValueError when there is none, with a text that begins "it must be".
    """
    return _class(name, learners())


def loss(name: str) -> PairLoss:
    """The loss of pairs called `name` in `pgames.losses`; `hinge` has its default width.

    Raises ValueError when there is none, with a text that begins "it must be".
    """
    found = getattr(losses, name, None)
    if isinstance(found, PairLoss):
        return found
    if name == "hinge":
        return losses.hinge()
    known = [key for key, value in vars(losses).items() if isinstance(value, PairLoss)]
    raise ValueError(one_of(name, [*known, "hinge"]))


def metas() -> dict[str, Maker]:
    """The meta-solvers of `pgames.population`, by name."""
    return _callables(meta)


def matchmakers() -> dict[str, Maker]:
    """The matchmakers of `pgames.population`, by name."""
    return _callables(matchmaking)


def regularisers() -> dict[str, Callable[..., Regulariser]]:
    """The regularisers of `pgames.regularisers`, by name."""
    exported: dict[str, Any] = {name: getattr(pg.regularisers, name) for name in pg.regularisers.__all__}
    return {name: exported[name] for name in exported if dataclasses.is_dataclass(exported[name])}


def games() -> dict[str, Callable[..., PreferenceGame]]:
    """The constructors that `pgames.games` exports and whose parameters are numbers, by name."""
    exported = {name: getattr(pg.games, name) for name in pg.games.__all__}
    return {name: make for name, make in exported.items() if _takes_numbers(make)}


def role_games() -> dict[str, Callable[..., MatrixRoles | PromptRoles]]:
    """The named games of two roles of `pgames.roles.named`, by name."""
    return {
        name: make
        for name, make in vars(named).items()
        if inspect.isfunction(make) and make.__module__ == named.__name__
    }


def imported(path: str) -> Any:
    """The object at `package.module:name`.

    Raises ValueError, saying why and naming a near miss, when the module or the name does not exist.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # of the module's own code too
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path!r} cannot be imported ({why:.300}): write package.module:name.") from None
    if not hasattr(module, name):
        raise ValueError(f"module {module_name} has no {name!r}.{near_miss(name, vars(module))}")
    return getattr(module, name)


def signature(make: Maker) -> inspect.Signature:
    """The signature of a class or a function with its annotations as types, Any where they cannot be read."""
    plain = inspect.isclass(make) and not dataclasses.is_dataclass(make)
    try:
        hints = get_type_hints(make.__init__ if plain else make)  # type: ignore[misc]
    except NameError:  # a type that is imported for type checkers only
        hints = {}
    found = inspect.signature(make)
    known = [p.replace(annotation=hints.get(name, Any)) for name, p in found.parameters.items()]
    return found.replace(parameters=known, return_annotation=hints.get("return", Any))


def one_of(name: str, known: Iterable[str], more: str = "") -> str:
    """The text "it must be one of a, b, c", then `more`, then the near miss of `name`."""
    known = list(known)
    return f"it must be one of {', '.join(known)}{more}.{near_miss(name, known)}"


def near_miss(name: str, known: Iterable[str]) -> str:
    """The text " Did you mean EGPO?" for the known name nearest to `name`; empty when none is near."""
    folded = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), folded, 1)
    return f" Did you mean {folded[near[0]]}?" if near else ""


def _class(name: str, known: dict[str, Maker]) -> Maker:
    name = str(name)  # in a run file it may have any type
    if name in known:
        return known[name]
    if ":" not in name:
        raise ValueError(one_of(name, known, ", or package.module:Class of your own"))
    try:
        make = imported(name)
    except ValueError as error:
        raise ValueError(f"it must be package.module:Class that exists: {error}") from None
    if not _makes_solver(make):
        raise ValueError(
            "it must be a class with the methods init and step, or a function annotated to return one."
        )
    return make


def _callables(module: Any) -> dict[str, Maker]:
    """The frozen callables that a module defines."""
    return {
        name: thing
        for name, thing in sorted(vars(module).items())
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and dataclasses.is_dataclass(thing)
    }


def _makes_solver(make: Any) -> bool:
    if inspect.isfunction(make):
        make = signature(make).return_annotation
    return inspect.isclass(make) and make is not Solver and _is_solver(make)


def _is_solver(kind: type) -> bool:
    return hasattr(kind, "init") and hasattr(kind, "step")


def _takes_numbers(make: Maker) -> bool:
    parameters = signature(make).parameters.values()
    return all(parameter.annotation in (int, float) for parameter in parameters)
