"""The solver protocol: frozen hyper-parameters, a target, and a step from one state to the next."""

from __future__ import annotations

import inspect
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Weight = float | NDArray[np.float64]  # a number, or float64[S]: one per run
Pi = TypeVar("Pi")  # a policy
Memory = TypeVar("Memory")  # the rest of a solver's state


class State(NamedTuple, Generic[Pi, Memory]):
    """The state of a solver: rounds done, current policy, and the rest of its memory."""

    t: int
    policy: Pi
    memory: Memory = cast(Any, ())


Memoryless = State[Pi, tuple[()]]


class Solver(Protocol):
    """A frozen dataclass whose fields are its hyper-parameters and nothing else."""

    @property
    def target(self) -> Weight | None:
        """The weight of the KL to the reference in the game whose Nash the solver computes.

        A number, or float64[S], one per run; 0 for the unregularised game; None when it computes no Nash.
        """
        ...

    def init(self, arena: Any) -> State:
        """The state before round 0. Raises TypeError when the arena lacks a verb that the solver calls."""
        ...

    def step(self, arena: Any, state: State) -> State:
        """The state after one more round."""
        ...


class Regularised:
    """A solver whose target is its field tau."""

    tau: Weight

    @property
    def target(self) -> Weight:
        """tau: the solver computes the Nash of the game regularised by tau KL to the reference."""
        return self.tau


def target_of(solver: object) -> float | NDArray[np.float64] | None:
    """`solver.target` as a float or float64[S]; None when it is None or not declared."""
    target = getattr(solver, "target", None)
    if target is None:
        return None
    values = np.asarray(target, dtype=np.float64)
    return float(values) if values.ndim == 0 else values


def one_target(solver: object) -> float:
    """`solver.target` as one number, 0 when it is None. Raises ValueError when it is float64[S]."""
    target = target_of(solver)
    if isinstance(target, np.ndarray):
        raise ValueError(
            f"one tau is needed, but {type(solver).__name__} has a target of shape {list(target.shape)}, "
            "one per run: pass tau."
        )
    return 0.0 if target is None else target


def members(capability: type) -> tuple[str, ...]:
    """The members that a protocol requires of an arena, those of the protocols it extends first."""
    names = (name for base in reversed(capability.__mro__) for name in vars(base))
    return tuple(dict.fromkeys(name for name in names if not name.startswith("_")))


def _offers(arena: object, name: str, member: object) -> bool:
    """Whether the arena has the member, as a method where the protocol has a method."""
    return hasattr(arena, name) and (not callable(member) or callable(getattr(arena, name)))


def require(solver: object, arena: object, *capabilities: type) -> None:
    """Check, before the first round, that the arena has every verb of the capabilities that a solver needs.

    Raises TypeError when one is missing, naming the solver, the missing verbs and an alternative.
    """
    asked = {name: getattr(one, name, None) for one in capabilities for name in members(one)}
    if not (missing := [name for name, verb in asked.items() if not _offers(arena, name, verb)]):
        return
    remedy = _remedy(solver, arena, missing)
    raise TypeError(
        f"{type(solver).__name__} needs the verb(s) {', '.join(missing)}, which {type(arena).__name__} "
        f"lacks; {remedy}."
    )


def check_call(solver: object, arena: object) -> None:
    """Check that a solver and an arena were passed, not their class and not the game alone.

    Raises TypeError, naming what to pass instead.
    """
    if inspect.isclass(solver):
        raise TypeError(f"a solver is an instance, got the class {solver.__name__}: pass {_call_of(solver)}.")
    if inspect.isclass(arena):
        raise TypeError(
            f"an arena is an instance, got the class {arena.__name__}: pass {arena.__name__}(...)."
        )
    if lacks := [name for name in ("init", "step") if not callable(getattr(solver, name, None))]:
        raise TypeError(
            f"a solver has the methods init(arena) and step(arena, state), {type(solver).__name__} lacks "
            f"{' and '.join(lacks)}: pass a solver first, then the arena."
        )
    if _is_game(arena):
        raise TypeError(f"{type(solver).__name__} plays in an arena, got a game: {TABLE}.")


def copied_reference(arena: Any, policy: object = None) -> NDArray[Any] | None:
    """A copy of the arena's reference where it is an array, float64[...], and `policy` where one is named."""
    reference = getattr(arena, "reference", None)
    if isinstance(reference, np.ndarray) and (policy is None or policy is reference):
        return reference.copy()
    return None


def check_reference(arena: Any, before: NDArray[Any] | None, who: str) -> None:
    """Raises ValueError when the reference is no longer `before`, float64[...]: `who` wrote into it."""
    if before is not None and not np.array_equal(before, arena.reference):
        raise ValueError(
            f"{who} writes into the reference of the arena: let it work on a copy, array.copy(), and make "
            "the arena again."
        )


TABLE = "pass pgames.TableArena(game)"


def _is_game(arena: object) -> bool:
    return hasattr(arena, "skew") and hasattr(arena, "prompt_weights")


def _call_of(kind: type) -> str:
    """The call that makes an instance, with the parameters that it needs: EGPO(tau=..., eta=...)."""
    needed = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
    return f"{kind.__name__}({', '.join(f'{p.name}=...' for p in needed)})"


def _remedy(solver: object, arena: object, missing: list[str]) -> str:
    """What to do about an arena that lacks verbs of a solver."""
    if _is_game(arena):
        return TABLE
    if "search" in missing and hasattr(arena, "mirror_step"):
        return "wrap it, pgames.Searched(arena, verdicts=16)"
    if "only" in missing:
        return "pass an arena of two roles, such as RoleArena"
    if not type(arena).__module__.startswith(("pgames.", "llm_backend.")):
        return f"give {type(arena).__name__} a method of that name: pgames.arena says what it must return"
    if {"compare", "believe", "collect", "no_duels"} & set(missing):
        return "pass a DuelArena, or measure its regret with pgames.simulate(learner, game, rounds)"
    if "mirror_step" in missing:
        return (
            "use a learner from duels, such as Optimistic or ENPO"
            if hasattr(arena, "duel")
            else "pass pgames.TableArena(game), whose preferences are known"
        )
    return (
        "use a solver of the mirror family (EGPO, INPO, MMD, NashMD), which needs only mirror_step and "
        "geometric_mixture"
    )
