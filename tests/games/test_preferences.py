"""P + P' = 1, kept by every constructor and operation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgames as pg
from tests.support.tables import close, preference_games, quick

MADE = {
    "cyclic": lambda: pg.games.cyclic(7, 0.83),
    "even cycle": lambda: pg.games.cyclic(6, 0.3),
    "rock_paper_scissors": pg.games.rock_paper_scissors,
    "comal3": pg.games.comal3,
    "biased_rps": pg.games.biased_rps,
    "perturbed_rps": pg.games.perturbed_rps,
    "dice": pg.games.dice,
    "raters": lambda: pg.games.raters(0.07),
    "six_rankers": pg.games.six_rankers,
    "bradley_terry": lambda: pg.games.bradley_terry([0.1, 40.0, -3.0]),
    "random_skew": lambda: pg.games.random_skew(30, 0),
    "uniform_random": lambda: pg.games.uniform_random(30, 0),
    "blotto": lambda: pg.games.blotto(5, 3),
    "disc": lambda: pg.games.disc(9),
    "skill_and_cycles": lambda: pg.games.skill_and_cycles(9, 0.6),
    "low_rank": lambda: pg.games.low_rank(np.random.default_rng(0).normal(size=(2, 8, 4))),
    "hidden_rps": lambda: pg.games.hidden_rps(tau=0.1),
    "needle": lambda: pg.games.needle(tau=0.1),
    "duel": lambda: pg.games.duel(0.9),
    "clones": lambda: pg.games.clones(pg.games.comal3(), [1, 3, 2]),
    "stack": lambda: pg.games.stack([pg.games.comal3(), pg.games.six_rankers()]),
    "with_reference": lambda: pg.games.comal3().with_reference([0.2, 0.2, 0.6]),
    "prompt": lambda: pg.games.stack([pg.games.comal3(), pg.games.duel(0.1)]).prompt(1),
    "symmetrise": lambda: pg.PreferenceGame(np.random.default_rng(0).random((5, 5)), symmetrise=True),
    "rounding": lambda: pg.PreferenceGame(pg.games.comal3().P[0] + 4e-10),
}


def assert_preference(game):
    assert np.array_equal(game.skew, -np.swapaxes(game.skew, 1, 2))
    assert np.abs(game.P + np.swapaxes(game.P, 1, 2) - 1).max() <= 2.3e-16
    assert game.P.min() >= 0 and game.P.max() <= 1
    assert (np.diagonal(game.P, axis1=1, axis2=2) == 0.5).all()
    close(game.reference.sum(axis=-1), 1.0, 1e-15 * game.responses)
    close(game.prompt_weights.sum(), 1.0, 1e-14)


@pytest.mark.parametrize("name", MADE)
def test_constructors_make_preferences(name):
    assert_preference(MADE[name]())


@quick
@given(preference_games(), preference_games(), st.integers(1, 3))
def test_operations_keep_preferences(first, second, copies):
    assert_preference(first)
    stacked = pg.games.stack([first, second])
    assert_preference(stacked)
    assert_preference(pg.games.clones(first, copies))
    assert_preference(
        first.with_reference(second.reference[0]) if second.responses == first.responses else first
    )
    for x in range(stacked.prompts):
        assert_preference(stacked.prompt(x))
    assert stacked.support.sum() == first.support.sum() + second.support.sum()
