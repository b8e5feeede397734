"""Arguments of TextArena are checked at the start."""

import pytest

from llm_backend import TextArena
from llm_backend.policies.handles import BASE
from pgames.regularisers import L2
from tests.support.llm_free import MoreOfA
from tests.support.llm_listed import PROMPTS


def test_what_cannot_be_played_is_refused(text):
    lm = text.lm
    for options, match in (
        ({"samples": None}, r"samples=None needs responses"),
        ({"samples": 1}, "at least 2"),
        ({"prompts": []}, "at least one text"),
        ({"temperature": 0.0}, "temperature"),
        ({"responses": [["a"], ["b"]]}, "one per prompt"),
        ({"responses": ["a", "a"]}, "different texts"),
        ({"max_new_tokens": 100}, "context"),
        ({"per_round": 4}, "per_round must be from 1 to the number of prompts, 3"),
        ({"expert": [["a"]]}, "expert must give"),
        ({"regulariser": L2()}, "on text the regulariser is KL, got L2: a mirror step on text regresses"),
        ({"expert": [[0.5, 0.5]], "responses": ["a", "b"]}, "of shape"),
    ):
        given = {"prompts": PROMPTS, "samples": 4, "max_new_tokens": 4, **options}
        with pytest.raises(ValueError, match=match):
            TextArena(lm, given.pop("prompts"), MoreOfA(), **given)
    with pytest.raises(TypeError, match="prefer"):
        TextArena(lm, PROMPTS, object(), 4)
    free = TextArena(lm, PROMPTS, MoreOfA(), 4, max_new_tokens=4)
    with pytest.raises(AttributeError, match="list of responses"):
        free.probs(BASE)
    with pytest.raises(ValueError, match="a mirror step of 0"):
        free.mirror_step(BASE, BASE, 0.0)
    with pytest.raises(ValueError, match="before label"):
        text.label(text.empty_buffer(), BASE, 2)
