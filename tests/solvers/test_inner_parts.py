"""What is no solver, no meta-solver and no policy is refused where it is given, by its parameter."""

import numpy as np
import pytest

import pgames as pg
from pgames.population import Facing

INPO = pg.INPO(0.1, 0.5)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: pg.PSRO(oracle=3), r"PSRO: oracle must be a solver, such as INPO\(0.1, 0.5\), got 3"),
        (lambda: pg.AnytimePSRO(oracle=pg.INPO), "AnytimePSRO: oracle must be a solver.*got <class"),
        (lambda: pg.PSRO(meta="Nash"), "PSRO: meta must be a callable on win rates.*got 'Nash'"),
        (lambda: pg.PSRO(meta=pg.population.Uniform), "PSRO: meta must be a callable.*got <class"),
        (lambda: pg.League(None, 2), "League: solver must be a solver.*got None"),
        (lambda: pg.League((INPO, "SPPO")), "League: solver must be a solver.*got 'SPPO'"),
        (lambda: pg.League(INPO, 2, match="Hard"), "League: match must be a callable.*got 'Hard'"),
        (lambda: pg.MainAndExploiters(INPO, exploiter="INPO"), "exploiter must be a solver.*got 'INPO'"),
        (lambda: pg.Turns(INPO, None), "Turns: defender must be a solver.*got None"),
        (lambda: pg.Rivals(pg.games.comal3(), INPO), "Rivals: attacker must be a solver"),
        (lambda: pg.PSRO().init(object()), "PSRO needs the verb"),
        (lambda: pg.AnytimePSRO().init(object()), "AnytimePSRO needs the verb"),
    ],
)
def test_parts_of_solvers(make, told):
    with pytest.raises(TypeError, match=told):
        make()


def test_opponents_of_another_game():
    arena = pg.TableArena(pg.games.comal3(), runs=2)
    for wrong, told in ((None, "got None"), (np.zeros((1, 1, 4)), r"got shape \[1, 1, 4\]")):
        with pytest.raises(ValueError, match=rf"Facing: .* of shape \[2, 1, 3\].*{told}"):
            Facing(arena, wrong)
    assert Facing(arena, arena.reference).opponent is arena.reference
