"""Uniqueness, corners of the equilibria and paths in tau, against exact rational arithmetic."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import pgames as pg
from pgames.regularisers import L2


def exact_corners(skew):
    """All vertices of {x >= 0, sum x = 1, A x <= 0} in rational arithmetic, by trying every basis."""
    A = [[Fraction(v).limit_denominator(10**6) for v in row] for row in skew]
    n = len(A)
    rows = [*A, *[[Fraction(-int(i == j)) for j in range(n)] for i in range(n)]]  # rows x <= 0
    found = set()
    for basis in itertools.combinations(range(2 * n), n - 1):
        x = solved([[*rows[i], Fraction(0)] for i in basis] + [[Fraction(1)] * (n + 1)])
        if x is not None and all(sum(a * b for a, b in zip(row, x, strict=True)) <= 0 for row in rows):
            found.add(tuple(x))
    return sorted(found, reverse=True)


def solved(M):
    """The only solution of the augmented system M, or None."""
    n = len(M[0]) - 1
    for c in range(n):
        pivot = next((r for r in range(c, n) if M[r][c] != 0), None)
        if pivot is None:
            return None
        M[c], M[pivot] = M[pivot], M[c]
        M[c] = [v / M[c][c] for v in M[c]]
        for r in range(n):
            if r != c and M[r][c] != 0:
                M[r] = [a - M[r][c] * b for a, b in zip(M[r], M[c], strict=True)]
    return [M[i][n] for i in range(n)]


def integer_game(seed, n=4, high=2):
    rng = np.random.default_rng(seed)
    A = np.triu(rng.integers(-high, high + 1, size=(n, n)), 1)
    return pg.PreferenceGame(0.5 + (A - A.T) / (2 * high))


def test_unique_says_what_rational_arithmetic_says():
    several = 0
    for seed in range(60):
        game = integer_game(seed)
        corners = exact_corners(game.skew[0])
        assert pg.nash(game).unique is (len(corners) == 1), seed
        several += len(corners) > 1
    assert 15 <= several <= 50  # both answers are met


@pytest.mark.parametrize("seed", range(60))
def test_the_corners_are_those_of_rational_arithmetic(seed):
    game = integer_game(seed, n=3 + seed % 3, high=1 + seed % 2)
    ours = pg.extreme_equilibria(game)[0]
    theirs = np.array(exact_corners(game.skew[0]), dtype=np.float64)
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert all(pg.exploitability(game, x) < 1e-12 for x in ours)


def test_responses_outside_the_game_and_prompts_keep_their_corners_apart():
    degenerate = pg.games.clones(pg.games.rock_paper_scissors(), [2, 1, 1])
    game = pg.games.stack([degenerate, pg.games.cyclic(3)])
    several, one = pg.extreme_equilibria(game)
    assert len(several) == 2
    assert one == pytest.approx(np.array([[1 / 3, 1 / 3, 1 / 3, 0]]))
    assert pg.nash(game).unique is False
    assert pg.nash(game, 0.1).unique is True
    assert pg.nash(pg.games.cyclic(5)).unique is True


def test_all_ties_have_every_response_as_a_corner_and_too_many_are_refused():
    assert pg.extreme_equilibria(pg.PreferenceGame(np.full((4, 4), 0.5)))[0] == pytest.approx(np.eye(4))
    with pytest.raises(ValueError, match="have 19 dimensions"):
        pg.extreme_equilibria(pg.PreferenceGame(np.full((20, 20), 0.5)))


def test_an_equilibrium_has_the_names_of_its_responses():
    named = pg.nash(pg.games.six_rankers())
    assert named.labels == tuple("ABCDEF")
    assert named.named() == pytest.approx({"A": 1.0})
    assert next(iter(pg.nash(pg.games.six_rankers(), 0.05).named(above=0.05))) == "A"


# -- paths in tau ----------------------------------------------------------------------------------------


def test_a_path_holds_the_equilibrium_of_every_tau():
    game, taus = pg.games.biased_rps(), np.geomspace(0.01, 2, 7)
    path = pg.nash(game, tau=taus)
    assert isinstance(path, pg.TauPath)
    for i, tau in enumerate(taus):
        assert (path.policy[i] == pg.nash(game, tau).policy).all()
    assert path.exploitability.max() < 1e-12
    assert len(path) == 7
    assert path.at(0.3).policy == pytest.approx(pg.nash(game, 0.3).policy)
    assert isinstance(pg.nash(game, tau=[0.5]), pg.TauPath)
    assert isinstance(pg.nash(game, tau=np.float64(0.5)), pg.Equilibrium)


def test_the_support_changes_where_the_parametric_solution_says():
    """L2 on a duel: pi = 1/2 + w / (2 tau), w = P - 1/2, so the loser leaves at tau = w."""
    path = pg.nash(pg.games.duel(0.8), tau=np.geomspace(0.01, 3, 9), regulariser=L2())
    (change,) = path.changes(above=0)
    assert change.tau == pytest.approx(0.3, rel=1e-5)
    assert (change.label, change.enters) == ("1", False)  # as tau falls


def test_a_threshold_of_kl_is_crossed_where_the_closed_form_says():
    """KL on a duel: logit pi = w / tau at both ends of the duel, so pi_1 = 1e-3 at tau = w / logit(.999)."""
    path = pg.nash(pg.games.duel(0.8), tau=np.geomspace(0.01, 3, 9))
    (change,) = path.changes(above=1e-3)
    assert change.tau == pytest.approx(0.3 / np.log(0.999 / 0.001), rel=1e-5)


def test_a_path_is_drawn_on_given_axes():
    plt = pytest.importorskip("matplotlib.figure")
    figure = plt.Figure()
    ax = figure.subplots()
    path = pg.nash(pg.games.six_rankers(), tau=[0.0, 0.01, 0.1, 1.0])
    assert path.plot(ax=ax) is figure
    assert len(ax.lines) >= 6
    assert path.plot() is not figure


@pytest.mark.parametrize(
    ("tau", "said"),
    [
        ([], "one row"),
        ([[0.1]], "one row"),
        ([0.1, -1.0], "at least 0, got -1"),
        ([0.1, float("nan")], "finite"),
        ([0.1, 0.1], "differ"),
        (["a"], "real numbers"),
    ],
)
def test_bad_taus_are_named(tau, said):
    with pytest.raises(ValueError, match=said):
        pg.nash(pg.games.cyclic(3), tau=tau)


def test_bad_thresholds_are_named():
    path = pg.nash(pg.games.cyclic(3), tau=[0.1, 0.2])
    for above, precision in ((-1, 0.1), (0.1, 0), (2, 0.1)):
        with pytest.raises(ValueError, match="must be in"):
            path.changes(above, precision)
