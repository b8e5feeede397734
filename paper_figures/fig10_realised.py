"""How much of a mirror step happens on responses that were not drawn, at equal numbers of verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from llm_backend import Fit, LanguageModel, TextArena, constraints, judges
from llm_backend.fits import gauss_newton
from llm_backend.fits.fit import fit
from llm_backend.fits.objectives import Regress
from llm_backend.policies.handles import BASE, Adapter, Leaf
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.tiny import tiny_language_model
from llm_backend.verbs.verdicts import wins_among
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 4.0


class Setting(NamedTuple):
    """One way to spend verdicts: prompts, samples per prompt, and what is done with them."""

    prompts: int
    samples: int
    rounds: int = 1
    joined: bool = False  # the rows of all rounds in one fit, not a fit per round
    rank: int = 16
    ridge: float = gauss_newton.RIDGE


SETTINGS = {
    "12 x 4": Setting(12, 4),
    "24 x 4": Setting(24, 4),
    "5 x 8": Setting(5, 8),
    "12 x 4, a second fit to fresh draws": Setting(12, 4, rounds=2),
    "12 x 4, with the rows of the round before": Setting(12, 4, rounds=2, joined=True),
    "12 x 4, ridge .1": Setting(12, 4, ridge=0.1),
    "12 x 4, ridge 1": Setting(12, 4, ridge=1.0),
    "12 x 4, rank 4": Setting(12, 4, rank=4),
    "12 x 4, rank 64": Setting(12, 4, rank=64),
}
SAME, OTHERS = 5, 8  # tested prompts that are trained, and that are not
TESTS = {"toy": 4, "quick": 64, "full": 4}  # responses to each


def shorter(prompt: str, first: str, second: str) -> float:
    """A judge for a model without words: the shorter text is better."""
    return 1 / (1 + math.exp((len(first) - len(second)) / 4))


class Fresh(NamedTuple):
    """Responses of the base that no fit sees, and the step that the judge asks for on them, float64[X, m]."""

    arena: TextArena
    draws: Draws
    asked: Floats

    def slope(self, policy: Leaf, rows: slice) -> float:
        """The regression coefficient of log pi / base on the step asked for, on the prompts `rows`."""
        space = self.arena.space
        moved = space.score(policy, self.draws) - space.score(BASE, self.draws)
        moved, asked = (_centred(values)[rows] for values in (moved.reshape(self.asked.shape), self.asked))
        return float((moved * asked).sum() / (asked**2).sum())


def _centred(values: Floats) -> Floats:
    return values - values.mean(axis=1, keepdims=True)


def game_of(size: Size) -> tuple[list[str], judges.Rule | object, dict[str, float | int]]:
    """Prompts, judge, and options of the arena."""
    if size == "full":
        asked = [row.prompt for row in constraints.prompts()]
        return (
            asked[:24] + asked[-OTHERS:],
            judges.Rule(prefer=constraints.prefer),
            {"temperature": 0.7, "max_new_tokens": 24},
        )
    digits = [f"{a}{b}" for a in range(10) for b in range(6)]
    return digits, judges.Rule(prefer=shorter), {"max_new_tokens": 4}


def model_of(size: Size, rank: int) -> LanguageModel:
    """SmolLM2-135M-Instruct, or a tiny random Llama."""
    if size == "full":
        return LanguageModel.from_pretrained("smollm2", lora=rank)
    return tiny_language_model(lora=rank)


def played(arena: TextArena, setting: Setting) -> Adapter:
    """The policy fitted to base * exp(step * win) on the rounds of a setting."""
    parts = []
    for t in range(setting.rounds):
        draws = arena.at(t).context.draw(BASE, "opponent")
        parts.append((draws, wins_among(arena.judge, arena.prompts, draws)))
    policy: Leaf = BASE
    for group in [parts] if setting.joined else [[part] for part in parts]:
        draws = Draws.join([part for part, _ in group])
        wins = np.concatenate([won.mean for _, won in group])
        weight = np.full(len(draws), 1 / (setting.samples * len(group)))
        objective = Regress(draws, arena.space.score(BASE, draws), STEP * wins, weight, np.zeros(len(draws)))
        how = arena.space.sampling
        policy = fit(arena.lm, policy, objective, how.prompts, arena.fit, how.temperature).policy
    assert isinstance(policy, Adapter)
    return policy


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    torch.set_num_threads(1)
    prompts, judge, options = game_of(size)
    settings = dict(list(SETTINGS.items())[:3]) if size == "toy" else SETTINGS
    found: dict[str, tuple[int, float, float]] = {}
    least, models = gauss_newton.RIDGE, dict[int, LanguageModel]()
    for name, setting in settings.items():
        lm = models.get(setting.rank) or model_of(size, setting.rank)
        models = {setting.rank: lm}
        how = Fit(rows=16)
        arena = TextArena(lm, prompts[: setting.prompts], judge, setting.samples, fit=how, **options)  # type: ignore[arg-type]
        gauss_newton.RIDGE = setting.ridge
        try:
            policy = played(arena, setting)
        finally:
            gauss_newton.RIDGE = least
        some = prompts[:SAME] + prompts[-OTHERS:]
        test = TextArena(lm, some, judge, TESTS[size], seed=1, fit=how, **options)  # type: ignore[arg-type]
        draws = test.context.draw(BASE, "third")
        draws = draws.take(np.argsort(draws.prompt, kind="stable"))
        asked = STEP * wins_among(test.judge, some, draws).mean.reshape(len(some), TESTS[size])
        fresh = Fresh(test, draws, asked)
        verdicts = setting.rounds * setting.prompts * setting.samples * (setting.samples - 1) // 2
        found[name] = (verdicts, fresh.slope(policy, slice(SAME)), fresh.slope(policy, slice(SAME, None)))
        print(
            f"{name}: {verdicts} verdicts, same prompts {found[name][1]:.3f}, others {found[name][2]:.3f}",
            flush=True,
        )
    return _figure(found), [
        Check(f"{name}: realised step on other prompts", others, None, f"{verdicts} verdicts")
        for name, (verdicts, _, others) in found.items()
    ]


def _figure(found: dict[str, tuple[int, float, float]]) -> Figure:
    figure = new_figure(8.4, 0.42 * len(found) + 1.2)
    axes = figure.add_subplot()
    place = np.arange(len(found))[::-1]
    for i, label in enumerate(("the same prompts", "other prompts")):
        values = [row[1 + i] for row in found.values()]
        axes.barh(place + 0.2 - 0.4 * i, values, 0.38, color=COLOURS[i], label=label)
    names = [f"{name} ({row[0]} verdicts)" for name, row in found.items()]
    axes.set_yticks(place, names)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_xlabel("share of the step realised on fresh responses (slope)")
    axes.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main("fig10_realised", draw)
