"""Losses of pairs and KL against formulas and sums that are written out."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import TextArena, evaluate
from llm_backend.data import Pair, prompts_of
from llm_backend.fits.fit import Fit
from llm_backend.judges import Rule
from llm_backend.policies.handles import BASE
from llm_backend.tiny import PROMPTS, tiny_language_model

TAU = 0.3
PAIRS = [
    Pair(PROMPTS[0], "7", "4"),
    Pair(PROMPTS[0], "3", "7", 0.5),
    Pair(PROMPTS[3], "7", "4", 0.75),
    Pair(PROMPTS[3], "8", "3"),
]


def tell(prompt, first, second):
    return 1 / (1 + np.exp(int(second) - int(first)))


@pytest.fixture(scope="module")
def lm():
    return tiny_language_model()


@pytest.mark.parametrize(
    ("make", "loss", "start"),
    [
        (pg.DPO, lambda m: np.log1p(np.exp(-m)), np.log(2)),
        (pg.IPO, lambda m: (m - 0.5) ** 2, 0.25),
        (pg.SLiC, lambda m: max(0.0, 1 - m), 1.0),
    ],
)
def test_the_loss_of_an_offline_fit_is_the_formula_at_its_policy(lm, make, loss, start):
    """The mean over prompts of the mean over their pairs of p f(m) + (1 - p) f(-m)."""
    arena = TextArena(lm, prompts_of(PAIRS), Rule(prefer=tell), 4, max_new_tokens=4, fit=Fit(epochs=1))
    pairs = arena.duels_of(PAIRS)
    policy = pg.solve(make(TAU, pairs), arena, rounds=1).policy
    after, before = (arena.space.score(one, pairs.draws) for one in (policy, BASE))
    ratio, by_prompt = after - before, {}
    for pair, (i, j) in zip(PAIRS, pairs.pairs, strict=True):
        m = TAU * (ratio[i] - ratio[j])
        by_prompt.setdefault(pair.prompt, []).append(pair.win * loss(m) + (1 - pair.win) * loss(-m))
    wanted = np.mean([np.mean(values) for values in by_prompt.values()])
    note = arena.journal[-1]
    assert note["first_loss"] == pytest.approx(start, abs=1e-6)
    assert note["loss"] == pytest.approx(wanted, abs=1e-6) and wanted < 0.8 * start


def test_kl_and_win_rate_are_unbiased_for_the_sums_over_a_list(lm):
    arena = TextArena(lm, PROMPTS[:2], Rule(prefer=tell), 8, responses=["1", "2", "3", "4"])
    policy = arena.mirror_step(BASE, BASE, 5.0)
    p, q, rates = arena.probs(policy), arena.probs(BASE), arena.rates()
    for exact, measure in (
        ((p * np.log(p / q)).sum(axis=1).mean(), lambda at: evaluate.kl(at, policy, 8)),
        (
            np.einsum("xy,xyz,xz->x", p, rates, q).mean(),
            lambda at: evaluate.win_rate(at, policy, BASE, 8),
        ),
    ):
        found = np.array([measure(arena.at(t)).mean for t in range(60)])
        assert abs(found.mean() - exact) < 4 * found.std(ddof=1) / np.sqrt(60)
        assert exact > 0.1 and found.std() > 0
