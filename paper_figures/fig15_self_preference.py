"""Judges that are players: the bias to oneself at which self-play leaves uniform play.

A policy of a cycle of five is judged by itself, sigma(logit P(y, z) + b (log pi(y) - log pi(z))). The bias
adds b P (1 - P) to the growth of log pi, against the decay tau. The steps move the threshold of INPO down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.arena import SelfPreferring
from pgames.plot.style import COLOURS, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = np.ndarray
GAME, TAU = pg.games.cyclic(5, 0.7), 0.1
STEPS = (0.5, 0.2)
SHOWN = (0.4, 0.45, 0.47, 0.6)  # biases of the right panel
SIZES = {  # biases of the left panel, time eta * rounds, seeds
    "toy": ((0.4, 0.5), 10.0, 2),
    "quick": ((0.3, 0.4, 0.44, 0.46, 0.47, 0.48, 0.5, 0.6), 750.0, 4),
    "full": ((0.3, 0.36, 0.4, 0.42, 0.44, 0.45, 0.46, 0.47, 0.48, 0.49, 0.5, 0.55, 0.6), 2500.0, 10),
}


def gaps(bias: float, eta: float, rounds: int, seeds: int) -> Floats:
    """The duality gap, float64[R, S], of INPO judged by itself, from softmaxes of standard normals."""
    arena, solver = pg.TableArena(GAME, runs=seeds), pg.INPO(TAU, eta)
    logits = np.stack([np.random.default_rng(seed).standard_normal((1, 5)) for seed in range(seeds)])
    start = arena.policy(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))
    state, found = solver.init(arena)._replace(policy=start), np.empty((rounds, seeds))
    for t in range(rounds):
        state = solver.step(arena.judged_by([SelfPreferring(state.policy, bias)]), state)
        found[t] = 2 * arena.exploitability(state.policy)
    return found


def step_threshold(eta: float) -> float:
    """The bias at which INPO's uniform play turns unstable: eta = inpo_stable_step(tau - b growth)."""
    w = pg.bounds.rotation(GAME, TAU)
    left = (1 - np.sqrt(1 - (eta * w) ** 2)) / eta  # the smaller root of eta (left^2 + w^2) = 2 left
    return (TAU - left) / pg.bounds.self_preference_growth(GAME)


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    biases, time, seeds = SIZES[size]
    figure = new_figure(9.4, 4.2)
    left, right = figure.subplots(1, 2)
    checks = [Check("threshold of the flow", pg.bounds.self_preference_threshold(GAME, TAU), 0.476)]
    for i, eta in enumerate(STEPS):
        rounds = round(time / eta)
        late = [gaps(bias, eta, rounds, seeds)[-rounds // 10 :].mean(axis=0) for bias in biases]
        mean = np.mean(late, axis=1)
        left.plot(biases, mean, color=COLOURS[i], marker="o", ms=4, label=f"INPO, eta = {eta}")
        left.axvline(step_threshold(eta), color=COLOURS[i], ls=":", lw=1.2)
        checks.append(Check(f"threshold at eta = {eta}", step_threshold(eta), None))
        checks += [Check(f"gap at eta = {eta}, b = {b}", m, None) for b, m in zip(biases, mean, strict=True)]
    left.axvline(checks[0].measured, color=INK, ls=(0, (5, 2)), lw=1.2, label="tau / (P (1 - P))")
    left.set(
        xlabel="bias of the judge to itself, b",
        ylabel="duality gap at the end",
        title="The stability of uniform play",
    )
    rounds = round(time / STEPS[0])
    for i, bias in enumerate(SHOWN):
        mean = gaps(bias, STEPS[0], rounds, seeds).mean(axis=1)
        right.plot(np.arange(1, rounds + 1), np.maximum(mean, 1e-9), color=COLOURS[i], label=f"b = {bias}")
    right.set(
        yscale="log", xlabel="rounds of INPO, eta = 0.5", ylabel="duality gap", title="From random starts"
    )
    for axes in (left, right):
        axes.grid(which="major")
        axes.legend(loc="best")
    return figure, checks


if __name__ == "__main__":
    main("fig15_self_preference", draw)
