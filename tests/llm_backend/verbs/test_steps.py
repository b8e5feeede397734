"""Steps on a language model against the exact step on the table."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena
from llm_backend.policies.handles import BASE, Adapter, Mixture
from tests.support.llm_free import MoreOfA
from tests.support.llm_listed import TAU, apart, make
from tests.support.llm_tiny import TableJudge, tiny_lm


def test_sampled_steps_tend_to_exact_ones(text, pi):
    many = make(samples=500, lm=text.lm)
    exact = text.probs(text.mirror_step(BASE, pi, 1.0))
    assert apart(many.probs(many.mirror_step(BASE, pi, 1.0)), exact) < 0.03
    blend = text.geometric_mixture((0.5, BASE), (0.5, pi))
    league = text.mixture((0.3, pi), (0.7, BASE))
    for opponent in (blend, league):
        exact = text.probs(text.mirror_step(pi, opponent, 1.0))
        assert apart(many.probs(many.mirror_step(pi, opponent, 1.0)), exact) < 0.03
        assert abs(many.win_rate(pi, opponent) - text.win_rate(pi, opponent)) < 0.05


@pytest.mark.parametrize("rule", ["logistic", "reinforce", "rloo", "grpo", "ppo"])
def test_fit_rules_have_the_minimiser_of_regression(text, pi, rule):
    step, exact = 3.0, text.probs(text.mirror_step(BASE, pi, 3.0))
    epochs = 150 if rule in ("grpo", "ppo") else 60
    other = make(lm=text.lm, fit=Fit(rule=rule, epochs=epochs, lr=1e-2))
    assert apart(text.probs(BASE), exact) > 0.12
    clipped = 0.06 if rule in ("grpo", "ppo") else 5e-3  # they stop at the edge of the trusted region
    assert apart(other.probs(other.mirror_step(BASE, pi, step)), exact) < clipped


@pytest.mark.parametrize("rule", ["logistic", "reinforce", "rloo", "grpo", "ppo"])
def test_fit_rules_improve_what_the_model_says(rule):
    how = Fit(rule=rule, epochs=6, lr=1e-2)
    arena = TextArena(tiny_lm("abc", spread=0.15), ["a", "b c"], MoreOfA(), 24, max_new_tokens=5, fit=how)
    state = pg.solve(pg.INPO(TAU, 2.0), arena, 3)
    assert np.mean([arena.at(1000 + t).win_rate(state.policy, BASE) for t in range(8)]) > 0.53


@pytest.mark.parametrize("per_token", [False, True])
def test_pair_losses_sum_log_ratios_or_average_them(per_token):
    """IPO of one pair is met exactly: tau (log-ratio of one - of the other) = P - 1/2, in both orders."""
    texts, tau = ["a", "b c d"], 0.5
    judge = TableJudge(np.array([[[0.5, 0.8], [0.2, 0.5]]]), ["f"], texts)
    how = Fit(epochs=80, lr=1e-2, per_token=per_token)
    arena = TextArena(tiny_lm(), ["f"], judge, None, responses=texts, fit=how)
    state = pg.solve(pg.IPO(tau), arena, 1)
    ratio = arena.space.table(state.policy)[0] - arena.space.table(BASE)[0]
    size = np.array([2, 4]) if per_token else 1  # tokens, EOS included
    first, second = ratio / size
    assert tau * (first - second) == pytest.approx(0.3, abs=1e-3)


def test_mixtures_are_distilled_into_one_adapter(text, pi):
    league = text.mixture((0.5, pi), (0.5, BASE))
    assert isinstance(league, Mixture)
    one = text.distil(league)
    assert isinstance(one, Adapter)
    assert apart(text.probs(one), text.probs(league)) < 1e-2
