"""Solvers on SmolLM2-135M-Instruct with one budget of verdicts: `python -m benchmarks.llm_solvers [--toy]`.

Each solver trains an adapter on the constraint prompts, with 120 verdicts. Then all results meet on held-out
prompts: win rate over the reference, constraints met, KL, and a lower bound on the exploitability, whose
opponents are the other results, the reference, and a best response to the reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import pgames as pg
from benchmarks.timing import Row, folder_of, report, toy_asked
from llm_backend import Fit, LanguageModel, TextArena, bounds, constraints, evaluate, judges
from llm_backend.judges.base import Judge
from llm_backend.policies.handles import BASE, Policy
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.tiny import tiny_language_model
from llm_backend.verbs.verdicts import judged

TAU, ETA = 0.05, 5.0
FRESH = 1 << 22  # added to the round in keys of the final duels


class Setting(NamedTuple):
    """A solver, its samples per prompt, prompts per round, and rounds: about 120 verdicts in all."""

    make: Callable[[Any], Any]  # duels of the reference, judged once -> a solver
    samples: int = 4
    per_round: int = 10
    rounds: int = 2
    offline: bool = False


SETTINGS = {
    "INPO": Setting(lambda _: pg.INPO(TAU, ETA)),
    "Nash-MD": Setting(lambda _: pg.NashMD(TAU, ETA)),
    "EGPO": Setting(lambda _: pg.EGPO(TAU, ETA), rounds=1),
    "online DPO": Setting(lambda _: pg.OnlineDPO(TAU), samples=6),
    "RLHF": Setting(lambda duels: pg.RLHF(TAU, pairs=duels), samples=6, per_round=20, rounds=1, offline=True),
    "DPO, offline": Setting(
        lambda duels: pg.DPO(TAU, pairs=duels), samples=6, per_round=20, rounds=1, offline=True
    ),
}


class Counted:
    """A judge whose answers to different responses are counted."""

    as_is = True

    def __init__(self, judge: Judge):
        self.judge, self.asked = judge, 0

    def prefer(self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> Floats:
        self.asked += len(prompts)
        return np.asarray(self.judge.prefer(prompts, firsts, seconds))


def shorter(prompt: str, first: str, second: str) -> float:
    """The judge of the toy."""
    return 1 / (1 + float(np.exp((len(first) - len(second)) / 4)))


class Game(NamedTuple):
    """The model, the judge, prompts to train on and held-out ones, and the limits of responses."""

    lm: LanguageModel
    judge: Counted
    prompts: list[str]
    held_out: list[str]
    longest: int
    replies: int  # to each held-out prompt

    def arena(self, setting: Setting) -> TextArena:
        """The arena in which a solver trains."""
        prompts = self.prompts[
            : max(setting.per_round, len(self.prompts) // setting.per_round * setting.per_round)
        ]
        size = min(setting.per_round, len(prompts))
        return self._arena(prompts[: len(prompts) // size * size], setting.samples, size)

    def test(self) -> TextArena:
        """The arena of the held-out prompts."""
        return self._arena(self.held_out, self.replies, None)

    def _arena(self, prompts: list[str], samples: int, per_round: int | None) -> TextArena:
        return TextArena(
            self.lm,
            prompts,
            self.judge,
            samples,
            self.longest,
            fit=Fit(epochs=1),
            temperature=0.7,
            per_round=per_round,
        )


def game_of(toy: bool) -> Game:
    """SmolLM2 on prompts with constraints, or a tiny random model on digits."""
    if toy:
        digits = [f"{a}{b}" for a in range(10) for b in range(10)]
        lm = tiny_language_model(lora=4)
        return Game(lm, Counted(judges.Rule(prefer=shorter)), digits[:80], digits[-8:], 4, 8)
    asked = constraints.prompts()
    trained = [row.prompt for row in asked if not row.held_out]
    lm = LanguageModel.from_pretrained("smollm2", lora=16)
    judge = Counted(judges.Rule(prefer=constraints.prefer))
    return Game(lm, judge, trained, [row.prompt for row in asked if row.held_out][::2], 24, 4)


def trained(game: Game, settings: dict[str, Setting], done: dict[str, Policy]) -> Iterator[Row]:
    """Train each solver, and put its policy into `done`."""
    duels, asked = None, 0
    for name, setting in settings.items():
        start, before = time.process_time(), game.judge.asked
        arena = game.arena(setting)
        if setting.offline:
            if duels is None:
                first = game.judge.asked
                duels = arena.duel(BASE, BASE)
                asked = game.judge.asked - first
            before = game.judge.asked - asked
        state = pg.solve(setting.make(duels), arena, setting.rounds)
        done[name] = state.policy
        shares = [note["share"] for note in arena.journal if note["share"] is not None]
        slopes = [note["slope"] for note in arena.journal if note["slope"] is not None]
        yield {
            "solver": name,
            "verdicts": game.judge.asked - before,
            "fits": len(arena.journal),
            "share": float(np.mean(shares)) if shares else None,
            "realised": float(np.mean(slopes)) if slopes else None,
            "cpu_seconds": time.process_time() - start,
        }


class Shown(NamedTuple):
    """Replies of a policy to the held-out prompts, m to each, and log policy / reference, float64[X, m]."""

    draws: Draws
    ratio: Floats


def shown(game: Game, policy: Policy, place: int) -> Shown:
    """Fresh replies of a policy; `place` keys their randomness."""
    test = game.test()
    draws = test.space.draw(policy, game.replies, (FRESH, place))
    draws = draws.take(np.argsort(draws.prompt, kind="stable"))
    ratio = evaluate.log_probabilities(test, policy, draws) - test.space.score(BASE, draws)
    return Shown(draws, ratio.reshape(len(game.held_out), -1))


def compared(game: Game, done: dict[str, Policy], toy: bool) -> Iterator[Row]:
    """Each result against the reference, the other results and a best response to the reference.

    Half of the replies choose the strongest opponent, the other half measure its gain.
    """
    fits = game.arena(Setting(lambda _: None, per_round=8 if toy else 12)).at(FRESH)
    done["best response to the reference"] = bounds.best_responses(fits, BASE, TAU, tries=1)[-1].policy
    everyone: dict[str, Policy] = {"reference": BASE, **done}
    replies = {name: shown(game, policy, i) for i, (name, policy) in enumerate(everyone.items())}
    half = game.replies // 2
    for name, ours in replies.items():
        gains = {}
        for other, theirs in replies.items():
            if other != name:
                won = judged(game.judge, game.held_out, theirs.draws, ours.draws).reshape(ours.ratio.shape)
                gains[other] = won - TAU * theirs.ratio + TAU * ours.ratio - 0.5
        best = max(gains, key=lambda other: gains[other][:, :half].mean())
        bound = evaluate.estimate(gains[best][:, half:])
        row: Row = {"solver": name}
        if name != "reference":
            won = judged(game.judge, game.held_out, ours.draws, replies["reference"].draws)
            rate = evaluate.estimate(won.reshape(ours.ratio.shape), bounded=True)
            row |= {"win rate": rate.mean, "+-": rate.margin, "KL": float(ours.ratio.mean())}
        asked = [game.held_out[x] for x in ours.draws.prompt]
        if not toy:
            pairs = list(zip(asked, ours.draws.texts, strict=True))
            row["met"] = float(np.mean([constraints.met(*pair) for pair in pairs]))
            row["repeats"] = float(np.mean([constraints.repeats(text) for _, text in pairs]))
        yield row | {
            "exploitability >=": bound.mean,
            "margin": bound.margin,
            "by": best,
            "words": float(np.mean([len(text.split()) for text in ours.draws.texts])),
        }


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Train, compare, print the tables and write llm_solvers.json."""
    torch.set_num_threads(1)
    game, done = game_of(toy), dict[str, Policy]()
    settings = {n: s._replace(rounds=min(s.rounds, 2)) for n, s in SETTINGS.items()} if toy else SETTINGS
    tables = [
        ("Training on about 120 verdicts", trained(game, settings, done)),
        ("On held-out prompts, tau = .05", compared(game, done, toy)),
    ]
    return report("llm_solvers", tables, folder_of(toy, folder))


if __name__ == "__main__":
    main(toy_asked())
