"""Three words and the table that a judge gives of them."""

import numpy as np

WORDS = ["rock", "scissors", "paper"]


def table(judge, prompt="a", responses=WORDS):
    """P float64[Y, Y] of a judge."""
    pairs = [(y, z) for y in responses for z in responses]
    answers = judge.prefer([prompt] * len(pairs), *map(list, zip(*pairs, strict=True)))
    assert answers.dtype == np.float64
    return answers.reshape(len(responses), len(responses))


def assert_preference(P):
    np.testing.assert_allclose(P + P.T, 1, atol=1e-12)
    assert (np.diag(P) == 0.5).all()
