"""States on disk: a loaded state continues as the one in memory; damaged ones are refused."""

import json

import numpy as np
import pytest

import pgames as pg
from llm_backend.policies.handles import Mixture
from tests.support.llm_free import free_arena
from tests.support.llm_tiny import tiny_lm


@pytest.mark.parametrize(
    "solver", [pg.EGPO(0.2, 1.0), pg.ENPO(0.2), pg.FictitiousPlay(0.5), pg.XPO(0.5, 0.01), pg.MNPO(0.2, 1.0)]
)
def test_a_state_from_disk_goes_on_as_the_one_in_memory(solver, tmp_path):
    lm = tiny_lm("abc", spread=0.15)
    arena = free_arena(lm)
    state = pg.solve(solver, arena, 2)
    arena.save(state, tmp_path)
    fresh = free_arena(tiny_lm("abc", spread=0.15))
    here, there = (
        one.probs(solver.step(one.at(2), some).policy, ["a", "b", "a a"])
        for one, some in ((arena, state), (fresh, fresh.load(tmp_path)))
    )
    np.testing.assert_array_equal(here, there)


def test_a_damaged_state_is_refused(tmp_path):
    arena = free_arena(tiny_lm("abc"))
    state = pg.solve(pg.INPO(0.2, 1.0), arena, 1)
    arena.save(state, tmp_path)
    whole = (tmp_path / "state.json").read_text()
    (tmp_path / "state.json").write_text(whole[:-5])
    with pytest.raises(ValueError, match="cut short"):
        arena.load(tmp_path)
    (tmp_path / "state.json").write_text(json.dumps({**json.loads(whole), "version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        arena.load(tmp_path)
    (tmp_path / "state.json").write_text(whole)
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(FileNotFoundError):
        arena.load(tmp_path)
    with pytest.raises(TypeError, match="a state holds policies"):
        arena.save(state._replace(memory=object()), tmp_path)


def test_a_mixture_is_read_by_the_name_it_had_before(tmp_path):
    arena = free_arena(tiny_lm("abc"))
    state = pg.solve(pg.FictitiousPlay(0.5), arena, 2)
    arena.save(state, tmp_path)
    path = tmp_path / "state.json"
    assert '"record": "Mixture"' in path.read_text()
    path.write_text(path.read_text().replace('"record": "Mixture"', '"record": "League"'))
    old = arena.load(tmp_path)
    assert isinstance(old.policy, Mixture)
    texts = ["a", "b", "a a"]
    np.testing.assert_array_equal(arena.probs(old.policy, texts), arena.probs(state.policy, texts))
