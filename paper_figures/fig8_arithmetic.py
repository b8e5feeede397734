"""Self-play on text: a small Llama learns to add by playing against itself before a judge that checks sums.

It is first trained on sums and stopped early. Self-play then sees no results, only which of two answers the
judge prefers. A quarter of all sums is held out of both.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

import pgames as pg
from llm_backend import Fit, LanguageModel, TextArena, judges
from llm_backend.evaluate import Estimate, estimate, kl, win_rate
from paper_figures.gallery import Check, Size, main
from paper_figures.speaking import speaking_llama
from pgames.plot.style import COLOURS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 20  # sums of two numbers below it
SOLVER = pg.INPO(tau=0.02, eta=4.0)
FIT = Fit(epochs=2, batch=32, rows=256, lr=2e-3)
DIGITS = 4  # tokens of an answer at most, EOS included
FRESH = 16  # answers per held-out prompt in every measurement
SIZES = {"toy": (4, 1), "quick": (350, 2), "full": (350, 20)}  # steps of training before, rounds of self-play


class Measured(NamedTuple):
    """Measurements of a round on held-out sums, with 95 % intervals."""

    win_rate: Estimate  # against the reference
    accuracy: Estimate  # of sampled answers
    greedy: float  # share of prompts whose likeliest answer is right
    kl: Estimate  # to the reference, nats per answer


def sums() -> tuple[list[str], list[str]]:
    """Prompts to train on and prompts held out."""
    everything = [f"{a}+{b}=" for a in range(LARGEST) for b in range(LARGEST)]
    order = np.random.default_rng(0).permutation(len(everything))
    cut = len(order) // 4
    return [everything[i] for i in order[cut:]], [everything[i] for i in order[:cut]]


def llama(steps: int = 350) -> LanguageModel:
    """A Llama with one token per digit, trained on the sums that are not held out and stopped early."""
    pairs = [(prompt, str(sum(map(int, prompt[:-1].split("+"))))) for prompt in sums()[0]]
    return speaking_llama(pairs, steps, vocabulary=4)


def play(lm: LanguageModel, rounds: int) -> list[Measured]:
    """Self-play for `rounds` rounds, measured before each and after the last."""
    train, held = sums()
    judge = judges.Rule(judges.rules.arithmetic)
    arena = TextArena(lm, train, judge, samples=8, max_new_tokens=DIGITS, fit=FIT)
    test = TextArena(lm, held, judge, samples=FRESH, max_new_tokens=DIGITS, seed=1)
    cold = TextArena(lm, held, judge, samples=2, max_new_tokens=DIGITS, temperature=1e-3)
    state = SOLVER.init(arena)
    found = [measure(test, cold, state.policy)]
    for _ in range(rounds):
        state = SOLVER.step(arena.at(state.t), state)
        found.append(measure(test.at(state.t), cold, state.policy))
    return found


@functools.cache
def played(steps: int, rounds: int) -> list[Measured]:
    """`play` on a Llama of so many steps, once in a process."""
    return play(llama(steps), rounds)


def measure(test: TextArena, cold: TextArena, policy: Any) -> Measured:
    """The measurements of a policy, on fresh answers to the held-out sums."""
    greedy = right(cold, policy, 1)
    return Measured(
        win_rate(test, policy, test.reference, FRESH),
        estimate(right(test, policy, FRESH), bounded=True),
        float(greedy.mean()),
        kl(test, policy, FRESH),
    )


def right(arena: TextArena, policy: Any, n: int) -> np.ndarray:
    """1 for every right answer, 0 for every wrong one, float64[X, n]."""
    draws = arena.sample(policy, n=n).draws
    order = np.argsort(draws.prompt, kind="stable")
    score = [judges.rules.arithmetic(arena.prompts[draws.prompt[i]], draws.texts[i]) for i in order]
    return np.reshape(score, (-1, n))


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    torch.set_num_threads(1)
    steps, rounds_played = SIZES[size]
    found = played(steps, rounds_played)
    figure = new_figure(9.6, 3.7)
    axes = figure.subplots(1, 3)
    rounds = np.arange(len(found))
    curves = (
        (axes[0], "win_rate", 0, "win rate against the reference", ""),
        (axes[1], "accuracy", 2, "accuracy", "sampled"),
        (axes[2], "kl", 4, "KL to the reference (nats)", ""),
    )
    for panel, name, colour, title, label in curves:
        values = [getattr(row, name) for row in found]
        low, mid, high = np.array([(v.low, v.mean, v.high) for v in values]).T
        panel.plot(rounds, mid, color=COLOURS[colour], label=label)
        panel.fill_between(rounds, low, high, color=COLOURS[colour], alpha=0.2, lw=0)
        panel.set(xlabel="rounds of self-play", title=title)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(which="major")
    axes[0].axhline(0.5, color="#8C8C8C", lw=1)
    axes[1].plot(rounds, [row.greedy for row in found], color=COLOURS[3], ls="--", label="greedy")
    axes[1].set_ylim(top=1)
    axes[1].legend(loc="lower right")
    figure.suptitle(
        "300 sums played, 100 held-out sums measured, 95 % intervals", x=0.01, ha="left", fontsize=9
    )
    first, last = found[0], found[-1]
    checks = [Check("rounds", len(found) - 1, None)]
    for name in ("win_rate", "accuracy", "kl"):
        before, after = getattr(first, name), getattr(last, name)
        checks.append(Check(f"{name} of the reference", before.mean, None, f"+- {before.margin:.3f}"))
        checks.append(Check(f"{name} after self-play", after.mean, None, f"+- {after.margin:.3f}"))
    checks.append(Check("greedy accuracy of the reference", first.greedy, None))
    checks.append(Check("greedy accuracy after self-play", last.greedy, None))
    return figure, checks


if __name__ == "__main__":
    main("fig8_arithmetic", draw)
