"""Judges that are players: a policy asked for its verdict, and members that judge the pairs of others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llm_backend.data import DataWarning, Pair, as_asked, identity
from llm_backend.judges.base import Judge, Symmetrised, ask, check_batch, fair, readable
from llm_backend.judges.majority import Majority
from llm_backend.judges.names import digest
from llm_backend.judges.questions import check_question
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import Leaf
from pgames.numerics import sigmoid
from pgames.population import Agreement, Anchors, outside

QUESTION = (
    "Which reply to the prompt is better?\n\nPrompt: {prompt}\n\nReply A: {first}\n\nReply B: {second}\n\n"
    "Answer with one letter, A or B."
)


class MemberJudge:
    """A policy of the language model that is trained, asked which of two responses is better.

    P(first > second) = sigmoid(log pi(A | question) - log pi(B | question)), averaged over both orders. A
    policy prefers what it would say itself, so do not let it judge its own games: see `Members`.

    Parameters
    ----------
    lm, policy : the language model and a leaf, its base or an adapter.
    question : a format string with {prompt}, {first} and {second}; answers : two different single tokens.

    Raises ValueError for answers that are not, and for a question with another field or without a response.
    """

    as_is = True

    def __init__(
        self,
        lm: LanguageModel,
        policy: Leaf,
        question: str = QUESTION,
        answers: tuple[str, str] = ("A", "B"),
    ):
        check_question("MemberJudge", question)
        self._lm, self._policy, self._question = lm, policy, question
        rows = [lm.tokenizer(text, add_special_tokens=False)["input_ids"] for text in answers]
        if len(rows) != 2 or any(len(row) != 1 for row in rows) or rows[0] == rows[1]:
            raise ValueError(
                f"MemberJudge: answers must be two different single tokens, {answers} are {rows}: "
                "pass others."
            )
        self._answers = rows
        self.name = f"MemberJudge({lm.base_id}, {policy.id}, {digest(repr((question, answers)))})"
        self._both = Symmetrised(_InOrder(self))

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        return self._both.prefer(prompts, firsts, seconds)

    def odds(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """log pi(A) - log pi(B) in the order given, float64[B]."""
        pairs = zip(map(readable, prompts), map(readable, firsts), map(readable, seconds), strict=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # marks of a template are the responses' own
            heads = self._lm.encode_prompts(
                [self._question.format(prompt=x, first=y, second=z) for x, y, z in pairs]
            )
        said = [score(self._lm, self._policy, heads, [answer] * len(heads)) for answer in self._answers]
        return said[0] - said[1]


class _InOrder:
    """The verdict of a member in the order given."""

    def __init__(self, member: MemberJudge):
        self.name, self._member = member.name, member

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        return sigmoid(self._member.odds(prompts, firsts, seconds))


class Members:
    """Members of a population as its judges: no member judges a pair to which it belongs.

    members = Members([MemberJudge(lm, policy) for policy in policies]).known_by(anchors)
    members.outside(i, j).prefer(prompts, replies of i, replies of j)

    Make a new one in every round, since policies change. Verdicts outside the pair cure a biased minority
    and make a bias that all members share worse; a rule among the judges grounds them:
    docs/theory/panels.md.

    Parameters
    ----------
    judges : one judge per member, in the order of the population; at least 3.
    weights : how far each is trusted, float64[J]; equal when None.

    `agreement` is what `known_by` measured, with its 95 % interval; None before. Raises ValueError for fewer
    than 3 judges and for weights that are not one per judge, negative or all 0.
    """

    def __init__(self, judges: Sequence[Judge], weights: Sequence[float] | None = None):
        outside(len(judges), 0, min(1, len(judges) - 1))
        self.judges = [fair(judge) for judge in judges]
        self.weights = Majority(self.judges, weights=weights).weights
        self.agreement: Agreement | None = None

    def outside(self, i: int, j: int) -> Majority:
        """The judge of members i and j: the weighted mean of all others.

        Raises ValueError for a number of no member, and when all others have the weight 0.
        """
        others = outside(len(self.judges), i, j)
        weights = None if self.weights is None else [float(self.weights[k]) for k in others]
        return Majority([self.judges[k] for k in others], weights=weights)

    def known_by(self, anchors: Sequence[Pair]) -> Members:
        """The same members, weighted by the odds that they side with anchors (`Agreement.weights`).

        Anchors are votes of people (`read_pairs`) or verdicts of a rule (`anchors_by`). Raises ValueError
        without an anchor, and for one that nobody judged.
        """
        told = Members(self.judges)
        told.agreement = agreement(self.judges, anchors)
        told.weights = Majority(self.judges, weights=told.agreement.weights.tolist()).weights
        return told


def anchors_by(
    rule: Judge, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
) -> list[Pair]:
    """Pairs that a rule decides, as anchors. Those that it calls a tie are left out.

    Raises ValueError when it calls all of them ties.
    """
    won = ask(fair(rule), prompts, firsts, seconds)
    pairs = [
        Pair(x, y, z, float(p)) for x, y, z, p in zip(prompts, firsts, seconds, won, strict=True) if p != 0.5
    ]
    if not pairs:
        raise ValueError(f"the rule calls all {len(prompts)} pairs ties, so none is an anchor: pass others.")
    return pairs


def agreement(judges: Sequence[Judge], anchors: Sequence[Pair]) -> Agreement:
    """How often each judge sides with the anchors, with its interval; votes on one pair are one anchor.

    Raises ValueError without an anchor, and for one whose `win` is NaN: nobody judged it.
    """
    votes: dict[tuple[str, str, str], list[float]] = {}
    asked: dict[str, str] = {}
    for prompt, first, second, win in anchors:
        key = json.dumps(identity(shown := as_asked(prompt)))
        asked.setdefault(key, shown)
        turned = (key, second, first) in votes
        place = (key, second, first) if turned else (key, first, second)
        votes.setdefault(place, []).append(1 - win if turned else win)
    won, count = [float(np.mean(some)) for some in votes.values()], [len(some) for some in votes.values()]
    row = np.zeros(len(votes), dtype=np.int64)
    known = Anchors(row, row, row + 1, won, count)
    x, y, z = ([asked[key[0]] for key in votes], [key[1] for key in votes], [key[2] for key in votes])
    check_batch(x, y, z)
    return known.agreement([ask(fair(judge), x, y, z) for judge in judges])
