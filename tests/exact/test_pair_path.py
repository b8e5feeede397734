"""Paths in tau of games of two players, and the report of a pair, against closed forms."""

import numpy as np
import pytest

import pgames as pg

PENNIES = np.array([[3.0, -1.0], [-2.0, 4.0]])  # row .6, column .5, value 1
TAUS = [0.0, 1e-3, 0.1, 1.0, 10.0]


def logit(p):
    return np.log(p / (1 - p))


def test_unequal_pennies_solve_both_equations_at_every_tau():
    """(A q)_0 - (A q)_1 = 10 q - 5 = tau logit p, and 10 p - 6 = -tau logit q."""
    path = pg.nash_zero_sum(PENNIES, tau=TAUS)
    assert isinstance(path, pg.ZeroSumPath) and len(path) == 5
    p, q, tau = path.row[:, 0], path.column[:, 0], path.tau
    np.testing.assert_allclose(10 * q - 5, tau * logit(p), atol=1e-13)
    np.testing.assert_allclose(10 * p - 6, -tau * logit(q), atol=1e-13)
    np.testing.assert_allclose(path.value, np.einsum("ti,ij,tj->t", path.row, PENNIES, path.column))
    assert path.exploitability.max() < 1e-13


def test_the_path_ends_in_the_unregularised_pair_at_the_rate_of_the_closed_form():
    path = pg.nash_zero_sum(PENNIES, tau=[0.0, 1e-5])
    exact = pg.nash_zero_sum(PENNIES)
    assert (path.row[0] == exact.row).all() and (path.column[0] == exact.column).all()
    assert (path.column[1, 0] - 0.5) / 1e-5 == pytest.approx(logit(0.6) / 10, rel=1e-4)
    assert path.row[1, 0] == pytest.approx(0.6, abs=1e-10)  # its first derivative is 0
    assert path.value[[0, 1]] == pytest.approx(1, abs=1e-10)


def test_references_at_the_equilibrium_hold_the_path_and_others_do_not():
    here = pg.nash_zero_sum(PENNIES, tau=TAUS, references=([0.6, 0.4], [0.5, 0.5]))
    np.testing.assert_allclose(here.row, np.tile([0.6, 0.4], (5, 1)), atol=1e-13)
    np.testing.assert_allclose(here.column, 0.5, atol=1e-13)
    other = pg.nash_zero_sum(PENNIES, tau=TAUS, references=([0.2, 0.8], [0.5, 0.5]))
    assert abs(other.row[-1, 0] - 0.6) > 0.1
    assert other.at(3.0).row == pytest.approx(  # pyright: ignore[reportAttributeAccessIssue]
        pg.nash_zero_sum(PENNIES, 3.0, ([0.2, 0.8], [0.5, 0.5])).row
    )


@pytest.mark.parametrize("scale", [1.0, 1e9, 1e-9])
@pytest.mark.parametrize("taus", [[3.0, 0.01], [0.0, 3.0]])
def test_a_strategy_leaves_where_the_closed_form_says(scale, taus):
    """Against one strategy, logit of the better one is w / tau: the other passes 1e-3 at w / logit(.999)."""
    expected = scale * 0.3 / logit(0.999)
    for A, player in (([[0.3], [0.0]], "row"), ([[0.0, 0.3]], "column")):
        path = pg.nash_zero_sum(scale * np.array(A), tau=scale * np.array(taus))
        (change,) = path.changes()
        assert change.tau == pytest.approx(expected, rel=1e-5)
        assert change[1:] == (player, 1, False)


