"""Solvers on SmolLM2-135M-Instruct with one budget of verdicts: `python -m benchmarks.llm_solvers [--toy]`.

Each solver trains an adapter on prompts with constraints, with 240 verdicts. Offline solvers have them as a
file of pairs of the reference's responses (`read_pairs`). Then all results meet on held-out prompts: win
rate over the reference, constraints met, KL, and a lower bound on the exploitability, whose opponents are the
other results, the reference, and a best response to the reference. Policies lie in the results: a run that
was interrupted goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import pgames as pg
from benchmarks.timing import Row, folder_of, report, toy_asked
from llm_backend import Fit, LanguageModel, TextArena, bounds, constraints, evaluate, judges
from llm_backend.data.pairs import Pair, prompts_of, read_pairs
from llm_backend.data.prompts import Prompt
from llm_backend.judges.base import Judge
from llm_backend.policies.handles import BASE, Policy
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.tiny import tiny_language_model
from llm_backend.verbs.verdicts import judged
from pgames.files import atomic

TAU, ETA = 0.05, 5.0
FRESH = 1 << 22  # added to the round in keys of the final duels


class Setting(NamedTuple):
    """A solver, its samples per prompt, prompts per round, and rounds: 240 verdicts in all.

    offline : the solver has the pairs of the file, plays all their prompts at once, and asks no judge. One
        that needs a preference asks the one learned from the pairs (`judges.Believed`).
    """

    make: Callable[[Any], Any]  # evidence of the pairs -> a solver
    samples: int = 4
    per_round: int = 10
    rounds: int = 4
    offline: bool = False


SETTINGS = {
    "INPO": Setting(lambda _: pg.INPO(TAU, ETA)),
    "Nash-MD": Setting(lambda _: pg.NashMD(TAU, ETA)),
    "EGPO": Setting(lambda _: pg.EGPO(TAU, ETA), rounds=2),
    "online DPO": Setting(lambda _: pg.OnlineDPO(TAU), samples=6),
    "RLHF": Setting(lambda pairs: pg.RLHF(TAU, pairs=pairs), rounds=1, offline=True),
    "DPO": Setting(lambda pairs: pg.DPO(TAU, pairs=pairs), rounds=1, offline=True),
    "IPO": Setting(lambda pairs: pg.IPO(TAU, pairs=pairs), rounds=1, offline=True),
    "SPIN": Setting(lambda _: pg.SPIN(1.0), rounds=1, offline=True),
    "EGPO, offline": Setting(lambda _: pg.EGPO(TAU, ETA), rounds=1, offline=True),
}
PAIRS = 6  # of the file, to each of its prompts


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
    asked: int  # prompts of the file of pairs
    system: str | None = None

    def arena(self, setting: Setting, pairs: Sequence[Pair] = ()) -> TextArena:
        """The arena in which a solver trains; with pairs, that of their prompts, without the judge."""
        if pairs:
            prompts = prompts_of(pairs)
            chosen = [[pair.chosen for pair in pairs if pair.prompt == prompt] for prompt in prompts]
            return self._arena(prompts, setting.samples, None, judges.Believed(self.lm, pairs), chosen)
        size = min(setting.per_round, len(self.prompts))
        return self._arena(self.prompts[: len(self.prompts) // size * size], setting.samples, size)

    def test(self) -> TextArena:
        """The arena of the held-out prompts."""
        return self._arena(self.held_out, self.replies)

    def pairs(self, file: Path) -> None:
        """Judge responses of the reference, and write them to a file of pairs."""
        arena = self._arena(self.prompts[: self.asked], PAIRS)
        duels = arena.duel(BASE, BASE)
        with atomic(file, "w") as out:
            for (i, j), (win, _) in zip(duels.pairs, duels.wins, strict=True):
                texts, prompt = duels.draws.texts, arena.prompts[duels.draws.prompt[i]]
                chosen, rejected = (texts[i], texts[j]) if win >= 0.5 else (texts[j], texts[i])
                if chosen != rejected:
                    row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
                    out.write(json.dumps(row | {"margin": abs(float(np.log(win / (1 - win))))}) + "\n")

    def _arena(
        self,
        prompts: Sequence[Prompt],
        samples: int,
        per_round: int | None = None,
        judge: Judge | None = None,
        expert: list[list[str]] | None = None,
    ) -> TextArena:
        return TextArena(
            self.lm,
            prompts,
            judge or self.judge,
            samples,
            self.longest,
            fit=Fit(epochs=1),
            temperature=0.7,
            per_round=per_round,
            expert=expert,
            system=self.system,
        )


def game_of(toy: bool) -> Game:
    """SmolLM2 on prompts with constraints, or a tiny random model on digits."""
    if toy:
        digits = [f"{a}{b}" for a in range(10) for b in range(10)]
        lm = tiny_language_model(lora=4)
        return Game(lm, Counted(judges.Rule(prefer=shorter)), digits[:80], digits[-8:], 4, 8, 10)
    asked = constraints.prompts()
    trained = [row.prompt for row in asked if not row.held_out]
    lm = LanguageModel.from_pretrained("smollm2", lora=16)
    judge = Counted(judges.Rule(prefer=constraints.prefer))
    held_out = [row.prompt for row in asked if row.held_out][::2]
    return Game(lm, judge, trained, held_out, 24, 4, 40, "Answer in one short sentence.")


def trained(game: Game, settings: dict[str, Setting], done: dict[str, Policy], folder: Path) -> Iterator[Row]:
    """Train each solver, and put its policy into `done`; policies that an earlier run has left are read."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs, told = _pairs(game, folder)
    for name, setting in settings.items():
        arena = game.arena(setting, pairs if setting.offline else ())
        kept, meaning = folder / name.replace(", ", "-").replace(" ", "-"), _meaning(setting)
        if (kept / "row.json").is_file():
            row = json.loads((kept / "row.json").read_text(encoding="utf-8"))
            if row.pop("meaning") != meaning:
                raise SystemExit(
                    f"{kept} holds a run of another setting of {name}: remove it to train again."
                )
            done[name] = arena.load(kept).policy
            yield row
            continue
        start, before = time.process_time(), game.judge.asked
        evidence = arena.duels_of(pairs) if setting.offline else None
        state = pg.solve(setting.make(evidence), arena, setting.rounds)
        done[name] = state.policy
        shares = [note["share"] for note in arena.journal if note["share"] is not None]
        slopes = [note["slope"] for note in arena.journal if note["slope"] is not None]
        row = {
            "solver": name,
            "verdicts": told if setting.offline else game.judge.asked - before,
            "fits": len(arena.journal),
            "share": float(np.mean(shares)) if shares else None,
            "realised": float(np.mean(slopes)) if slopes else None,
            "cpu_seconds": time.process_time() - start,
        }
        arena.save(pg.State(state.t, state.policy), kept)
        with atomic(kept / "row.json", "w") as file:
            json.dump(row | {"meaning": meaning}, file)
        yield row


def _pairs(game: Game, folder: Path) -> tuple[list[Pair], int]:
    """The file of pairs, made when it is missing, and how many verdicts it took."""
    file, count = folder / "pairs.jsonl", folder / "verdicts.json"
    if not count.is_file():
        game.pairs(file)
        with atomic(count, "w") as out:
            json.dump(game.judge.asked, out)
    return read_pairs(file, scale=1.0), json.loads(count.read_text(encoding="utf-8"))


def _meaning(setting: Setting) -> str:
    """What a setting plays."""
    return f"{setting.make(None)!r}, {setting.samples} x {setting.per_round} x {setting.rounds}"


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
    game, done, target = game_of(toy), dict[str, Policy](), folder_of(toy, folder)
    settings = {n: s._replace(rounds=min(s.rounds, 2)) for n, s in SETTINGS.items()} if toy else SETTINGS
    tables = [
        ("Training on 240 verdicts", trained(game, settings, done, target / "solvers")),
        ("On held-out prompts, tau = .05", compared(game, done, toy)),
    ]
    return report("llm_solvers", tables, target)


if __name__ == "__main__":
    main(toy_asked())
