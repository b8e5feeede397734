"""Responses that play alike are merged before a game is solved; the answers are those of the whole game."""

import numpy as np
import pytest

import pgames as pg
from benchmarks import exact_list
from pgames.exact import one_game
from pgames.exact.clones import find_clones

SELECTIONS = ("centre", "max_entropy", "closest")


def antisymmetric(n, seed, kind="random"):
    rng = np.random.default_rng(seed)
    S = rng.normal(size=(n, n)) if kind == "random" else rng.integers(-1, 2, (n, n)).astype(float)
    if kind == "rankings":  # margins of three rankings: often many equilibria
        places = np.array([rng.permutation(n) for _ in range(3)])
        S = np.triu(np.sign(places[:, None, :] - places[:, :, None]).sum(axis=0), 1).astype(float)
    A = S - S.T
    return A / (2 * np.abs(A).max())


def cloned(n, sizes, seed, kind="random"):
    """A game of n responses of which the i-th comes sizes[i % len(sizes)] times, in random order."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(n), np.resize(sizes, n)))
    return antisymmetric(n, seed, kind)[np.ix_(group, group)], group


def solved(A, monkeypatch, merge, **options):
    with monkeypatch.context() as patched:
        if not merge:
            patched.setattr(one_game, "find_clones", lambda A: None)
        return pg.nash(pg.PreferenceGame(0.5 + A, options.pop("reference", None)), **options)


def test_groups_are_the_equal_rows():
    A, group = cloned(40, (1, 2, 5), 0)
    found = find_clones(A)
    assert found is not None and len(found.first) == 40
    for y, z in ((0, 1), (3, 77)):
        assert (found.group[y] == found.group[z]) == (group[y] == group[z])
    np.testing.assert_array_equal(found.size, np.bincount(found.group))
    np.testing.assert_array_equal(A[found.first][found.group], A)
    weights = np.random.default_rng(1).random(len(A))
    split = found.split(found.sums(weights), np.ones(len(A)))
    np.testing.assert_allclose(found.sums(split), found.sums(weights))


def test_rows_that_agree_in_many_columns_are_not_clones():
    A = np.zeros((300, 300))
    A[7, 211], A[211, 7] = 0.25, -0.25
    found = find_clones(A)
    assert found is not None and len(found.first) == 3 and sorted(found.size) == [1, 1, 298]
    assert find_clones(antisymmetric(200, 0)) is None
    twice = antisymmetric(150, 1, "ties")
    twice[0], twice[:, 0] = twice[1], twice[:, 1]
    twice[0, 0] = -0.0
    assert find_clones(twice) is not None


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize("kind", ["random", "ties", "rankings"])
@pytest.mark.parametrize("sizes", [(5,), (1, 2, 7), (1, 1, 1, 40)])
def test_merged_clones_change_no_answer(select, kind, sizes, monkeypatch):
    for seed in range(3):
        A, group = cloned(45, sizes, seed, kind)
        assert len(A) > 128  # smaller games are not merged
        reference = np.random.default_rng(seed).dirichlet(np.ones(len(A)))
        options = {"select": select, "reference": reference if select == "closest" else None}
        ours = solved(A, monkeypatch, True, **options)
        whole = solved(A, monkeypatch, False, **options)
        assert ours.exploitability <= 1e-15
        np.testing.assert_allclose(ours.policy, whole.policy, atol=1e-7)
        assert ours.unique == whole.unique or whole.unique is None
        if select != "closest":
            total = np.bincount(group, ours.policy[0])
            np.testing.assert_allclose(ours.policy[0], (total / np.bincount(group))[group], atol=1e-15)


@pytest.mark.parametrize("tau", [1e-3, 0.1, 3.0])
def test_regularised_clones_share_by_the_reference(tau, monkeypatch):
    A, group = cloned(50, (1, 5), 4)
    reference = np.random.default_rng(0).dirichlet(np.ones(len(A)))
    ours = solved(A, monkeypatch, True, tau=tau, reference=reference)
    whole = solved(A, monkeypatch, False, tau=tau, reference=reference)
    assert ours.residual < 1e-12 and ours.unique
    np.testing.assert_allclose(ours.policy, whole.policy, rtol=1e-9, atol=1e-14)
    share = ours.policy[0] / reference
    np.testing.assert_allclose(share, (np.bincount(group, share) / np.bincount(group))[group], rtol=1e-12)


def test_the_centre_weighs_a_response_by_its_clones():
    """Two responses that tie and one that loses to the first alone: argmax sum log(pi + 1/2 - P pi)."""
    n = 150
    group = np.repeat(np.arange(3), (1, n - 3, 2))
    A = np.array([[0, 0, 0.5], [0, 0, 0], [-0.5, 0, 0]])[np.ix_(group, group)]
    found = pg.nash(0.5 + A)
    # weights 1 on x, n - 3 on 1 - x and 2 on the loss x / 2 of the third: x = 3 / n
    assert found.policy[0, 0] == pytest.approx(3 / n, rel=1e-12)
    np.testing.assert_allclose(found.policy[0, 1:-2], 1 / n, rtol=1e-12)
    assert found.unique is False and found.policy[0, -1] == 0


def test_only_clones_that_are_played_make_several_equilibria():
    A = antisymmetric(150, 3)
    played = pg.nash(0.5 + A).policy[0] > 0
    for y, unique in ((np.flatnonzero(played)[0], False), (np.flatnonzero(~played)[0], True)):
        group = np.r_[np.arange(150), y]
        found = pg.nash(0.5 + A[np.ix_(group, group)])
        assert found.unique is unique and found.exploitability < 1e-15
        assert found.policy[0, -1] == found.policy[0, y]


def test_a_game_of_clones_alone():
    found = pg.nash(np.full((200, 200), 0.5))
    np.testing.assert_allclose(found.policy, 1 / 200, rtol=1e-15)
    assert found.unique is False and found.exploitability == 0
    weights = np.arange(1.0, 201)
    game = pg.PreferenceGame(np.full((200, 200), 0.5), weights / weights.sum())
    for options in ({"tau": 0.1}, {"select": "closest"}):
        np.testing.assert_allclose(pg.nash(game, **options).policy, game.reference, rtol=1e-14)
    assert pg.nash(game, precision=1e-3).unique is None


def test_clones_cost_fewer_and_smaller_steps(monkeypatch):
    """450 responses in groups of five are a game of 90."""
    sizes = []
    path = one_game.follow_path
    monkeypatch.setattr(one_game, "follow_path", lambda A, *rest: sizes.append(len(A)) or path(A, *rest))
    A = exact_list.KINDS["clones"](np.random.default_rng([1, 450]), 450)
    found = pg.nash(pg.PreferenceGame(0.5 + A, symmetrise=True))
    assert sizes == [90] and found.exploitability <= 1e-15
    np.testing.assert_allclose(found.policy[0], np.repeat(found.policy[0, ::5], 5), rtol=1e-15)
