"""Objectives against exact enumeration and finite differences."""

import itertools

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend.fits import objectives as rules
from llm_backend.fits.pair_objectives import FitLabels, FitPairs
from llm_backend.fits.policy_gradient import PolicyGradient
from llm_backend.spaces.draws import Draws

V = 3


def enumerated(length, seed=0):
    """All V ** length sequences of a random autoregressive table: rows, token log-probabilities, logits."""
    draw = np.random.default_rng(seed)
    sequences = list(itertools.product(range(V), repeat=length))
    prefixes = {s[:t]: i for i, (s, t) in enumerate((s, t) for s in sequences for t in range(length))}
    index = {prefix: i for i, prefix in enumerate(prefixes)}
    logits = torch.tensor(draw.normal(size=(len(index), V)), requires_grad=True)
    at = torch.tensor([[index[s[:t]] for t in range(length)] for s in sequences])
    tokens = torch.tensor(sequences)

    def token_logs(table, temperature=1.0):
        return torch.log_softmax(table / temperature, dim=-1)[at, tokens]

    n = len(sequences)
    draws = Draws(np.zeros(n, np.int64), tuple(sequences), ("",) * n, np.arange(n), np.zeros(n, np.bool_))
    prior = token_logs(torch.tensor(draw.normal(size=(len(index), V)))).sum(1).numpy()
    return draws, logits, token_logs, prior, draw.random(n)


def gain_gradient(logits, token_logs, prior, win, step):
    """d/dlogits of E_pi[win] - KL(pi || prior) / step, by automatic differentiation of the sum."""
    logs = token_logs(logits).sum(dim=1)
    gain = (logs.exp() * (torch.tensor(win) - (logs - torch.tensor(prior)) / step)).sum()
    return torch.autograd.grad(gain, logits)[0]


def pulled(objective, token_values, logits):
    _, slope = objective(
        token_values.detach(), torch.ones(token_values.shape, dtype=torch.bool), np.arange(len(token_values))
    )
    return torch.autograd.grad((token_values * slope).sum(), logits, retain_graph=True)[0]


