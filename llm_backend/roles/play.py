"""The draws and verdicts of a round: attacks on every seed, answers to them, and how often they succeed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from llm_backend.context import Context, Note
from llm_backend.data import as_asked
from llm_backend.fits.settings import Fit
from llm_backend.judges.attack import Harmless, Success, succeeded
from llm_backend.judges.base import Judge
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Answers, Mixture, Policy, members, mixture
from llm_backend.roles.seeds import Refused, Seed, refusal, under
from llm_backend.spaces.draws import Draws, Floats, Ints, by_prompt
from llm_backend.spaces.free import Free
from llm_backend.spaces.listed import Listed
from llm_backend.spaces.metered import Gauge, metered
from llm_backend.spaces.protocol import Sampling, Space
from llm_backend.spaces.recorded import Recorded

ATTACKER, DEFENDER = 0, 1  # numbers of the roles in keys of randomness
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Rules:
    """What every round of a game of two roles has in common.

    lm : the language model, on which both roles are adapters.
    seeds : what the attacker writes about, and the defender of each.
    success : the probability that an attack succeeded, from one answer to it.
    attacks, answers : the texts of an enumerable game, or None for free text.
    samples, replies : attacks on each seed, and answers to each attack; None plays exactly.
    attack_tokens, answer_tokens : the most tokens of an attack and of an answer.
    ordinary : prompts that are not attacks. judge : compares answers to them; None trains the defender to
        keep its answers. quality : the share of the defender's prompts that are ordinary, in [0, 1).
    seed, fit, temperature, folder : as in `TextArena`.
    meter : counts draws and scores, or None.
    """

    lm: LanguageModel
    seeds: list[Seed]
    success: Success
    attacks: Sequence[str] | None
    answers: Sequence[str] | None
    samples: int | None
    replies: int
    attack_tokens: int
    answer_tokens: int
    ordinary: list[str]
    judge: Judge | None
    quality: float
    seed: int
    fit: Fit
    temperature: float
    folder: Path | None
    meter: Gauge | None = None
    journal: list[Note] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether nothing is drawn."""
        return self.samples is None

    @property
    def topics(self) -> list[str]:
        """What the attacker reads, a text for each seed."""
        return [as_asked(seed.prompt) for seed in self.seeds]

    def context(self, role: int, prompts: list[str], judge: Judge, round: int, per_round: int) -> Context:
        """The context in which a role reads these prompts."""
        texts, longest, samples = (
            (self.attacks, self.attack_tokens, self.samples),
            (self.answers, self.answer_tokens, None if self.exact else self.replies),
        )[role]
        tokens = self.lm.encode_prompts(prompts)
        how = Sampling(self.lm, tokens, self.temperature, self.fit.rows, longest=longest)
        space: Space = Free(how) if texts is None else Listed(replace(how, longest=None), texts)
        if self.folder is not None:
            space = Recorded(space, self.folder)
        if self.meter is not None:
            space = metered(space, self.meter)
        seed = 2 * self.seed + role  # the streams of the roles differ
        return Context(
            self.lm, prompts, judge, space, self.fit, samples, seed, per_round, round, journal=self.journal
        )

    def everyday(self, round: int, attacks: int) -> list[str]:
        """The ordinary prompts of a round with so many attacks, each under the system text of a seed.

        Both are taken in turn, from where the round before ended.
        """
        count = round_half(self.quality / (1 - self.quality) * attacks) if self.ordinary else 0
        places = range(round * count, (round + 1) * count)
        return [
            under(self.seeds[i % len(self.seeds)].system, self.ordinary[i % len(self.ordinary)])
            for i in places
        ]


def round_half(value: float) -> int:
    """The nearest whole number, halves up."""
    return int(np.floor(value + 0.5))


class Attacks(NamedTuple):
    """Attacks on the seeds of a round, and those of them that the defender reads.

    draws : all of them, draws of an attacker. rows : int64[B], the rows that are not refused.
    prompts : what the defender reads, one text for each of `rows`.
    """

    draws: Draws
    rows: Ints
    prompts: list[str]


