"""Search on SmolLM2-135M-Instruct at equal verdicts: `python -m benchmarks.llm_search [--toy]`.

First, answering held-out prompts with constraints: the best of N draws against the best response that N
simulations of a tree search have judged. Then, teaching: a policy that imitates the best of N draws or of a
search, a mirror step on draws, and one by search, each from as many verdicts on the training prompts. All are
measured on held-out prompts, by fresh replies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import pgames as pg
from benchmarks.llm_solvers import Counted, shorter
from benchmarks.timing import Row, folder_of, report, toy_asked
from llm_backend import Fit, LanguageModel, TextArena, constraints, evaluate, judges
from llm_backend.policies.handles import BASE, Answers, Policy
from llm_backend.search.arena import Searched
from llm_backend.spaces.draws import Draws, by_prompt
from llm_backend.tiny import tiny_language_model
from llm_backend.verbs.verdicts import judged
from pgames.search.rules import Choice

N = 16  # verdicts per prompt
PAIRED = 6  # draws per prompt whose pairs are 15 verdicts
STEP = 10.0
FRESH = 1 << 22  # the round of the replies that measure
BEST, MIRROR, IMITATE = "best of N draws", "mirror step on draws", "imitate "


class Rule(NamedTuple):
    """A rule of search, and what an action is."""

    choose: Choice
    top: int
    delimiter: str | None = None


RULES = {
    "PUCT over tokens": Rule(pg.PUCT(), 8),
    "Halving over tokens": Rule(pg.Halving(8), 8),
    "PUCT over words": Rule(pg.PUCT(), 4, " "),
}


class Game(NamedTuple):
    """The model, the judge, prompts to train on and held-out ones, and how good a response is."""

    lm: LanguageModel
    judge: Counted
    prompts: list[str]
    held_out: list[str]
    longest: int
    score: Callable[[str, str], float]
    met: Callable[[str, str], bool]

    def arena(self, prompts: list[str], samples: int) -> TextArena:
        """Free replies to some prompts."""
        fit = Fit(epochs=2)
        return TextArena(self.lm, prompts, self.judge, samples, self.longest, fit=fit, temperature=0.7)

    def searched(self, prompts: list[str], rule: Rule) -> Searched:
        """Replies to some prompts, searched by a rule."""
        return Searched(self.arena(prompts, N), N, rule.choose, rule.top, rule.delimiter)


def game_of(toy: bool) -> Game:
    """SmolLM2 on prompts with constraints, or a tiny random model on digits."""
    if toy:
        digits = [f"{a}{b}" for a in range(2) for b in range(4)]
        judge = Counted(judges.Rule(prefer=shorter))
        lm = tiny_language_model(lora=4)
        return Game(
            lm, judge, digits[:4], digits[4:6], 4, lambda _, r: float(np.exp(-len(r))), lambda _, r: not r
        )
    asked = constraints.prompts()
    trained = [row.prompt for row in asked if not row.held_out]
    held_out = [row.prompt for row in asked if row.held_out][::4]
    lm = LanguageModel.from_pretrained("smollm2", lora=16)
    judge = Counted(judges.Rule(prefer=constraints.prefer))
    return Game(lm, judge, trained[::2][:24], held_out, 24, constraints.score, constraints.met)


def best_of_draws(arena: TextArena) -> Answers:
    """Of N draws of the reference to each prompt, the one of the largest verdict; all meet one opponent."""
    opponent = arena.context.draw(BASE, "opponent", 1)
    draws = arena.context.draw(BASE, "candidates", N)
    groups, met = (by_prompt(rows, len(arena.prompts)) for rows in (draws, opponent))
    texts = []
    for rows, (other,) in zip(groups, met, strict=True):
        theirs = opponent.take(np.full(len(rows), other))
        won = judged(arena.judge, arena.prompts, draws.take(rows), theirs)
        texts.append((draws.texts[rows[int(np.argmax(won))]],))
    return Answers(tuple(texts), tuple(np.ones(1) for _ in texts))


def answered(game: Game) -> Iterator[Row]:
    """The quality of answers to held-out prompts, found with N verdicts on each."""
    replies = fresh(game, BASE)
    yield {"answer": "one draw", "verdicts": 0, "cpu_seconds": None} | quality(game, replies, None)
    for name in (BEST, *RULES):
        before, start = game.judge.asked, time.process_time()
        if name == BEST:
            found = best_of_draws(game.arena(game.held_out, N))
        else:
            arena = game.searched(game.held_out, RULES[name])
            found = arena.search(BASE, BASE, N, RULES[name].choose).best
        row: Row = {"answer": name, "verdicts": (game.judge.asked - before) / len(game.held_out)}
        row["cpu_seconds"] = (time.process_time() - start) / len(game.held_out)
        draws = game.arena(game.held_out, N).at(FRESH).sample(found, n=1).draws
        yield row | quality(game, draws, replies)


def taught(game: Game) -> Iterator[Row]:
    """Policies that learned from about N verdicts on each training prompt."""
    replies, arena = fresh(game, BASE), game.arena(game.prompts, N)
    rule = RULES["Halving over tokens"]
    ways: dict[str, Callable[[], Policy]] = {
        IMITATE + BEST: lambda: arena.distil(best_of_draws(arena)),
        IMITATE + "search": lambda: arena.distil(_searched(game, rule)),
        MIRROR: lambda: game.arena(game.prompts, PAIRED).mirror_step(BASE, BASE, STEP),
        "mirror step by search": lambda: game.searched(game.prompts, rule).mirror_step(BASE, BASE, STEP),
    }
    for name, learn in ways.items():
        before, start = game.judge.asked, time.process_time()
        policy = learn()
        row: Row = {"policy": name, "verdicts": (game.judge.asked - before) / len(game.prompts)}
        row["cpu_seconds"] = (time.process_time() - start) / len(game.prompts)
        draws = fresh(game, policy)
        test = game.arena(game.held_out, N)
        ratio = evaluate.log_probabilities(test, policy, draws) - test.space.score(BASE, draws)
        yield row | quality(game, draws, replies) | {"KL": float(ratio.mean())}


def _searched(game: Game, rule: Rule) -> Answers:
    return game.searched(game.prompts, rule).search(BASE, BASE, N, rule.choose).best


def fresh(game: Game, policy: Policy) -> Draws:
    """Replies of a policy to the held-out prompts, by which it is measured: 8 to each."""
    arena = game.arena(game.held_out, N).at(FRESH)
    return arena.context.draw(policy, "first" if policy is BASE else "second", 8)


def quality(game: Game, draws: Draws, reference: Draws | None) -> Row:
    """The mean score, the share that meets its constraint, and the win rate over replies of the reference."""
    asked = [game.held_out[x] for x in draws.prompt]
    pairs = list(zip(asked, draws.texts, strict=True))
    row: Row = {
        "score": float(np.mean([game.score(*pair) for pair in pairs])),
        "met": float(np.mean([game.met(*pair) for pair in pairs])),
    }
    if reference is not None:
        each = [_won(game, draws, reference, x) for x in range(len(game.held_out))]
        margin = 1.96 * float(np.std(each, ddof=1)) / len(each) ** 0.5  # prompts are the sample
        row |= {"win rate": float(np.mean(each)), "+-": margin}
    return row


def _won(game: Game, draws: Draws, reference: Draws, x: int) -> float:
    """How often the replies to prompt x beat those of the reference: all pairs."""
    ours, theirs = (np.flatnonzero(rows.prompt == x) for rows in (draws, reference))
    first, second = np.repeat(ours, len(theirs)), np.tile(theirs, len(ours))
    return float(judged(game.judge.judge, game.held_out, draws.take(first), reference.take(second)).mean())


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Answer, teach, print the tables and write llm_search.json."""
    torch.set_num_threads(1)
    game = game_of(toy)
    tables = [
        (f"Answers to held-out prompts, {N} verdicts each", answered(game)),
        (f"Policies taught with about {N} verdicts a prompt, on held-out prompts", taught(game)),
    ]
    return report("llm_search", tables, folder_of(toy, folder))


if __name__ == "__main__":
    main(toy_asked())