def relative(got, want):
    return float((got - want).norm() / want.norm())


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_policy_gradients_are_exact(length):
    step = 1.7
    draws, logits, token_logs, prior, win = enumerated(length)
    want = -gain_gradient(logits, token_logs, prior, win, step)
    values = token_logs(logits)
    pi = values.sum(dim=1).exp().detach().numpy()
    old = list(values.detach().numpy())

    def rule(kind, listed, weight=pi, before=old):
        return PolicyGradient(draws, prior, win, weight, before, step, kind, listed)

    for kind, listed in (("reinforce", False), ("reinforce", True), ("rloo", True), ("ppo", True)):
        assert relative(pulled(rule(kind, listed), values, logits), want) < 1e-12
    scaled = pulled(rule("grpo", True), values, logits)
    cosine = (scaled * want).sum() / (scaled.norm() * want.norm())
    assert float(cosine) == pytest.approx(1, abs=1e-12)
    off = token_logs(
        torch.randn(logits.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    elsewhere = off.sum(dim=1).exp().numpy()  # drawn from another policy: the ratio repairs it
    assert (
        relative(pulled(rule("reinforce", False, elsewhere, list(off.numpy())), values, logits), want) < 1e-10
    )


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_kl_of_single_tokens_is_wrong(length):
    """Negative control: TRL's Nash-MD, in which each token is credited with its own log-ratio alone."""
    step = 1.7
    _, logits, token_logs, _, win = enumerated(length)
    prior_tokens = token_logs(torch.tensor(np.random.default_rng(9).normal(size=logits.shape)))
    prior = prior_tokens.sum(dim=1).numpy()
    want = -gain_gradient(logits, token_logs, prior, win, step)
    values = token_logs(logits)
    weight = values.detach().sum(dim=1, keepdim=True).exp()
    reward = torch.tensor(win)[:, None] - 0.5 - (values.detach() - prior_tokens) / step
    wrong = torch.autograd.grad((values * -weight * reward).sum(), logits)[0]
    assert (relative(wrong, want) < 1e-12) == (length == 1)
    assert length == 1 or relative(wrong, want) > 0.05


def test_another_temperature_is_wrong():
    """Negative control: drawn at 0.7, scored at 1, without an importance ratio."""
    draws, logits, token_logs, prior, win = enumerated(2)
    values = token_logs(logits)
    want = -gain_gradient(logits, token_logs, prior, win, 1.0)
    cold = token_logs(logits.detach(), temperature=0.7).sum(dim=1).exp().numpy()
    same = list(values.detach().numpy())
    got = pulled(PolicyGradient(draws, prior, win, cold, same, 1.0, "reinforce"), values, logits)
    assert relative(got, want) > 0.05


def test_leave_one_out_is_unbiased():
    draws, logits, token_logs, prior, win = enumerated(2)
    values, K, groups = token_logs(logits), 3, 20_000
    want = -gain_gradient(logits, token_logs, prior, win, 1.0)
    pi = values.sum(dim=1).exp().detach().numpy()
    picked = np.random.default_rng(0).choice(len(pi), (groups, K), p=pi / pi.sum()).ravel()
    many = draws.take(picked)
    many = Draws(np.repeat(np.arange(groups), K), many.tokens, many.texts, many.column, many.truncated)
    old = [values.detach().numpy()[i] for i in picked]
    weight = np.full(len(picked), 1 / K)
    rule = PolicyGradient(many, prior[picked], win[picked], weight, old, 1.0, "rloo")
    _, slope = rule(
        values.detach()[picked], torch.ones(len(picked), 2, dtype=torch.bool), np.arange(len(picked))
    )
    got = torch.autograd.grad((values[picked] * slope).sum() / groups, logits)[0]
    assert relative(got, want) < 0.03  # about 1 / sqrt(60,000) times the spread of one


def objectives():
    draw = np.random.default_rng(0)
    n = 8
    draws = Draws(
        np.repeat([0, 1], n // 2), tuple((i, i) for i in range(n)), ("",) * n, np.arange(n), np.zeros(n, bool)
    )
    prior, target, weight = draw.normal(size=n), draw.normal(size=n), np.tile([0.1, 0.2, 0.3, 0.4], 2)
    pairs = np.array([[0, 1], [1, 2], [3, 0], [4, 7], [5, 7], [6, 5]])
    wins, labels, scale = draw.random((6, 2)), draw.normal(size=6), np.full(n, 0.5)
    losses = [pg.losses.logistic, pg.losses.squared, pg.losses.exponential, pg.losses.truncated_square]
    yield "regress", rules.Regress(draws, prior, target, weight)
    yield "logistic", rules.Logistic(draws, prior, target, weight)
    for loss in losses:
        yield f"pairs-{loss.name}", FitPairs(draws, prior, pairs, wins, loss, 0.7, scale)
    bonus = draw.random(n)
    for listed in (False, True):
        yield (
            f"bonus-{listed}",
            FitPairs(draws, prior, pairs, wins, losses[0], 0.7, scale, bonus, 100.0, listed),
        )
        yield (
            f"labels-{listed}",
            FitLabels(draws, prior, pairs, labels, 1.3, 0.05, 0.2, weight, listed),
        )
        yield f"imitate-{listed}", rules.Imitate(draws, weight, listed)


@pytest.mark.parametrize(("name", "objective"), list(objectives()))
def test_gradients_of_objectives_are_those_of_their_losses(name, objective):
    draw = np.random.default_rng(1)
    logp, mask = torch.tensor(draw.normal(size=(8, 2)) - 2), torch.ones(8, 2, dtype=torch.bool)
    every = np.arange(8)
    value, slope = objective(logp, mask, every)
    for i, t in itertools.product(range(8), range(2)):
        ends = []
        for h in (1e-5, -1e-5):
            moved = logp.clone()
            moved[i, t] += h
            ends.append(objective(moved, mask, every)[0])
        assert float(slope[i, t]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8)
    halves = [objective(logp[half], mask[half], half) for half in (every[:4], every[4:])]
    assert value == pytest.approx(sum(part for part, _ in halves))
    torch.testing.assert_close(slope, torch.cat([part for _, part in halves]))


@pytest.mark.parametrize("rule", [rules.Regress, rules.Logistic])
def test_regressions_are_minimised_by_the_mirror_step(rule):
    """A constant per prompt, such as the normaliser of a blend, makes no difference."""
    draws, _, _, prior, win = enumerated(2)
    n = len(draws)
    objective = rule(draws, prior + 3.0, 2.0 * win - 1.0, np.full(n, 1 / n))
    there = torch.tensor(prior + 2.0 * win + 0.4)[:, None]
    _, slope = objective(there, torch.ones(n, 1, dtype=torch.bool), np.arange(n))
    assert slope.abs().max() < 1e-12


def test_bonus_stops_at_the_bound():
    draws, _, _, prior, _ = enumerated(1)
    pairs, wins, ones = np.array([[0, 1]]), np.array([[1.0, 1.0]]), np.ones(3)
    objective = FitPairs(draws, prior, pairs, wins, pg.losses.logistic, 1.0, ones, ones, 0.5, False)
    logp = torch.tensor(prior)[:, None] + torch.tensor([[0.0], [0.0], [-0.6]])
    _, slope = objective(logp, torch.ones(3, 1, dtype=torch.bool), np.arange(3))
    np.testing.assert_allclose(slope[:, 0], [1, 1, 0], atol=1e-12)
