"""The verbs: what a solver may say to an arena.

A policy is an opaque handle. A solver never touches a probability, a token or a gradient, so the same
solver object drives a table (`pgames.TableArena`) and a language model (`llm_backend.TextArena`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Pi = TypeVar("Pi")
Weight = float | NDArray[np.float64]  # a number, or float64[S]: one per run
Width = Literal["hoeffding", "bernstein"]  # of a belief's confidence intervals


class Arena(Protocol[Pi]):
    """The preference is available, exactly or through a judge."""

    @property
    def reference(self) -> Pi:
        """The policy that the game is regularised to."""
        ...

    def geometric_mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """prod_i pi_i ** w_i, normalised. Weights may be negative."""
        ...

    def mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """sum_i w_i pi_i: a mixed strategy. Weights are non-negative and sum to 1."""
        ...

    def mirror_step(self, prior: Pi, opponent: Pi, step: Weight) -> Pi:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step; step = inf is the best response."""
        ...

    def win_rate(self, first: Pi, second: Pi) -> Weight:
        """P(first > second), averaged over prompts."""
        ...

    def at(self, t: int) -> Arena[Pi]:
        """The arena in round t: its randomness is a function of (seed, run, t)."""
        ...

    def anchored(self, reference: Pi) -> Arena[Pi]:
        """The same game regularised to another policy."""
        ...


class PairLoss(NamedTuple):
    """A convex loss of the margin beta * (log-ratio of the winner - log-ratio of the loser)."""

    name: str
    value: Any  # margins float64[...] -> losses float64[...]
    slope: Any  # its first derivative
    curvature: Any  # its second derivative, at least 0

    def __repr__(self) -> str:
        return self.name


class ComparingArena(Arena[Pi], Protocol[Pi]):
    """The preference answers to duels. Evidence of duels adds up with `+`."""

    def duel(self, first: Pi, second: Pi) -> Any:
        """Let the judge compare a response of each; the only access to the true preference."""
        ...

    def fit_pairs(self, prior: Pi, pairs: Any, loss: PairLoss, beta: Weight) -> Pi:
        """argmin_pi of the mean loss over pairs, of beta * difference of log(pi / prior)."""
        ...


class ScoringArena(ComparingArena[Pi], Protocol[Pi]):
    """RLHF: a scalar score stands for the preference."""

    def fit_reward(self, pairs: Any) -> Any:
        """Bradley-Terry score, by maximum likelihood."""
        ...

    def tilt(self, prior: Pi, score: Any, step: Weight) -> Pi:
        """prior * exp(step * score), normalised."""
        ...


class DemonstratingArena(ComparingArena[Pi], Protocol[Pi]):
    """There is an expert whose answers can be imitated (SPIN)."""

    @property
    def expert(self) -> Pi: ...

    def demonstrate(self, winner: Pi, loser: Pi) -> Any:
        """Pairs of a response of each, the first declared the winner; asks no judge."""
        ...


class State(NamedTuple):
    """Where a solver is: rounds done, its answer so far, and what else it remembers."""

    t: int
    policy: Any
    memory: Any = ()


class Solver(Protocol):
    """A frozen dataclass whose fields are its hyper-parameters and nothing else."""

    @property
    def target(self) -> Weight | None:
        """The weight of the KL to the reference in the game whose Nash the solver is after.

        A number, or float64[S], one per run; 0 for the unregularised game; None where it is after no Nash.
        """
        ...

    def init(self, arena: Any) -> State: ...

    def step(self, arena: Any, state: State) -> State: ...


def target_of(solver: object) -> float | NDArray[np.float64] | None:
    """`solver.target` as a float or float64[S]; None where it is None or the solver declares none."""
    target = getattr(solver, "target", None)
    if target is None:
        return None
    values = np.asarray(target, dtype=np.float64)
    return float(values) if values.ndim == 0 else values


def one_target(solver: object) -> float:
    """`solver.target` as one number, 0 where there is none. Raises ValueError when it is float64[S]."""
    target = target_of(solver)
    if isinstance(target, np.ndarray):
        raise ValueError(
            f"one tau is needed here and {type(solver).__name__} has a target of shape {list(target.shape)}, "
            "one per run: pass tau."
        )
    return 0.0 if target is None else target


def require(solver: object, arena: object, *verbs: str) -> None:
    """Raise TypeError, once and at the start, when the arena lacks a verb that the solver says."""
    missing = [verb for verb in verbs if not hasattr(arena, verb)]
    if missing:
        remedy = (
            "use a learner from duels, such as Optimistic or ENPO"
            if "mirror_step" in missing
            else "use a solver of the mirror family (EGPO, INPO, MMD, NashMD), which needs only mirror_step "
            "and geometric_mixture"
        )
        raise TypeError(
            f"{type(solver).__name__} needs the verb(s) {', '.join(missing)}, which {type(arena).__name__} "
            f"lacks; {remedy}."
        )
