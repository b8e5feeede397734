"""Judges decide which of two responses is better.

A judge has `prefer(prompts, firsts, seconds) -> float64[B]`, P(first > second | prompt) in [0, 1]. For the
judges of this package P(y, y') + P(y', y) = 1 and P(y, y) = 1/2. A judge that fails raises JudgeError.
"""

from llm_backend.judges import rules
from llm_backend.judges.base import Judge, JudgeError, Symmetrised, ask, fair
from llm_backend.judges.believed import Believed
from llm_backend.judges.cache import Cached
from llm_backend.judges.chat import Chat
from llm_backend.judges.human import Human
from llm_backend.judges.likelihood import LogProb
from llm_backend.judges.majority import Majority
from llm_backend.judges.members import MemberJudge, Members
from llm_backend.judges.programs import passes
from llm_backend.judges.rule import Rule
from llm_backend.judges.scored import Pairwise, RewardModel
from llm_backend.judges.table import Table

__all__ = [
    "Believed",
    "Cached",
    "Chat",
    "Human",
    "Judge",
    "JudgeError",
    "LogProb",
    "Majority",
    "MemberJudge",
    "Members",
    "Pairwise",
    "RewardModel",
    "Rule",
    "Symmetrised",
    "Table",
    "ask",
    "fair",
    "passes",
    "rules",
]
