"""Three judges vote on replies of a small Llama: each is transitive, their majority cycles.

One judge prefers short replies, one reasons, one courtesy. Every reply loses to another, so there is no best.
Solvers get the same number of verdicts. The replies are listed, so exploitability is exact.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

import pgames as pg
from llm_backend import Fit, LanguageModel, TextArena, judges
from paper_figures.gallery import Check, Size, main
from paper_figures.speaking import speaking_llama
from pgames.plot.style import COLOURS, DASHES, new_figure, short, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

PROMPTS = ("Is 31 prime?", "Is 37 prime?")
REASONS = ("", ": 2 fails", ": 2, 3 fail", ": 2, 3, 5 fail")
COURTESIES = ("", ", sir", ", dear sir", ", my dear sir")
REPLIES = tuple(  # at most three reasons and courtesies together
    f"yes{REASONS[i]}{COURTESIES[j]}" for i in range(4) for j in range(4 - i)
)
TAU, ETA = 0.1, 1.0
DRAWN = 16  # replies per prompt and mirror step: up to 120 pairs to judge
FIT = Fit(epochs=12, lr=5e-3)
SIZES = {"toy": (30, 100, 1), "quick": (80, 1200, 1), "full": (150, 5000, 5)}  # steps, verdicts, seeds


def reasons(prompt: str, reply: str) -> float:
    """The number of divisors that the reply rules out."""
    return sum(letter.isdigit() for letter in reply)


def courtesy(prompt: str, reply: str) -> float:
    """The number of words of courtesy."""
    return sum(reply.count(word) for word in ("sir", "dear", "my"))


def majority() -> judges.Majority:
    """The judge that answers with the majority of the three."""
    three = (judges.rules.shorter, reasons, courtesy)
    return judges.Majority([judges.Rule(score) for score in three], hard=True)


class Counted:
    """A judge that counts the pairs it is asked about."""

    as_is = True

    def __init__(self, judge: Any):
        self.judge, self.name, self.asked = judge, judge.name, 0

    def prefer(self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> np.ndarray:
        """P(first > second), float64[B]."""
        self.asked += len(prompts)
        return self.judge.prefer(prompts, firsts, seconds)


@functools.cache
def llama(steps: int = 150) -> LanguageModel:
    """A Llama that gives these replies, short ones more often."""
    weight = np.array([0.5 ** (len(reply) / 10) for reply in REPLIES])
    rng = np.random.default_rng(0)
    pairs = [
        (prompt, REPLIES[i]) for prompt in PROMPTS for i in rng.choice(10, size=300, p=weight / weight.sum())
    ]
    return speaking_llama(pairs, steps, vocabulary=120)


@functools.cache
def curves(lm: LanguageModel, budget: int, seed: int) -> dict[str, Floats]:
    """The rounds of each solver until it has asked for `budget` verdicts.

    float64[R, 3] by name: verdicts, exploitability at TAU and at 0, after every round.
    """
    exact = TextArena(lm, PROMPTS, majority(), samples=None, responses=REPLIES, fit=FIT)
    duels = DRAWN * (DRAWN - 1) // 2
    playing = {
        "Nash-MD": (pg.NashMD(TAU, ETA), DRAWN),
        "EGPO": (pg.EGPO(TAU, ETA), DRAWN),
        "online DPO": (pg.OnlineDPO(TAU), duels),
        "online DPO, small steps": (pg.OnlineDPO(TAU, ETA), duels),
    }
    found = {}
    for name, (solver, samples) in playing.items():
        judge = Counted(majority())
        arena = TextArena(lm, PROMPTS, judge, samples=samples, responses=REPLIES, seed=seed, fit=FIT)
        state, points = solver.init(arena), []
        while judge.asked < budget:
            state = solver.step(arena.at(state.t), state)
            points.append([judge.asked, *_gaps(exact, state.policy)])
        found[name] = np.array(points)
    found["RLHF"] = np.array([_rlhf(lm, exact, budget * share // 4, seed) for share in (1, 2, 4)])
    return found


def _rlhf(lm: LanguageModel, exact: TextArena, budget: int, seed: int) -> list[float]:
    """Spend all verdicts on pairs of the reference; then the exact optimum of the fitted reward."""
    judge, met = Counted(majority()), np.sum(exact.probs(exact.reference) ** 2, axis=1).mean()
    samples = round(budget / len(PROMPTS) / (1 - met))  # equal replies are not judged
    arena = TextArena(lm, PROMPTS, judge, samples=samples, responses=REPLIES, seed=seed, fit=FIT)
    pairs = arena.duel(arena.reference, arena.reference)
    policy = pg.solve(pg.RLHF(TAU, pairs), exact, 1).policy
    return [judge.asked, *_gaps(exact, policy)]


def _gaps(exact: TextArena, policy: Any) -> list[float]:
    return [exact.exploitability(policy, TAU), exact.exploitability(policy)]


def cycles(game: pg.PreferenceGame) -> list[tuple[int, int, int]]:
    """Triples of replies where each beats the next with certainty."""
    P = game.P[0]
    return [
        (i, j, k)
        for i, j, k in permutations(range(len(P)), 3)
        if i < min(j, k) and P[i, j] == P[j, k] == P[k, i] == 1
    ]


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    torch.set_num_threads(1)
    steps, budget, seeds = SIZES[size]
    lm = llama(steps)
    game = TextArena(lm, PROMPTS, majority(), samples=None, responses=REPLIES).game
    with warnings.catch_warnings():  # three votes often tie, and a step of ties is not a fault of this judge
        warnings.filterwarnings("ignore", message="the judge preferred nothing")
        runs = [curves(lm, budget, seed) for seed in range(seeds)]
    figure = new_figure(11.4, 4.4)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
    _draw_votes(left, game)
    for axes, column, title in (
        (middle, 1, f"In the game with tau = {TAU}"),
        (right, 2, "Without regulariser"),
    ):
        for i, name in enumerate(runs[0]):
            grid = np.linspace(runs[0][name][0, 0], budget, 12)
            lines = [np.interp(grid, *run[name][:, [0, column]].T) for run in runs]
            low, mid, high = np.min(lines, axis=0), np.median(lines, axis=0), np.max(lines, axis=0)
            axes.plot(grid, mid, color=COLOURS[i], ls=DASHES[i], label=name)
            axes.fill_between(grid, low, high, color=COLOURS[i], alpha=0.18, lw=0)
        axes.set(yscale="log", ylim=(1e-3, 0.7), xlabel="verdicts", title=title)
        axes.grid(which="major")
    middle.set_ylabel("exploitability")
    floor = float(np.mean(pg.exploitability(game, pg.nash(game, TAU).policy)))
    right.axhline(floor, color="#222222", lw=1, ls=(0, (2, 2)), label=f"exact Nash of tau = {TAU}")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6)
    checks = [Check("cycles of three", len(cycles(game)), None)]
    checks.append(Check("exploitability of the best single reply", 0.5 - game.P[0].min(axis=1).max(), 0.5))
    for column, what in ((1, f"gap, tau = {TAU}"), (2, "gap, tau = 0")):
        for name in runs[0]:
            late = [run[name][run[name][:, 0] > 0.75 * budget, column] for run in runs]
            finals = [rounds.mean() for rounds in late]
            checks.append(Check(f"{name}: {what}, last quarter", float(np.median(finals)), None))
    return figure, checks


def _draw_votes(axes: Any, game: pg.PreferenceGame) -> None:
    cycle = cycles(game)[0]
    names = [short(reply, 26) for reply in REPLIES]
    axes.imshow(game.P[0], cmap="RdBu", vmin=-0.3, vmax=1.3)
    for winner, loser in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
        axes.plot(loser, winner, "s", ms=13, mfc="none", mec="#222222", mew=2)
    axes.set_xticks(range(10), names, rotation=90, fontsize=7.5)
    axes.set_yticks(range(10), names, fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Majority: blue, the row wins")


if __name__ == "__main__":
    main("fig9_majority", draw)