@pytest.mark.parametrize(
    "A",
    [[[0.0]], np.zeros((3, 2)), np.full((2, 3), 7.0), [[1.0, 1, 0]], [[1.0, 0], [1, 0], [0, 1]], np.eye(4)],
    ids=["one cell", "zeros", "alike", "one row", "duplicates", "identity"],
)
def test_degenerate_games_have_paths(A):
    path = pg.nash_zero_sum(A, tau=[0.0, 1e-3, 1.0])
    assert path.exploitability.max() < 1e-12
    np.testing.assert_allclose(path.row.sum(axis=1), 1)
    assert all(0 < one.tau < 1 and not one.enters for one in path.changes())
    if np.ptp(A) == 0:
        assert path.changes() == []


def test_a_tuple_is_one_tau_for_each_player_and_a_list_is_a_path():
    both = pg.nash_zero_sum(PENNIES, (0.1, 0.3))
    assert isinstance(both, pg.ZeroSumEquilibrium)
    assert both.row[0] != pg.nash_zero_sum(PENNIES, 0.1).row[0]
    path = pg.nash_zero_sum(PENNIES, [0.1, 0.3])
    assert (path.row[0] == pg.nash_zero_sum(PENNIES, 0.1).row).all()
    assert (path.row[1] == pg.nash_zero_sum(PENNIES, 0.3).row).all()


@pytest.mark.parametrize(
    ("tau", "said"),
    [
        ([], "one row"),
        (np.ones((2, 2)), r"one row of them, got shape \[2, 2\]"),
        ([0.1, -1.0], "at least 0, got -1"),
        ([0.1, 0.1], "differ"),
        ((0.1, 0.2, 0.3), "give the taus of a path as a list"),
    ],
)
def test_bad_taus_are_named(tau, said):
    with pytest.raises(ValueError, match=said):
        pg.nash_zero_sum(PENNIES, tau)


def test_bad_players_and_thresholds_are_named():
    path = pg.nash_zero_sum(PENNIES, tau=[0.1, 0.2])
    with pytest.raises(ValueError, match='"row" or "column", got \'left\''):
        path.plot("left")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="must be in"):
        path.changes(above=2)


def test_one_player_is_drawn_on_given_axes():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    path = pg.nash_zero_sum([[0.3], [0.0]], tau=[0.0, 0.01, 3.0])
    assert path.plot(ax=axes) is figure
    assert {line.get_label() for line in axes.lines} >= {"row 0", "row 1"}
    marks = {line.get_marker(): line.get_color() for line in axes.lines if len(line.get_xdata()) == 1}
    assert marks == {">": axes.lines[0].get_color()}  # of row 1, which is drawn first
    assert "played above this tau" in {line.get_label() for line in axes.lines}
    assert path.plot("column") is not figure


def test_a_pair_and_a_path_are_reported_in_one_line():
    found = pg.nash_zero_sum(PENNIES)
    assert repr(found) == (
        "ZeroSumEquilibrium(value=1; row: 0: 0.6, 1: 0.4, 2 of 2 played; "
        "column: 0: 0.5, 1: 0.5, 2 of 2 played; exploitability=0)"
    )
    assert "<td>column</td><td>1</td><td>0.500000</td>" in found._repr_html_()
    large = repr(pg.nash_zero_sum(np.eye(50)))
    assert "50 of 50 played" in large and len(large) < 250
    line = repr(pg.nash_zero_sum(PENNIES, [1.0, 0.0]))
    assert line.startswith("ZeroSumPath(tau=0..1, points=2, rows=2, columns=2, value=1..0.9952")
    row, column, value, gap = found  # it remains a tuple of four
    assert (value, gap) == (1, 0) and row.shape == column.shape == (2,)


def test_a_frame_has_a_row_for_every_strategy():
    pytest.importorskip("narwhals")
    pandas = pytest.importorskip("pandas")
    frame = pg.nash_zero_sum([[3.0, -1, 9], [-2, 4, 9]]).to_frame("pandas")
    assert isinstance(frame, pandas.DataFrame)
    assert frame["player"].tolist() == ["row"] * 2 + ["column"] * 3
    assert frame["probability"].tolist() == pytest.approx([0.6, 0.4, 0.5, 0.5, 0.0])
