"""The solvers of pgames, untouched, on a language model: round by round the same policies as on the table."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena
from llm_backend.policies.handles import BASE
from tests.support.llm_free import MoreOfA
from tests.support.llm_listed import TAU, apart, make
from tests.support.llm_tiny import tiny_lm

EXACT = [
    pg.INPO(TAU, 1.0),
    pg.MMD(TAU, 1.0),
    pg.SPPO(0.5),
    pg.NashMD(TAU),
    pg.NashMD(TAU, 1.0),
    pg.NashEMA(TAU, 1.0, decay=0.5),
    pg.NashEMA(TAU, 1.0, decay=0.5, arithmetic=True),
    pg.EGPO(TAU, 1.0),
    pg.ONPO(TAU, 1.0),
    pg.MNPO(TAU, 1.0),
    pg.IPOMD(TAU, 1.0),
    pg.COMAL(TAU, 1.0, every=2),
    pg.MPO(TAU, 1.0, every=2),
    pg.Average(pg.SPPO(0.5)),
    pg.Best(pg.EGPO(TAU, 1.0), TAU),
    pg.FictitiousPlay(0.5),
    pg.OnlineDPO(0.5, 1.0),
    pg.OnlineIPO(0.5, 1.0),
    pg.SPIN(1.5),
]


ONE_FIT = [
    pg.DPO(0.5),
    pg.IPO(0.5),
    pg.SLiC(1.0),
    pg.GPO(pg.losses.exponential, 0.5),
    pg.GPO(pg.losses.truncated_square, 0.5),
    pg.RLHF(0.5),
]


@pytest.mark.parametrize(
    ("solver", "rounds"), [*((s, 3) for s in EXACT), *((s, 1) for s in ONE_FIT)], ids=str
)
def test_solvers_follow_the_table(text, table, solver, rounds):
    pairs = zip(pg.iterate(solver, text, rounds), pg.iterate(solver, table, rounds), strict=True)
    for here, there in pairs:
        assert apart(text.probs(here.policy), table.probs(there.policy)[0]) < 1e-2


def test_fictitious_play_finds_best_responses(text):
    """With exact ties among best responses its path is arbitrary; its exploitability is not."""
    gaps = [text.exploitability(state.policy) for state in pg.iterate(pg.FictitiousPlay(), text, 12)]
    assert gaps[0] > 0.25
    assert gaps[-1] < 0.12


@pytest.mark.parametrize(
    "learner",
    [
        pg.ENPO(TAU, pg.Schedule("linear"), labels=64),
        pg.DENPO(TAU, pg.Schedule("linear"), labels=64, pairs=16),
        pg.Passive(TAU, pg.Schedule("linear"), labels=64, pairs=16),
        pg.Passive(TAU, pg.Schedule("linear"), labels=64, loss="pair", sft=1e-3),
        pg.Greedy(TAU),
        pg.Optimistic(TAU),
        pg.Enhancer(TAU),
        pg.OMG(TAU),
        pg.VMG(TAU),
    ],
    ids=lambda learner: type(learner).__name__,
)
def test_learners_come_closer_to_the_nash(text, learner):
    arena = make(samples=32, lm=text.lm, fit=Fit(epochs=25, lr=1e-2))
    state = pg.solve(learner, arena, 12)
    assert text.exploitability(state.policy, TAU) < 0.4 * text.exploitability(BASE, TAU)


FREE = [
    pg.EGPO(TAU, 1.0),
    pg.NashMD(TAU, 1.0),
    pg.NashEMA(TAU, 1.0, decay=0.5, arithmetic=True),
    pg.COMAL(TAU, 1.0, every=2),
    pg.FictitiousPlay(TAU),
    pg.DPO(0.5),
    pg.OnlineIPO(0.5, 1.0),
    pg.RLHF(0.5),
    pg.SPIN(1.0),
    pg.ENPO(TAU, labels=16, pairs=8),
    pg.DENPO(TAU, labels=16, pairs=8),
    pg.Passive(TAU, labels=16, loss="pair", sft=0.01),
    pg.XPO(0.5, 0.01),
    pg.VPO(0.5, 0.01),
    pg.SELM(0.5, 0.01),
    pg.Optimistic(TAU),
    pg.Enhancer(TAU),
]


@pytest.mark.parametrize("solver", FREE, ids=lambda solver: type(solver).__name__)
def test_solvers_improve_what_the_model_says(solver):
    arena = TextArena(
        tiny_lm("abc", spread=0.15),
        ["a", "b c", "c"],
        MoreOfA(),
        samples=12,
        max_new_tokens=5,
        fit=Fit(epochs=10, lr=1e-2),
        expert=[["a a"], ["a"], ["a a a"]],
    )
    state = pg.solve(solver, arena, 2)
    fresh = [arena.at(1000 + t) for t in range(8)]
    assert np.mean([view.win_rate(state.policy, BASE) for view in fresh]) > 0.53


def test_learners_that_need_a_list_of_responses_say_so():
    free = TextArena(tiny_lm("abc"), ["a"], MoreOfA(), 4, max_new_tokens=3)
    for learner in (pg.UniformAdversary(TAU), pg.ExploreThenCommit(TAU)):
        with pytest.raises(TypeError, match=r"needs the verb.s. uniform, which TextArena lacks; use a"):
            learner.init(free)
    with pytest.raises(AttributeError, match=r"uniform needs a list of responses here.*pass responses"):
        _ = free.uniform
    with pytest.raises(ValueError, match=r"exploitability is exact.*evaluate\.exploitability"):
        free.exploitability(BASE)
    with pytest.raises(ValueError, match=r"VMG biases a table.*pass responses=.*or use Optimistic"):
        pg.solve(pg.VMG(TAU), free, 1)