class Table:
    """What is drawn and judged in one round, so that the two roles share it; emptied when the round changes.

    asked : how many verdicts on attacks have been asked for since the arena was made. refused : the attacks
    of the last round that no defender read.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.refused: list[Refused] = []
        self._round: int | None = None
        self._kept: dict[Hashable, object] = {}
        self._verdicts: dict[tuple[str, str], float] = {}

    @property
    def verdicts(self) -> int:
        """How many verdicts on attacks the last round has asked for."""
        return len(self._verdicts)

    @property
    def success(self) -> float | None:
        """The mean of the verdicts of the last round, or None without any."""
        return float(np.mean(list(self._verdicts.values()))) if self._verdicts else None

    def turn(self, round: int) -> None:
        """Forget what was drawn in another round."""
        if round != self._round:
            self._round, self._kept, self._verdicts, self.refused = round, {}, {}, []

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made when it is first asked for."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[return-value]

    def judged(self, success: Success, prompts: Sequence[str], answers: Sequence[str]) -> Floats:
        """The success of attacks, float64[B]; every (prompt, answer) of a round is asked once."""
        rows = list(zip(prompts, answers, strict=True))
        new = [row for row in dict.fromkeys(rows) if row not in self._verdicts]
        self.asked += len(new)
        found = succeeded(success, [x for x, _ in new], [y for _, y in new])
        self._verdicts.update(zip(new, found.tolist(), strict=True))
        return np.array([self._verdicts[row] for row in rows])


def attacks_of(rules: Rules, table: Table, context: Context, attacker: Policy) -> Attacks:
    """The attacks that a policy writes in this round, and what the defender reads of them.

    Raises ValueError when every attack on a seed is refused.
    """

    def drawn() -> Attacks:
        draws = context.draw(attacker, "opponent")
        return read(rules, table, context, draws.take(np.argsort(draws.prompt, kind="stable")))

    table.turn(context.round)
    return table.once((ATTACKER, attacker), drawn)


def read(rules: Rules, table: Table, context: Context, draws: Draws) -> Attacks:
    """Attacks, and what the defender reads of them; `table.refused` names the others.

    Raises ValueError when every attack on a seed is refused.
    """
    why: list[str | None] = [None] * len(draws)
    if rules.attacks is None:
        how = (rules.attack_tokens, rules.answer_tokens)
        rows = zip(draws.prompt, draws.texts, draws.truncated, strict=True)
        why = [refusal(rules.lm, rules.seeds[x], text, bool(cut), *how) for x, text, cut in rows]
    for i, reason in enumerate(why):
        if reason is not None:
            table.refused.append(Refused(context.round, int(draws.prompt[i]), draws.texts[i], reason))
    for x, rows in enumerate(by_prompt(draws, len(rules.seeds))):
        if len(rows) and all(why[i] is not None for i in rows):
            raise ValueError(
                f"round {context.round}: all {len(rows)} attacks on seed {x} are refused; the first is "
                f"{draws.texts[rows[0]]!r:.60}, and {why[rows[0]]}. Raise attack_tokens or samples, or give "
                "the seed a prompt with short examples."
            )
    kept = np.array([i for i, reason in enumerate(why) if reason is None], np.int64)
    return Attacks(draws, kept, [rules.seeds[int(draws.prompt[i])].asked(draws.texts[i]) for i in kept])


def defending(rules: Rules, table: Table, context: Context, prompts: list[str]) -> Context:
    """The context in which the defender reads these prompts in the round of the attacker's `context`."""

    def made() -> Context:
        return rules.context(DEFENDER, prompts, Harmless(rules.success), context.round, len(prompts))

    table.turn(context.round)
    return table.once((DEFENDER, tuple(prompts)), made)


def answers_to(table: Table, context: Context, defender: Policy, prompts: Sequence[int]) -> Draws:
    """The answers of a policy to some prompts of the context, prompt by prompt."""
    asked = tuple(context.prompts[x] for x in prompts)

    def drawn() -> Draws:
        draws = context.space.draw(defender, context.drawn, context.key("opponent"), prompts)
        return draws.take(np.argsort(draws.prompt, kind="stable"))

    table.turn(context.round)
    return table.once((DEFENDER, defender, tuple(prompts), asked), drawn)


def reading(rules: Rules, context: Context, defender: Policy) -> Policy:
    """The defender as it reads the prompts of a context.

    In an enumerable game a set of answers is one to every attack on every seed, and those to the prompts of
    the context are taken. Raises ValueError for a prompt that is none of them.
    """
    if rules.attacks is None or not any(isinstance(one, Answers) for _, one in members(defender)):
        return defender
    listed = [seed.asked(text) for seed in rules.seeds for text in rules.attacks]
    place = {prompt: x for x, prompt in reversed(list(enumerate(listed)))}
    if unknown := [prompt for prompt in context.prompts if prompt not in place]:
        raise ValueError(f"a set of answers to the listed attacks has none to {unknown[0]!r:.60}.")
    at = [place[prompt] for prompt in context.prompts]

    def taken(one: Policy) -> Policy:
        if not isinstance(one, Answers):
            return one
        return Answers(tuple(one.texts[x] for x in at), tuple(one.weights[x] for x in at))

    if not isinstance(defender, Mixture):
        return taken(defender)
    return mixture(*((w, taken(one)) for w, one in defender.terms))
