"""Listed responses that the model cannot tell apart are refused."""

import numpy as np
import pytest

from llm_backend import TextArena, judges
from llm_backend.tiny import tiny_language_model


def test_two_texts_with_the_same_tokens_are_refused():
    lm = tiny_language_model()
    assert lm.encode_response("b") == lm.encode_response("c"), "both are unknown to the tiny tokenizer"
    judge = judges.Table(np.full((3, 3), 0.5), ["1", "b", "c"])
    with pytest.raises(ValueError, match=r"responses 'b' and 'c' are the same tokens"):
        TextArena(lm, ["1+1="], judge, samples=None, responses=["1", "b", "c"])
