"""Winners of social choice against definitions, theorems and textbook elections."""

import numpy as np
import pytest

import pgames as pg
from pgames.games import from_margins, from_rankings, to_margins
from pgames.ratings import winners


def by_definition(M):
    """(Condorcet, weak Condorcet, Copeland, Borda) of margins, with loops and without our code."""
    n = len(M)
    weak = [y for y in range(n) if all(M[y][z] >= 0 for z in range(n))]
    sure = [y for y in range(n) if all(M[y][z] > 0 for z in range(n) if z != y)]
    wins = [sum((M[y][z] > 0) + 0.5 * (M[y][z] == 0) for z in range(n) if z != y) for y in range(n)]
    sums = [sum(M[y]) for y in range(n)]
    return (
        sure,
        weak,
        [y for y in range(n) if wins[y] == max(wins)],
        [y for y in range(n) if sums[y] == max(sums)],
    )


@pytest.mark.parametrize("seed", range(40))
def test_winners_are_those_of_the_definitions(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    A = np.triu(rng.integers(-3, 4, size=(n, n)), 1)
    M = A - A.T
    found = winners(from_margins(M, voters=7))
    sure, weak, copeland, borda = ([str(y) for y in one] for one in by_definition(M.tolist()))
    assert ([found.condorcet] if found.condorcet else []) == sure
    assert list(found.weak_condorcet) == weak
    assert list(found.copeland) == copeland
    assert list(found.borda) == borda
    assert (M @ found.lottery).max() < 1e-12  # a maximal lottery: no item is preferred to it
    assert (np.sign(M) @ found.majority_lottery).max() < 1e-12
    if sure and n > 1:
        assert found.von_neumann == found.copeland == tuple(sure)


def test_borda_can_reject_a_condorcet_winner():
    """3 ballots A > B > C, 2 ballots B > C > A: a majority prefers A to both, Borda elects B."""
    found = winners(from_rankings(["ABC", "BCA"], counts=[3, 2]))
    assert found.condorcet == "A"
    assert found.borda == ("B",)
    assert found.von_neumann == ("A",)


def test_the_maximal_lottery_of_a_cycle_is_in_proportion_to_the_opposite_margin():
    """Margins AB = 1, BC = 3, CA = 5 give the lottery (3, 5, 1) / 9 (Fishburn 1984)."""
    found = winners(from_margins([[0, 1, -5], [-1, 0, 3], [5, -3, 0]], labels=["A", "B", "C"]))
    assert found.condorcet is None
    assert found.weak_condorcet == ()
    assert found.lottery == pytest.approx(np.array([3, 5, 1]) / 9)
    assert found.majority_lottery == pytest.approx(np.ones(3) / 3)
    assert found.unique is True


def test_clones_of_a_ballot_leave_the_lottery_of_the_others():
    """Independence of clones: cloning B divides its share and changes no other."""
    before = winners(from_rankings(["ABC", "BCA", "CAB"], counts=[4, 3, 2])).lottery
    after = winners(from_rankings(["ABbC", "BbCA", "CAbB"], counts=[4, 3, 2]))
    lottery = dict(zip("ABbC", after.lottery, strict=True))
    assert lottery["A"] == pytest.approx(before[0])
    assert lottery["B"] + lottery["b"] == pytest.approx(before[1])


def test_margins_go_out_and_come_back():
    game = from_rankings(["ABC", "BCA", "CB"], counts=[4, 3, 2])
    M = to_margins(game, voters=9)
    assert M.tolist() == [[0, -1 + 0, -1], [1, 0, 5], [1, -5, 0]]
    assert np.abs(from_margins(M, voters=9).P - game.P).max() < 1e-15
    assert pg.nash(from_margins(M)).policy == pytest.approx(pg.nash(game).policy)


def test_items_that_a_ballot_leaves_out_are_tied_below():
    game = from_rankings([["x"], ["z", "y"]], labels=["x", "y", "z"])
    assert game.P[0].tolist() == [[0.5, 0.5, 0.5], [0.5, 0.5, 0.25], [0.5, 0.75, 0.5]]


def test_responses_outside_the_game_take_no_part():
    game = pg.PreferenceGame([[0.5, 0.6, 0], [0.4, 0.5, 0], [1, 1, 0.5]], [0.5, 0.5, 0])
    found = winners(game)
    assert (found.condorcet, found.borda, found.copeland) == ("0", ("0",), ("0",))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: from_rankings([]), "at least one ballot"),
        (lambda: from_rankings(["AAB"]), "twice"),
        (lambda: from_rankings(["AB"], labels=["A"]), "not among the labels"),
        (lambda: from_rankings(["AB"], counts=[-1]), "at least 0"),
        (lambda: from_rankings(["AB"], counts=[1, 2]), "one for each of the 1"),
        (lambda: from_margins([[0, 1], [1, 0]]), "antisymmetric"),
        (lambda: from_margins([[0, 3], [-3, 0]], voters=2), "at least the largest margin, 3"),
        (lambda: from_margins([[0, np.nan], [0, 0]]), "finite"),
        (lambda: to_margins(pg.games.duel(0.6), 4), "no whole number"),
        (lambda: to_margins(pg.games.stack([pg.games.duel(), pg.games.duel()]), 4), "one prompt"),
        (lambda: winners(pg.games.stack([pg.games.duel(), pg.games.duel()])), "one prompt"),
    ],
)
def test_bad_elections_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
