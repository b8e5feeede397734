"""Majorities of judges."""

import numpy as np
import pytest

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.judged import WORDS, assert_preference, table


def test_a_majority_of_consistent_judges_goes_round_in_a_cycle():
    def ranking(order):
        return judges.Rule(lambda x, y: -order.index(y), name=str(order))

    voters = [ranking(WORDS[k:] + WORDS[:k]) for k in range(3)]
    for voter in voters:  # each is transitive: one response beats both others
        assert (table(voter) > 0.5).sum(axis=1).max() == 2
    for hard, share in ((False, 2 / 3), (True, 1.0)):
        P = table(judges.Majority(voters, hard=hard))
        assert_preference(P)
        np.testing.assert_allclose(P[[0, 1, 2], [1, 2, 0]], share)
    with pytest.raises(ValueError, match="at least one judge"):
        judges.Majority([])


def test_a_majority_fails_with_its_judges():
    def fails(x, y):
        raise OSError("gone")

    with pytest.raises(JudgeError, match=r"Rule\(second\) raised OSError: gone"):
        table(judges.Majority([judges.Rule(judges.rules.longer), judges.Rule(fails, name="second")]))
