"""Nash clusters of games whose layers are known."""

import numpy as np
import pytest

import pgames as pg
from pgames.ratings import nash_clusters


def test_layers_of_cycles_under_each_other():
    """Two rock-paper-scissors, of which each response of the first beats each of the second."""
    RPS = pg.games.rock_paper_scissors().P[0]
    P = np.block([[RPS, np.ones((3, 3))], [np.zeros((3, 3)), RPS]])
    order = np.array([3, 0, 5, 1, 4, 2])
    clusters = nash_clusters(pg.PreferenceGame(P[np.ix_(order, order)]))
    assert [sorted(order[one].tolist()) for one in clusters] == [[0, 1, 2], [3, 4, 5]]


def test_a_ranking_has_clusters_of_one_and_a_cycle_is_one():
    assert [one.tolist() for one in nash_clusters(pg.games.bradley_terry([1.0, 3.0, 2.0]))] == [[1], [2], [0]]
    assert [one.tolist() for one in nash_clusters(pg.games.cyclic(5))] == [[0, 1, 2, 3, 4]]
    ties = nash_clusters(pg.PreferenceGame(np.full((3, 3), 0.5)))
    assert [one.tolist() for one in ties] == [[0, 1, 2]]


def test_every_item_of_the_game_is_in_one_cluster():
    game = pg.games.disc_and_skill(60)
    clusters = nash_clusters(game)
    assert sorted(np.concatenate(clusters).tolist()) == list(range(60))
    assert np.mean([len(one) for one in clusters]) > 2, "it is cyclic on most levels"
    masked = pg.games.cyclic(3).with_reference([0.5, 0.0, 0.5])
    assert [one.tolist() for one in nash_clusters(masked)] == [[2], [0]]
    with pytest.raises(ValueError, match="one prompt, got 2"):
        nash_clusters(pg.games.stack([pg.games.cyclic(3), pg.games.cyclic(3)]))
