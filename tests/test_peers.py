"""Games of nashpy, pygambit and OpenSpiel: read by their own objects, and handed back."""

from types import SimpleNamespace

import numpy as np
import pytest

import pgames as pg
from pgames import peers

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
PENNIES = np.array([[2, -1], [-1, 1]])
NAMES = (["rock", "paper", "scissors"],) * 2


class StandInForNashpy:
    """The member of nashpy.Game that is read."""

    def __init__(self, A, B=None):
        self.payoff_matrices = (np.asarray(A), -np.asarray(A) if B is None else np.asarray(B))


class StandInForGambit:
    """The members of pygambit.Game that are read; payoffs are rational there, and converted."""

    def __init__(self, A, B=None, names=None):
        both = (np.asarray(A), -np.asarray(A) if B is None else np.asarray(B))
        self._both = [table.astype(object) for table in both]
        names = names or [[""] * size for size in both[0].shape]
        self.players = [
            SimpleNamespace(strategies=[SimpleNamespace(label=n) for n in part]) for part in names
        ]

    def to_arrays(self):
        return self._both


class StandInForOpenSpiel:
    """The members of a matrix game of pyspiel that are read; utilities are flat there."""

    def __init__(self, A, B=None, names=None):
        self._A, self._B = np.asarray(A), -np.asarray(A) if B is None else np.asarray(B)
        self._names = names or [[f"action {i}" for i in range(size)] for size in self._A.shape]

    def num_rows(self):
        return self._A.shape[0]

    def num_cols(self):
        return self._A.shape[1]

    def row_utilities(self):
        return self._A.ravel().tolist()

    def col_utilities(self):
        return self._B.ravel().tolist()

    def row_action_name(self, i):
        return self._names[0][i]

    def col_action_name(self, i):
        return self._names[1][i]


def real_nashpy(A, B=None, names=None):
    nashpy = pytest.importorskip("nashpy")
    return nashpy.Game(A) if B is None else nashpy.Game(A, B)


def real_gambit(A, B=None, names=None):
    pygambit = pytest.importorskip("pygambit")
    A = np.asarray(A)
    game = pygambit.Game.from_arrays(A, -A if B is None else np.asarray(B))
    for player, part in zip(game.players, names or [], strict=False):
        for strategy, name in zip(player.strategies, part, strict=True):
            strategy.label = name
    return game


def real_openspiel(A, B=None, names=None):
    pyspiel = pytest.importorskip("pyspiel")
    A = np.asarray(A, dtype=float)
    names = names or [[f"action {i}" for i in range(size)] for size in A.shape]
    return pyspiel.create_matrix_game(
        "g", "g", *names, A.tolist(), (-A if B is None else np.asarray(B)).tolist()
    )


MAKERS = {
    "a stand-in for nashpy": lambda A, B=None, names=None: StandInForNashpy(A, B),
    "a stand-in for pygambit": StandInForGambit,
    "a stand-in for OpenSpiel": StandInForOpenSpiel,
    "nashpy": real_nashpy,
    "pygambit": real_gambit,
    "OpenSpiel": real_openspiel,
}


@pytest.fixture(params=MAKERS.values(), ids=MAKERS)
def make(request):
    return request.param


def test_a_symmetric_game_becomes_a_preference_game(make):
    game = peers.game(make(RPS, names=NAMES))
    np.testing.assert_array_equal(game.P[0], (1 + RPS) / 2)
    assert game.labels in (("rock", "paper", "scissors"), ("0", "1", "2"))
    np.testing.assert_allclose(pg.nash(game).policy, [[1 / 3] * 3], atol=1e-12)
    np.testing.assert_allclose(peers.game(make(5 * RPS)).P[0], (1 + RPS) / 2)  # scaled by the largest payoff
    np.testing.assert_allclose(peers.game(make(RPS / 4)).P[0], (1 + RPS / 4) / 2)


def test_win_rates_that_add_up_to_one_stay_win_rates(make):
    P = pg.games.comal3().P[0]
    np.testing.assert_allclose(peers.game(make(P, P.T)).P[0], P)
    np.testing.assert_allclose(peers.game(make(100 * P, 100 * P.T)).P[0], P)


def test_a_zero_sum_game_becomes_its_payoffs(make):
    read = peers.payoffs(make(PENNIES))
    np.testing.assert_array_equal(read.A, PENNIES)
    found = pg.nash_zero_sum(read.A)
    np.testing.assert_allclose(found.row, [0.4, 0.6], atol=1e-9)  # 2 p - (1 - p) = -p + (1 - p)
    assert found.value == pytest.approx(0.2) and read.total == 0
    with pytest.raises(ValueError, match=r"not symmetric.* pgames.nash_zero_sum\(pgames.peers.payoffs"):
        peers.game(make(PENNIES))
    with pytest.raises(ValueError, match="not zero-sum: the payoffs of both players add up to 4 in one"):
        peers.payoffs(make([[2, 0], [3, 1]], [[2, 3], [0, 1]]))


@pytest.mark.parametrize("wrong", [RPS, "matrix_rps", None, SimpleNamespace(players=[])])
def test_what_is_no_game_of_a_peer_is_refused(wrong):
    with pytest.raises(TypeError, match="a game of nashpy, pygambit or OpenSpiel is needed, got"):
        peers.game(wrong)


BACK = {"nashpy": peers.to_nashpy, "pygambit": peers.to_gambit, "pyspiel": peers.to_openspiel}


@pytest.mark.parametrize("module", BACK)
def test_a_game_is_handed_back_and_read_again(module):
    pytest.importorskip(module)
    game = pg.PreferenceGame(pg.games.comal3().P, labels=["a", "b", "c"])
    again = peers.game(BACK[module](game))
    np.testing.assert_allclose(again.P, game.P, atol=1e-15)
    assert again.labels == (("0", "1", "2") if module == "nashpy" else game.labels)
    np.testing.assert_array_equal(peers.payoffs(BACK[module](PENNIES)).A, PENNIES)
    outside = game.with_reference([0.5, 0.5, 0.0])
    assert peers.game(BACK[module](outside)).responses == 2


def test_games_of_several_prompts_are_handed_back_one_by_one():
    game = pg.games.stack([pg.games.duel(), pg.games.duel()])
    for back in BACK.values():
        with pytest.raises(ValueError, match=r"2 prompts is 2 games: pass game.prompt\(x\)"):
            back(game)


def test_the_peer_solves_what_was_handed_back():
    nashpy = pytest.importorskip("nashpy")
    assert nashpy is not None
    game = pg.games.comal3()
    (row, _), *more = peers.to_nashpy(game).support_enumeration()
    assert not more
    np.testing.assert_allclose(row, pg.nash(game).policy[0], atol=1e-12)


def test_a_game_of_openspiel_that_is_no_matrix_says_how_to_make_one():
    pyspiel = pytest.importorskip("pyspiel")
    with pytest.raises(TypeError, match="extensive_to_matrix_game"):
        peers.payoffs(pyspiel.load_game("kuhn_poker"))
    read = peers.payoffs(pyspiel.extensive_to_matrix_game(pyspiel.load_game("kuhn_poker")))
    assert pg.nash_zero_sum(read.A).value == pytest.approx(-1 / 18, abs=1e-9)  # Kuhn 1950
