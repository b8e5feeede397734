"""A judge that looks up a table."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.judged import WORDS, table


def test_table_is_the_game():
    P = pg.games.rock_paper_scissors().P[0]
    np.testing.assert_array_equal(table(judges.Table(P, WORDS)), P)
    many = np.stack([P, P.T])
    judge = judges.Table(many, [WORDS, WORDS[::-1]], prompts=["x", "y"])
    np.testing.assert_array_equal(table(judge, "x"), P)
    np.testing.assert_array_equal(table(judge, "y"), P.T[::-1, ::-1])


def test_table_says_what_it_does_not_know():
    P = np.full((3, 3), 0.5)
    with pytest.raises(JudgeError, match=r"no response 'lizard' \(item 1\); it knows 3: 'rock'"):
        judges.Table(P, WORDS).prefer(["p", "p"], ["rock", "paper"], ["paper", "lizard"])
    with pytest.raises(JudgeError, match="no prompt 'q'"):
        judges.Table(P, WORDS, prompts=["p"]).prefer(["q"], ["rock"], ["paper"])
    with pytest.raises(ValueError, match="pass prompts="):
        judges.Table(np.stack([P, P]), WORDS)
    with pytest.raises(ValueError, match="'rock' occurs twice"):
        judges.Table(P, ["rock", "rock", "paper"])
    with pytest.raises(ValueError, match="3 x 3 but there are 2 responses"):
        judges.Table(P, ["rock", "paper"])
    with pytest.raises(ValueError, match="P \\+ P' must be 1"):
        judges.Table(np.eye(3), WORDS)
