"""A judge that ties everything moves nothing, and the step says so."""

import warnings

import numpy as np
import pytest

import pgames as pg
from llm_backend import TextArena, judges
from llm_backend.fits.fit import Fit
from llm_backend.tiny import PROMPTS, tiny_language_model
from llm_backend.verbs.verdicts import all_ties

TIED = judges.Rule(lambda prompt, response: 0.0, name="nothing")


@pytest.mark.parametrize(
    ("won", "right"), [([], 0), ([0.5], 1), ([0.5, 0.5], 1), ([0.5, 0.6], 0), ([0, 1], 0)]
)
def test_all_ties(won, right):
    assert all_ties(np.array(won, float)) == bool(right)


@pytest.mark.parametrize("game", [{"samples": 8}, {"samples": None, "responses": ["1", "2", "1 2"]}])
def test_a_judge_that_ties_everything_is_told(game):
    lm = tiny_language_model()
    for judge, wanted in ((TIED, True), (judges.Rule(judges.rules.shorter), False)):
        arena = TextArena(lm, PROMPTS[:2], judge, max_new_tokens=4, fit=Fit(epochs=1), **game)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            pg.solve(pg.EGPO(0.1, 1.0), arena, 1)
        found = [w for w in told if "the judge preferred nothing" in str(w.message)]
        assert bool(found) == wanted
