"""The weight of the bonus of XPO, VPO and SELM, and the tau that learners refuse."""

import numpy as np
import pytest

import pgames as pg
from pgames import names
from pgames.solvers.direct import SELM, VPO, XPO
from pgames.table.duels import DuelArena


class Watched(DuelArena):
    """A table whose fits are noted: the weight, and the samples it is on."""

    def fit_pairs(self, reference, pairs, loss, beta, samples=None, weight=0.0, bound=3.0):
        self.noted = (weight, samples.counts.sum(axis=(0, 1)))
        return super().fit_pairs(reference, pairs, loss, beta, samples, weight, bound)


def weights(learner, rounds=3):
    arena = Watched(pg.games.cyclic(3, p=0.9), seed=1)
    state, found = learner.init(arena), []
    for _ in range(rounds):
        state = learner.step(arena, state)
        found.append(arena.noted[0])
    return found


@pytest.mark.parametrize(
    ("learner", "right"),
    [
        (XPO(0.2, 0.5), [0.5, 0.5, 0.5]),
        (XPO(0.2, 0.5, optimism=False), [-0.5, -0.5, -0.5]),
        (VPO(0.2, 0.5), [0.1, 0.05, 0.1 / 3]),
        (VPO(0.2, 0.5, optimism=False), [-0.1, -0.05, -0.1 / 3]),
        (SELM(0.2, 0.5), [0.1, 0.1, 0.1]),
        (SELM(0.05, 3.0), [0.15, 0.15, 0.15]),
        (SELM(0.2, 0.0), [0.0, 0.0, 0.0]),
    ],
)
def test_the_bonus_weighs_what_the_docstring_says(learner, right):
    """alpha; alpha tau on the mean, so over t on the sum; alpha tau. Pessimism is the other sign."""
    np.testing.assert_allclose(weights(learner), right, rtol=1e-12)


def test_pessimism_keeps_what_optimism_lowers():
    """VPO's sign in its result: optimism lowers what the reference samples, pessimism raises it."""
    reference = np.array([0.9, 0.05, 0.05])
    game = pg.PreferenceGame(np.full((3, 3), 0.5), reference)
    mass = {True: 0.0, False: 0.0}
    for optimism in mass:
        for seed in range(40):
            learner, arena = VPO(0.5, 2.0, optimism), DuelArena(game, seed=seed)
            policy = learner.step(arena, learner.init(arena)).policy
            mass[optimism] += float(arena.probs(policy)[0, 0, 0]) / 40
    assert mass[True] < 0.8 < mass[False]


LEARNERS = ["Greedy", "OnPolicyGreedy", "UniformAdversary", "Optimistic", "Enhancer", "OMG", "VMG"]
LEARNERS += ["ExploreThenCommit", "XPO", "VPO", "SELM", "ENPO", "DENPO", "Passive"]


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("tau", [0.0, -0.1, float("nan"), float("inf")])
def test_a_learner_refuses_a_tau_that_is_not_above_0(name, tau):
    make = names.learner_class(name)
    others = {"alpha": 0.5} if name in ("XPO", "VPO", "SELM") else {}
    with pytest.raises(ValueError, match=rf"{name}: tau must be finite and above 0"):
        make(tau=tau, **others)
    make(tau=1e-3, **others)


def test_every_learner_with_a_tau_is_in_the_list():
    found = {
        name for name in names.learners() if "tau" in names.signature(names.learner_class(name)).parameters
    }
    assert found - {"DoubleThompson", "RUCB", "SparringEXP3"} <= set(LEARNERS)


GIVEN = {"inner": pg.EGPO(0.1, 0.5), "solver": pg.EGPO(0.1, 0.5), "every": 5, "size": 2}


def numeric():
    """Every parameter of every solver that takes a number."""
    for name, make in names.solvers().items():
        for parameter in names.signature(make).parameters.values():
            if any(kind in str(parameter.annotation) for kind in ("float", "int")):
                yield pytest.param(make, parameter.name, id=f"{name}-{parameter.name}")


@pytest.mark.parametrize(("make", "parameter"), list(numeric()))
def test_a_number_given_as_text_is_refused_when_the_solver_is_made(make, parameter):
    needed = [p.name for p in names.signature(make).parameters.values() if p.default is p.empty]
    given = {name: GIVEN.get(name, 0.1) for name in needed}
    with pytest.raises(ValueError, match=f"{parameter} must be a number, got the text '0.1': pass it"):
        make(**{**given, parameter: "0.1"})
