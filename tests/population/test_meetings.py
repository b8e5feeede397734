"""Meetings: what a population won, pooled, and never a silent 1/2."""

import numpy as np
import pytest

import pgames as pg
from pgames.meetings import exact_meetings, no_meetings

NAN = np.nan


def pair(rate, games):
    """One run of two members."""
    other = np.nan if games == 0 else 1 - rate
    return pg.Meetings(
        np.array([[[0.5, rate], [other, 0.5]]]), np.array([[[np.inf, games], [games, np.inf]]])
    )


def test_two_that_never_met_have_no_rate():
    met = no_meetings(3, runs=2)
    assert np.isnan(met.rates[:, 0, 1]).all() and (met.games[:, 0, 1] == 0).all()
    with pytest.raises(ValueError, match="members 0 and 1 never met in run 0"):
        met.known()
    with pytest.raises(ValueError, match="ada and bob never met"):
        met.known(["ada", "bob", "cleo"])
    assert no_meetings(1).known()[0, 0, 0] == 0.5


def test_games_are_pooled_and_an_exact_rate_counts_alone():
    both = pair(0.75, 4) + pair(0.5, 12)
    assert both.rates[0, 0, 1] == pytest.approx(9 / 16) and both.games[0, 0, 1] == 16
    assert (pair(NAN, 0) + pair(0.25, 4)).rates[0, 0, 1] == 0.25
    exact = exact_meetings([[[0.5, 0.9], [0.1, 0.5]]])
    for sum_ in (exact + pair(0.2, 1000), pair(0.2, 1000) + exact):
        assert sum_.rates[0, 0, 1] == 0.9 and np.isinf(sum_.games[0, 0, 1])
    assert np.isnan((pair(NAN, 0) + pair(NAN, 0)).rates[0, 0, 1])


def test_the_margin_is_wilsons():
    """Against statsmodels' formula written out for 7 of 10: (0.3968, 0.8922)."""
    margin = pair(0.7, 10).margin()[0, 0, 1]
    assert 2 * margin == pytest.approx(0.892209 - 0.396777, abs=1e-5)
    assert pair(NAN, 0).margin()[0, 0, 1] == 0.5
    assert exact_meetings([[[0.5, 0.9], [0.1, 0.5]]]).margin().max() == 0


def test_a_new_member_has_met_nobody_until_it_plays():
    met = exact_meetings([[[0.5, 0.9], [0.1, 0.5]]])
    grown = met.grown()
    assert grown.members == 3 and np.isnan(grown.rates[0, 2, :2]).all()
    played = met.grown([[0.3, 0.6]], games=5)
    np.testing.assert_allclose(played.rates[0, :, 2], [0.7, 0.4, 0.5])
    assert played.games[0, 2].tolist() == [5, 5, np.inf]


@pytest.mark.parametrize(
    ("rates", "games", "told"),
    [
        ([[0.5, 0.7], [0.3, 0.5]], [[0, 1], [1, 0]], r"shape \[S, K, K\], got \[2, 2\]"),
        ([[[0.5, 0.7], [0.4, 0.5]]], [[[9, 1], [1, 9]]], r"rates \+ rates' must be 1 .* got 1.1"),
        ([[[0.5, 1.2], [-0.2, 0.5]]], [[[9, 1], [1, 9]]], r"rates must be in \[0, 1\] .* got 1.2"),
        ([[[0.5, 0.7], [0.3, 0.5]]], [[[9, 0], [0, 9]]], "NaN where they did not, got 0.7"),
        ([[[0.5, NAN], [NAN, 0.5]]], [[[9, 2], [2, 9]]], "where two met and NaN"),
        ([[[0.5, 0.7], [0.3, 0.5]]], [[[9, 2], [3, 9]]], "games must be at least 0 and symmetric, got 2"),
        ([[[0.5, 0.7], [0.3, 0.5]]], [[9, 2], [3, 9]], r"games must have the shape \[1, 2, 2\]"),
        ([[[0.6, 0.7], [0.3, 0.4]]], [[[9, 2], [2, 9]]], "must be 1 for every pair"),
    ],
)
def test_what_is_no_record_is_refused(rates, games, told):
    with pytest.raises(ValueError, match=told):
        pg.Meetings(np.array(rates), np.array(games, dtype=float))


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        (0.5, r"shape \[S, K, K\], got \[\]"),
        ([[0.5, 0.5], [0.5, 0.5]], r"shape \[S, K, K\], got \[2, 2\]"),
        ([[[0.5, 3.0], [-2.0, 0.5]]], r"rates must be in \[0, 1\], got 3 for members 0 and 1 in run 0"),
        (
            [[[0.5, 0.9], [0.9, 0.5]]],
            r"rates \+ rates' must be 1 for every pair, got 1.8 for members 0 and 1",
        ),
        ([[[0.5, NAN], [NAN, 0.5]]], "got nan for members 0 and 1"),
    ],
)
def test_exact_rates_are_not_bent_until_they_fit(rates, told):
    with pytest.raises(ValueError, match=told):
        exact_meetings(rates)


def test_other_members_do_not_add_up():
    with pytest.raises(ValueError, match="do not add up"):
        no_meetings(2) + no_meetings(3)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        no_meetings(0)
    with pytest.raises(TypeError):
        no_meetings(2) + 1


def test_members_that_changed_meet_again():
    old = exact_meetings(np.full((2, 3, 3), 0.5))
    fresh = pair(0.75, 4).grown([[0.6, 0.2]], games=7)
    fresh = pg.Meetings(np.repeat(fresh.rates, 2, axis=0), np.repeat(fresh.games, 2, axis=0))
    new = old.updated(fresh, [[False, False, True], [False, False, False]])
    np.testing.assert_allclose(new.rates[0, 2], [0.6, 0.2, 0.5])
    assert new.games[0, 2, 0] == 7 and new.rates[0, 0, 1] == 0.5 and (new.rates[1] == 0.5).all()
    np.testing.assert_array_equal(new.among([0, 2]).rates[0], new.rates[0][np.ix_([0, 2], [0, 2])])
