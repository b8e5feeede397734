"""Members, rows and pairs of a wrong shape are refused in one line, and so are texts for numbers."""

from __future__ import annotations

import numpy as np
import pytest

import pgames as pg
from pgames.meetings import exact_meetings
from pgames.population.next_matches import matches_of

ROLES = pg.RoleArena(pg.MatrixRoles([[0.5, 0.2], [0.8, 0.5]]))
TABLE = pg.TableArena(pg.games.rock_paper_scissors())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ROLES.gains(ROLES.reference, tau="a"), "tau"),
        (lambda: ROLES.join(ROLES.reference, ROLES.reference[:, :1]), r"one shape, got \[1, 2, 2\] and"),
        (lambda: TABLE.against_all(np.ones((2, 2))), "member 0 has shape"),
        (lambda: TABLE.against_all([TABLE.reference, np.zeros((1, 1, 2))]), "member 1 has shape"),
        (lambda: exact_meetings(np.full((1, 2, 2), 0.5)).grown([0.5]), r"against 2 members"),
        (lambda: matches_of(np.ones((2, 2)), 1.5, 0), "whole number of games"),
        (lambda: matches_of(np.ones((2, 2)), "3", 0), "whole number of games"),
    ],
)
def test_it_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_row_serves_every_run():
    """A row of K win rates, and one for each run, are both rows."""
    two = exact_meetings(np.full((2, 2, 2), 0.5))
    for row in ([0.4, 0.6], [[0.4, 0.6], [0.4, 0.6]]):
        assert two.grown(row, 3.0).rates[:, 2, :2].tolist() == [[0.4, 0.6], [0.4, 0.6]]
