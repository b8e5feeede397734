"""Five responses to three prompts on a language model and on the table."""

import numpy as np

from llm_backend import Fit, TextArena
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm

TAU = 0.2
PROMPTS = ["f", "g h", "i"]
RESPONSES = list("abcde")
EXPERT = np.random.default_rng(5).dirichlet(np.ones(5), 3)


def make(samples=None, lm=None, **options):
    judge = TableJudge(cyclic_game().P, PROMPTS, RESPONSES)
    options.setdefault("fit", Fit(epochs=40, lr=1e-2))
    return TextArena(lm or tiny_lm(), PROMPTS, judge, samples, responses=RESPONSES, **options)


def apart(p, q):
    """Total variation in the worst prompt."""
    return float(0.5 * np.abs(p - q).sum(axis=-1).max())


def handle(table, text, policy):
    """The same policy on the table."""
    return table.policy(text.probs(policy))
