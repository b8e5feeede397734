"""alpha-rank and Nash averaging: published values, limits, and alphas where others break."""

import numpy as np
import pytest

import pgames as pg
from pgames import ratings

RPS = np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])


def test_alpha_rank_of_han_et_al():
    """The five strategies of commitment games, as in OpenSpiel's test."""
    r, t, p, s, delta, eps = 1.0, 2.0, 0.0, -1.0, 4.0, 0.25
    payoffs = [
        [r - eps / 2, r - eps, 0, s + delta - eps, r - eps],
        [r, r, s, s, s],
        [0, t, p, p, p],
        [t - delta, t, p, p, p],
        [r, t, p, p, p],
    ]
    expected = [0.40966787, 0.07959841, 0.20506998, 0.08505983, 0.2206039]
    scores = ratings.alpha_rank(payoffs, alpha=0.1, population=20).scores
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert np.abs(ratings.alpha_rank(payoffs, alpha=0.1, population=10).scores - expected).max() > 1e-3


def slow_alpha_rank(payoffs, alpha, m):
    """The definition in plain numbers; only for moderate alpha."""
    n = len(payoffs)
    chain = np.zeros((n, n))  # [from, to]
    for s in range(n):
        for r in range(n):
            if r == s:
                continue
            total = product = 1.0
            for k in range(1, m):
                mutant = ((k - 1) * payoffs[r, r] + (m - k) * payoffs[r, s]) / (m - 1)
                resident = (k * payoffs[s, r] + (m - k - 1) * payoffs[s, s]) / (m - 1)
                product *= np.exp(-alpha * (mutant - resident))
                total += product
            chain[s, r] = 1 / total / (n - 1)
    chain[np.diag_indices(n)] = 1 - chain.sum(1)
    system = np.vstack([chain.T - np.eye(n), np.ones(n)])
    return np.linalg.lstsq(system, np.append(np.zeros(n), 1), rcond=None)[0]


@pytest.mark.parametrize("seed", range(5))
def test_alpha_rank_equals_its_definition(seed):
    payoffs = np.random.default_rng(seed).normal(size=(6, 6))
    for alpha, m in [(0.0, 5), (0.3, 8), (1.0, 20)]:
        fast = ratings.alpha_rank(payoffs, alpha, m).scores
        np.testing.assert_allclose(fast, slow_alpha_rank(payoffs, alpha, m), atol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0, 1e3, 1e6, 1e300, np.inf])
def test_any_alpha(alpha):
    np.testing.assert_allclose(ratings.alpha_rank(pg.PreferenceGame(RPS), alpha).scores, 1 / 3, atol=1e-12)
    for n in (10, 100):
        noise = np.random.default_rng(n).random((n, n))
        scores = ratings.alpha_rank(pg.PreferenceGame(noise, symmetrise=True), alpha).scores
        assert scores.min() >= 0 and scores.sum() == pytest.approx(1)
    chain = np.tril(np.ones((4, 4)), -1) + 0.5 * np.eye(4)
    top = ratings.alpha_rank(pg.PreferenceGame(chain), alpha).scores[3]
    assert top > 0.25 or alpha == 0
    assert top == pytest.approx(1, abs=1e-9) or alpha < 2


def test_strong_selection_is_a_walk_to_whoever_wins():
    """alpha -> inf: a winning mutant takes over surely, a tying one with chance 1/m, a losing one never."""
    big = np.full((4, 4), 0.5)
    big[:3, :3] = RPS
    big[0, 3], big[3, 0] = 1.0, 0.0  # item 3 loses to 0 and ties with 1 and 2
    m = 10
    chain = np.array(
        [
            [0, 0, 1, 0],
            [1, 0, 0, 1 / m],
            [0, 1, 0, 1 / m],
            [1, 1 / m, 1 / m, 0],
        ]
    )
    chain[np.diag_indices(4)] = 3 - chain.sum(1)
    values, vectors = np.linalg.eig(chain.T / 3)
    limit = np.real(vectors[:, np.argmax(values.real)])
    limit /= limit.sum()
    for alpha in (1e3, 1e6, np.inf):
        np.testing.assert_allclose(ratings.alpha_rank(big, alpha, m).scores, limit, atol=1e-12)
    assert np.abs(ratings.alpha_rank(big, 1.0, m).scores - limit).max() > 1e-3  # negative control


def test_alpha_rank_refuses_what_it_cannot_rank():
    with pytest.raises(ValueError, match=r"whole population of 2 to 1000000, got -1\.0 and 50"):
        ratings.alpha_rank(RPS, -1.0)
    with pytest.raises(ValueError, match="got nan"):
        ratings.alpha_rank(RPS, np.nan)
    with pytest.raises(ValueError, match="finite square table"):
        ratings.alpha_rank([[1, 2, 3]], 1.0)


@pytest.mark.parametrize(
    ("payoffs", "policy", "scores"),
    [
        ([[0, -1, -1], [1, 0, -1], [1, 1, 0]], [0, 0, 1], [-1, -1, 0]),
        ([[0, 1, -1], [-1, 0, 1], [1, -1, 0]], [1 / 3] * 3, [0, 0, 0]),
        (
            [[0, 234, 34, -270], [-234, 0, -38, -464], [-34, 38, 0, -270], [270, 464, 270, 0]],
            [0, 0, 0, 1],
            None,
        ),
    ],
)
def test_nash_average_of_openspiel(payoffs, policy, scores):
    result = ratings.nash_average(payoffs)
    np.testing.assert_allclose(result.policy[0], policy, atol=1e-12)
    np.testing.assert_allclose(
        result.scores, np.array(payoffs) @ policy if scores is None else scores, atol=1e-10
    )


def test_copies_change_no_score():
    P = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]])
    alone = ratings.nash_average(pg.PreferenceGame(P))
    index = [0, 0, 0, 1, 2]
    copied = ratings.nash_average(pg.PreferenceGame(P[np.ix_(index, index)]))
    np.testing.assert_allclose(copied.scores, alone.scores[index], atol=1e-12)
    np.testing.assert_allclose(copied.policy[0, :3], alone.policy[0, 0] / 3, atol=1e-9)
    weak = pg.PreferenceGame(
        np.pad(P, (0, 1)) + np.array([[0, 0, 0, 0.9], [0, 0, 0, 0.6], [0, 0, 0, 0.6], [0.1, 0.4, 0.4, 0.5]])
    )
    farmed = ratings.nash_average(weak)
    np.testing.assert_allclose(farmed.scores[:3], alone.scores, atol=1e-12)
    rates = ratings.average_win_rate(weak).scores[:3] - ratings.average_win_rate(pg.PreferenceGame(P)).scores
    assert np.ptp(rates) > 0.05  # negative control: win rates do change


def test_prompts_are_weighed_and_absent_items_left_out():
    P = np.array([RPS, [[0.5, 0.6, 0.0], [0.4, 0.5, 0.0], [1.0, 1.0, 0.5]]])
    game = pg.PreferenceGame(P, reference=[[1 / 3] * 3, [0.5, 0.5, 0.0]], prompt_weights=[0.25, 0.75])
    result = ratings.nash_average(game)
    np.testing.assert_allclose(result.policy, [[1 / 3] * 3, [1, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(result.scores, [0, -0.075, 0], atol=1e-12)


def test_payoffs_must_be_antisymmetric():
    with pytest.raises(ValueError, match="must be antisymmetric"):
        ratings.nash_average([[0, 1], [1, 0]])
