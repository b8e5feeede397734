"""Ratings refuse arguments that are not numbers, or beyond what can be computed, in one line."""

from __future__ import annotations

import numpy as np
import pytest

import pgames as pg

GAME = pg.games.rock_paper_scissors()
VOTES = pg.Comparisons.from_names(["a", "b", "c", "a"], ["b", "c", "a", "c"], ["a", "b", "c", "tie"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pg.ratings.alpha_rank(GAME, 1.0, 10**30), "population of 2 to 1000000"),
        (lambda: pg.ratings.alpha_rank(GAME, "1"), "alpha >= 0"),
        (lambda: pg.ratings.alpha_rank(GAME, 1.0, "50"), "population of 2 to"),
        (lambda: pg.ratings.elo(VOTES, k=1e308), "at most 1e.100, got .*k=1e.308"),
        (lambda: pg.ratings.elo(VOTES, k="4"), "k='4'"),
        (lambda: pg.ratings.elo(VOTES, initial="x"), "initial='x'"),
        (lambda: pg.ratings.elo(VOTES, base=10**400), "base > 1"),
        (lambda: pg.ratings.bradley_terry(VOTES, prior="1"), "prior='1'"),
        (lambda: pg.ratings.bradley_terry(VOTES, level="95"), "level='95'"),
        (lambda: pg.estimate(VOTES, worth="4"), "worth must be a number of votes"),
        (lambda: pg.nash(GAME, tau="0.1"), "tau must be finite and at least 0, got '0.1'"),
        (lambda: pg.nash(GAME, tau=None), "tau must be finite"),
        (lambda: pg.nash(GAME, tau=1j), "tau must be finite"),
        (lambda: pg.exploitability(GAME, [1 / 3] * 3, tau="0"), "tau must be finite"),
        (lambda: pg.nash_zero_sum([[1, 0], [0, 1]], tau=(1,)), "one number or one for each player"),
        (lambda: pg.nash_zero_sum([[1, 0], [0, 1]], tau="a"), "tau must be"),
        (lambda: pg.metrics.Exploitability("0.1"), "tau must be a number, got the text"),
        (lambda: pg.metrics.Support(None), "threshold must be a number"),
    ],
)
def test_it_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_an_estimate_needs_votes():
    with pytest.raises(
        TypeError, match="estimate needs Comparisons, got PreferenceGame: use the game itself"
    ):
        pg.estimate(GAME)


def test_a_large_step_of_elo_stays_finite():
    assert np.isfinite(pg.ratings.elo(VOTES, k=1e100).scores).all()
