"""stability: the spectrum of a solver's round at its fixed point, and where its rounds end."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.dynamics.cycle import Tail, tail_of
from pgames.dynamics.jacobian import (
    Map,
    check_size,
    inner_jacobian,
    leaves_of,
    outer_multipliers,
    settle,
    tangent,
)
from pgames.exact.certificates import check_tau
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame, as_game
from pgames.loop import iterate
from pgames.numerics import count
from pgames.regularisers import KL, Regulariser
from pgames.solver import Solver, State, check_call, one_target
from pgames.table.arena import TableArena

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

AT_REST = 1e-9  # the distance that a round may move a fixed point
TRIED = (*range(1, 129), 199, 249, 499, 999, 1000)  # rounds whose step is compared with that of round 0
NEUTRAL = 1e-7  # a radius this close to 1 decides nothing


@dataclass(frozen=True, eq=False)
class Stability:
    """A solver's fixed point, the spectrum of its round there, and the end of a run from near the reference.

    eigenvalues : complex128[K], the largest modulus first; those of small probabilities outside the support
        of the fixed point included.
    policy : float64[X, Y], the fixed point.
    residual : the total variation by which one round moves it.
    distance : its total variation from the Nash of tau, in the worst prompt.
    tail : where the rounds of a run end; None when none was played.
    """

    solver: str
    tau: float
    eigenvalues: NDArray[np.complex128]
    policy: Array
    residual: float
    distance: float
    tail: Tail | None

    @property
    def radius(self) -> float:
        """The largest modulus: the factor per round on a small distance from the fixed point."""
        return float(np.abs(self.eigenvalues).max(initial=0.0))

    @property
    def stable(self) -> bool | None:
        """Whether small distances shrink; None where the radius is 1 up to 1e-7."""
        return None if abs(self.radius - 1) < NEUTRAL else self.radius < 1

    @property
    def period(self) -> float:
        """The rounds of one turn of the leading mode, 2 pi / |angle|; inf without rotation."""
        if not len(self.eigenvalues):
            return float("inf")
        angle = abs(float(np.angle(self.eigenvalues[0])))
        return 2 * np.pi / angle if angle > 1e-12 else float("inf")

    def __repr__(self) -> str:
        verdict = {True: "stable", False: "unstable", None: "neutral"}[self.stable]
        end = "" if self.tail is None else f", ends: {self.tail.ending}"
        return f"Stability({self.solver}, tau={self.tau:g}: {verdict}, radius {self.radius:.6g}{end})"

    def plot(self, *, ax: Axes | None = None) -> Figure:
        """The eigenvalues in the complex plane, with the unit circle. Draws on `ax` when one is given."""
        from pgames.plot.spectrum import spectrum

        return spectrum(self.eigenvalues, self.solver, ax=ax)


def stability(
    solver: Solver,
    game: PreferenceGame | ArrayLike,
    tau: float | None = None,
    *,
    regulariser: Regulariser = KL(),  # noqa: B008
    rounds: int = 2000,
) -> Stability:
    """The Jacobian's spectrum of one round of `solver` at its fixed point next to the Nash, and a run's end.

    The fixed point is found by Newton's method from the Nash of tau, so it is found when it is unstable too;
    `distance` says how far from the Nash it lies. The run starts near the reference and shows a limit cycle
    where the fixed point is unstable, and also beside a stable one that attracts only from nearby.

    Parameters
    ----------
    game : a PreferenceGame, or its table P float64[Y, Y] or float64[X, Y, Y].
    tau : the tau of the Nash; by default the solver's target.
    rounds : of the run; 0 plays none.

    Raises ValueError when the step of the solver changes with the round, the state is too large or rounds is
    negative, TypeError when its memory holds more than policies, and RuntimeError when there is no fixed
    point.
    """
    game = as_game(game)
    rounds = count("rounds", rounds, 0)
    check_call(solver, game.P)
    target = one_target(solver) if tau is None else check_tau(tau)
    make = functools.partial(TableArena, game, regulariser=regulariser)
    aim = nash(game, target, regulariser=regulariser).policy
    one = make()
    start = solver.init(one.anchored(one.policy(aim)))
    leaves = leaves_of(start)
    step = Map(solver, lambda runs: make(runs=runs), start)
    _check_constant(solver, step, leaves)
    basis = tangent(aim)
    check_size(len(leaves) * len(basis))
    leaves, residual = settle(step, leaves, basis)
    if not residual < AT_REST:
        raise RuntimeError(
            f"{type(solver).__name__} has no fixed point near the Nash of tau = {target:g}: one round moves "
            f"the best candidate by {residual:.2g}. Pass the tau that it solves, or look at a run."
        )
    values = np.linalg.eigvals(inner_jacobian(step, leaves, basis)).astype(np.complex128)
    values = np.concatenate([values, outer_multipliers(step, leaves, game.support)])
    values = values[np.argsort(-np.abs(values), kind="stable")]
    policy = np.exp(leaves[0, 0])
    distance = float(np.abs(policy - aim).sum(axis=-1).max() / 2)
    tail = _tail(solver, one, rounds, policy) if rounds else None
    return Stability(repr(solver), float(target), values, policy, residual, distance, tail)


def _check_constant(solver: Solver, step: Map, leaves: Array) -> None:
    """Raises ValueError when another round of the solver is not round 0 on the same policies."""
    reference = np.exp(step.arena(1).reference)
    shares = np.arange(1, len(leaves) + 1)[:, None, None, None] / (4.0 * len(leaves))
    tilted = reference * np.arange(1.0, reference.shape[-1] + 1)
    with np.errstate(divide="ignore"):
        pushed = np.log((1 - shares) * np.exp(leaves) + shares * tilted / tilted.sum(axis=-1, keepdims=True))
    first = np.exp(step(pushed))
    later = (step._replace(state=step.state._replace(t=t)) for t in TRIED)
    if any(np.abs(first - np.exp(round_of(pushed))).max() > 1e-12 for round_of in later):
        raise ValueError(
            f"the step of {type(solver).__name__} changes with the round, so no one map describes it: "
            "pass a constant step such as eta=, or the inner solver."
        )


def _tail(solver: Solver, arena: TableArena, rounds: int, fixed: Array) -> Tail:
    """The ending of a run from near the reference: from it, moved a little where it is the fixed point."""
    state: State = solver.init(arena)
    p = np.exp(state.policy)
    if np.abs(p[0] - fixed).sum(axis=-1).max() < 1e-3:
        weights = np.arange(1.0, p.shape[-1] + 1) * (p > 0)
        moved = 0.95 * p + 0.05 * weights / weights.sum(axis=-1, keepdims=True)
        state = state._replace(policy=arena.policy(moved))
    seen = [np.exp(one.policy[0]) for one in iterate(solver, arena, rounds, state)]
    return tail_of(np.array(seen[len(seen) // 2 :]), fixed)
