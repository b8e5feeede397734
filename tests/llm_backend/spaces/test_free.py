"""Free responses against the game of all responses of one token."""

import numpy as np
import pytest

from llm_backend import Fit, TextArena
from llm_backend.policies.handles import BASE
from tests.support.llm_free import MoreOfA
from tests.support.llm_listed import PROMPTS, RESPONSES, apart, make
from tests.support.llm_tiny import TableJudge, tiny_lm


def test_free_play_agrees_with_the_enumerated_game():
    """Responses of one token at most: the policy learned in free play, against the exact step."""
    lm, texts = tiny_lm("abc", spread=0.15), ["", "a", "b", "c"]
    table = np.array([[0.5, 0.2, 0.6, 0.4], [0.8, 0.5, 0.9, 0.2], [0.4, 0.1, 0.5, 0.9], [0.6, 0.8, 0.1, 0.5]])

    class Short(TableJudge):
        def prefer(self, prompts, firsts, seconds):
            return super().prefer(
                prompts, *([t if t in texts else "" for t in side] for side in (firsts, seconds))
            )

    judge = Short(table[None].repeat(2, 0), ["a", "b c"], texts)
    free = TextArena(lm, ["a", "b c"], judge, samples=600, max_new_tokens=1, fit=Fit(epochs=40, lr=1e-2))
    step = free.mirror_step(BASE, BASE, 2.0)
    draws = free.context.draw(BASE, "first", 4000)
    # a response of one token without EOS has been cut: the game is over the first token
    assert draws.truncated.mean() > 0.5
    first = np.zeros((2, len(lm.tokenizer)))
    moved = np.zeros_like(first)
    with_step = free.context.draw(step, "first", 4000)
    for counts, some in ((first, draws), (moved, with_step)):
        np.add.at(counts, (some.prompt, [row[0] for row in some.tokens]), 1 / 4000)
    worth = np.zeros(len(lm.tokenizer))
    for x in range(2):
        p = first[x]
        place = [texts.index(t) if (t := lm.decode([token])) in texts else 0 for token in range(len(p))]
        worth = table[np.ix_(place, place)] @ p
        exact = p * np.exp(2.0 * worth)
        assert apart(moved[x], exact / exact.sum()) < 0.05


def test_samples_are_lists_of_texts_per_prompt(text):
    arena = TextArena(tiny_lm("abc"), ["a", "b c"], MoreOfA(), samples=4, max_new_tokens=3)
    some = arena.sample(BASE, ["c", "a a", "b"], n=2)
    assert [len(texts) for texts in some] == [2, 2, 2]
    assert len(arena.sample(BASE)) == 2
    listed = make(samples=4, lm=text.lm).sample(BASE, PROMPTS[:2], n=5)
    assert all(t in RESPONSES for texts in listed for t in texts)
    with pytest.raises(ValueError, match="not a prompt of this enumerable game"):
        text.sample(BASE, ["z"])
