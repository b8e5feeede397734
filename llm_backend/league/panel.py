"""A panel: members judge the pairs in which they do not play, weighted by how well they know anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llm_backend.data import Pair, read_pairs
from llm_backend.judges import JudgeError, MemberJudge
from llm_backend.judges.base import Judge, excerpt
from llm_backend.judges.members import QUESTION, agreement
from llm_backend.judges.questions import check_question
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Leaf
from llm_backend.spaces.draws import Draws


@dataclass(frozen=True)
class Members:
    """[judge] kind = "Members": the members of a league judge each other's games.

    Parameters
    ----------
    anchors : a file of pairs whose better response is known, as in [data] pairs. A member's verdict weighs
        the odds that it is right on them (`Agreement.weights`). "" weighs all members equally.
    question, answers : as in `judges.MemberJudge`.

    Raises ValueError for a question without the two responses, or with another field.
    """

    anchors: str = ""
    question: str = QUESTION
    answers: tuple[str, str] = ("A", "B")

    def __post_init__(self) -> None:
        check_question("Members", self.question)

    def known(self) -> list[Pair]:
        """The anchors. Raises ValueError naming the file or the row that is wrong."""
        return read_pairs(self.anchors) if self.anchors else []


@dataclass(eq=False)
class Panel:
    """The mean verdict of the members that wrote neither of two responses.

    voters : judges by the name of the member. weights : by name, at least 0.
    authors : who wrote a response to a prompt in this round; fill it with `wrote`.

    `prefer` raises JudgeError, naming the responses, when all members with a weight wrote one of them.
    """

    voters: Mapping[str, Judge]
    weights: Mapping[str, float]
    authors: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    as_is = True
    name = "Members"

    def wrote(self, name: str, prompts: Sequence[str], draws: Draws) -> None:
        """Remember that the member `name` wrote these responses."""
        for x, text in zip(draws.prompt, draws.texts, strict=True):
            self.authors.setdefault((prompts[int(x)], text), set()).add(name)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]. Raises JudgeError when nobody is left to judge a pair."""
        total, weight = np.zeros(len(prompts)), np.zeros(len(prompts))
        for name, voter in self.voters.items():
            w = self.weights[name]
            at = [
                i
                for i, (x, y, z) in enumerate(zip(prompts, firsts, seconds, strict=True))
                if w > 0 and name not in self._wrote(x, y) and name not in self._wrote(x, z)
            ]
            if at:
                x, y, z = ([texts[i] for i in at] for texts in (prompts, firsts, seconds))
                total[at] += w * voter.prefer(x, y, z)
                weight[at] += w
        if len(alone := np.flatnonzero(weight == 0)):
            i = int(alone[0])
            raise JudgeError(
                f"no member is left to judge {excerpt(firsts[i])} against {excerpt(seconds[i])}: all with a "
                "weight wrote one of them. Add members (frozen ones judge too), or name another judge."
            )
        return total / weight

    def _wrote(self, prompt: str, text: str) -> set[str]:
        return self.authors.get((prompt, text), set())


def weighed(voters: Mapping[str, Judge], anchors: Sequence[Pair]) -> dict[str, float]:
    """The weight of each voter: the odds that it is right on the anchors; without anchors all weigh the same.

    Raises JudgeError when no voter sides with the anchors more often than chance.
    """
    if not anchors:
        return dict.fromkeys(voters, 1.0)
    found = agreement(list(voters.values()), anchors)
    if not (found.right > 0.5).any():
        told = ", ".join(f"{name} {right:.2f}" for name, right in zip(voters, found.right, strict=True))
        raise JudgeError(
            f"no member agrees with the anchors more than chance ({told}): members cannot judge this league. "
            "Name another judge, or larger models."
        )
    return dict(zip(voters, found.weights.tolist(), strict=True))


def panel_of(
    how: Members, anchors: Sequence[Pair], policies: Mapping[str, tuple[LanguageModel, Leaf]]
) -> Panel:
    """The panel of members with these policies, by name.

    Raises JudgeError when none agrees with the anchors, and ValueError for answers that are not two tokens.
    """
    voters = {
        name: MemberJudge(lm, policy, how.question, how.answers) for name, (lm, policy) in policies.items()
    }
    return Panel(voters, weighed(voters, anchors))
