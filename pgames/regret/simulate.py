"""simulate: one learner on one game, many seeds at once, its regret on a log grid of rounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pgames.arena import Solver, one_target
from pgames.games.preference import PreferenceGame
from pgames.loop import log_grid
from pgames.progress import progress
from pgames.regret.curve import RegretCurve
from pgames.regret.ledger import Ledger
from pgames.table.duels import DuelArena

LEAP = 1_000_000  # duels of one compiled call, so that Ctrl-C and the progress bar get a word in


def simulate(
    learner: Solver,
    game: PreferenceGame,
    rounds: int,
    seeds: int = 1,
    tau: float | None = None,
    refresh: float | None = None,
    record: int = 100,
    seed: int = 0,
    features: ArrayLike | None = None,
    first_run: int = 0,
) -> RegretCurve:
    """The regret of a learner that knows the game only from duels, over `seeds` independent runs.

    In round t it plays state.policy, which is charged gap(pi_t) = max_p J_tau(p, pi_t) - 1/2; what it plays
    to explore is not charged. Every round asks each prompt's duels; `bits` counts the judgements.

    Parameters
    ----------
    rounds : T. May be large: cost is per update, not per round, under a lazy schedule.
    seeds : S, all computed side by side; run s is the same whatever S is.
    tau : of the regret; the learner's target by default, or 0 (the von Neumann regret) where it has none.
    refresh : None to update every round; r > 1 to update when t has grown by the factor r, playing the same
        policies in between; at 1.02 regret grows by a few per cent.
    record : number of log-spaced rounds at which the curve is recorded.
    seed : of all runs.
    features : float64[X, Y, D] of a log-linear class.
    first_run : number of the first run, to split an experiment.

    Ctrl-C ends it early and keeps what was recorded.
    """
    _check(rounds, seeds, refresh, record)
    tau = one_target(learner) if tau is None else float(tau)
    arena, ledger = DuelArena(game, seeds, seed, features, first_run), Ledger(game, tau, seeds)
    curve = _Recorder(ledger, log_grid(rounds, record)[1:])
    state = learner.init(arena)
    stopped = False
    try:
        with progress(type(learner).__name__, rounds) as advance:
            while ledger.rounds < rounds:
                if refresh is None and hasattr(learner, "leap"):
                    state = _leap(learner, arena, state, ledger, curve)
                else:
                    state = _play(learner, arena, state, ledger, curve, rounds, refresh)
                advance(ledger.rounds)
    except KeyboardInterrupt:
        stopped = True
        if not curve.rounds:
            raise
    return curve.finish(learner, stopped)


def _play(
    learner: Any,
    arena: DuelArena,
    state: Any,
    ledger: Ledger,
    curve: _Recorder,
    rounds: int,
    refresh: float | None,
) -> Any:
    """One step of the learner, with its policy booked for the rounds that the step stands for."""
    t = ledger.rounds
    length = 1 if refresh is None else max(1, math.floor((refresh - 1) * t))
    length = min(length, rounds - t)
    view = arena.at(t, length)
    after = learner.step(view, state)
    if after.t != t + length:
        raise ValueError(
            f"{type(learner).__name__} went from round {t} to {after.t} in a step of {length} round(s): a "
            "step must return State(state.t + arena.rounds, ...); without lazy updates use refresh=None."
        )
    curve.book(state.policy, length, view.bits)
    return after


def _leap(learner: Any, arena: DuelArena, state: Any, ledger: Ledger, curve: _Recorder) -> Any:
    """The steps up to the next record, or as many as take part of a second, in one compiled call."""
    length = min(curve.ahead(), 1 + LEAP // (arena.runs * arena.prompts))
    view = arena.at(ledger.rounds, length)
    after = learner.leap(view, state, length, ledger)
    curve.leapt(view.bits)
    return after


class _Recorder:
    """Books policies in the ledger and notes the sums at the rounds of the grid."""

    def __init__(self, ledger: Ledger, grid: Any):
        self.ledger, self.grid, self.bits = ledger, grid.tolist(), 0
        self.rounds: list[int] = []
        self.rows: list[tuple[Any, ...]] = []

    def book(self, policy: Any, length: int, bits: int) -> None:
        """Inside a long step the sums grow linearly, so grid points in it are exact."""
        end = self.ledger.rounds + length
        per_round = bits / length
        while len(self.rounds) < len(self.grid) and self.grid[len(self.rounds)] <= end:
            part = self.grid[len(self.rounds)] - self.ledger.rounds
            self._charge(policy, part, per_round)
            self._note()
        self._charge(policy, end - self.ledger.rounds, per_round)

    def ahead(self) -> int:
        """Rounds left until the next record."""
        return self.grid[len(self.rounds)] - self.ledger.rounds

    def leapt(self, bits: int) -> None:
        """The learner booked its own policies since the last call."""
        self.bits += bits
        if self.ahead() == 0:
            self._note()

    def _charge(self, policy: Any, length: int, per_round: float) -> None:
        if length > 0:
            self.ledger.charge(policy, length)
            self.bits += length * per_round

    def _note(self) -> None:
        ledger = self.ledger
        self.rows.append(
            (
                ledger.regret.copy(),
                ledger.gap.copy(),
                ledger.external_regret(),
                ledger.average_gap(),
                self.bits,
            )
        )
        self.rounds.append(ledger.rounds)

    def finish(self, learner: Any, stopped: bool) -> RegretCurve:
        regret, gap, external, average, bits = zip(*self.rows, strict=True)
        return RegretCurve(
            learner=repr(learner),
            tau=self.ledger.tau,
            rounds=np.array(self.rounds),
            regret=np.stack(regret, axis=1),
            gap=np.stack(gap, axis=1),
            external=np.stack(external, axis=1),
            average_gap=np.stack(average, axis=1),
            bits=np.round(bits).astype(np.int64),
            stopped=stopped,
        )


def _check(rounds: int, seeds: int, refresh: float | None, record: int) -> None:
    for name, value in (("rounds", rounds), ("seeds", seeds), ("record", record)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")
    if refresh is not None:
        check_refresh(refresh)


def check_refresh(refresh: float) -> None:
    """Raise ValueError unless it is above 1."""
    if not 1 < refresh:
        raise ValueError(f"refresh must be above 1 (1.02 updates every 2 %), or None, got {refresh}.")
