"""Values of labels, projections and scores that no other test distinguishes from their neighbours."""

import numpy as np
import pytest

from llm_backend.judges import Rule
from llm_backend.judges.rules import shorter
from llm_backend.spaces.draws import Draws
from llm_backend.verbs import least_known, rewards
from llm_backend.verbs.evidence import Duels
from llm_backend.verbs.verdicts import wins_among


def test_the_label_of_a_pair_in_exact_play_is_the_difference_of_its_win_rates(text, pi):
    every = text.space.all
    pairs = np.array(
        [
            (i, j)
            for i in range(len(every))
            for j in range(len(every))
            if i != j and every.prompt[i] == every.prompt[j]
        ]
    )
    buffer = text.empty_buffer().add(every, pairs)
    found = text.label(buffer, pi, 50, 1)
    rate = np.einsum("xyz,xz->xy", text.rates(), text.probs(pi))[every.prompt, every.column]
    np.testing.assert_allclose(found.labels, rate[found.pairs[:, 0]] - rate[found.pairs[:, 1]], atol=1e-12)
    assert np.abs(found.labels).max() > 0.05 and (found.labels < 0).any()


def test_wins_of_a_round_leave_out_the_prompts_of_other_rounds():
    """No warning of an empty mean, and the wins of the prompts that are played."""
    draws = Draws(np.array([1, 1]), ((5,), (6,)), ("a", "bb"), np.array([-1, -1]), np.zeros(2, bool))
    found = wins_among(Rule(score=shorter), ["x", "y", "z"], draws)
    assert found.mean.tolist() == [0.75, 0.25] and found.variance is not None
    assert found.variance.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("size", "kept"), [(3, True), (4, True), (5, False)])
def test_states_no_longer_than_the_directions_are_not_projected(size, kept, monkeypatch):
    class Known:
        seed, prompts = 0, ["a"]
        raw = np.random.default_rng(0).normal(size=(2, size))

        def features(self, prompts, responses):
            return self.raw

    monkeypatch.setattr(least_known, "DIRECTIONS", 4)
    found = least_known._projected(Known(), _draws(2))
    unit = Known.raw / np.linalg.norm(Known.raw, axis=1, keepdims=True)
    assert found.shape == (2, min(size, 4))
    assert (found.shape == unit.shape and np.array_equal(found, unit)) == kept


def test_the_linear_score_is_the_minimum_of_its_loss():
    """Its gradient is 0 there, by finite differences of the loss written down plainly."""
    random = np.random.default_rng(1)
    phi = random.normal(size=(6, 3)) * [1.0, 5.0, 0.2]
    draws = _draws(6)
    pairs = np.array([(i, j) for i in range(6) for j in range(i)])
    wins = np.stack([random.random(len(pairs)), np.zeros(len(pairs))], axis=1)
    wins[:, 1] = 1 - wins[:, 0]
    score = rewards.linear_score(lambda x, y: phi, ["a"], Duels(draws, pairs, wins))
    gap = (phi[pairs[:, 0]] - phi[pairs[:, 1]]) / phi.std(axis=0)

    def loss(w):
        s = gap @ w
        fit = (wins[:, 0] * np.log1p(np.exp(-s)) + wins[:, 1] * np.log1p(np.exp(s))).sum() / len(pairs)
        return fit + 0.5 * rewards.RIDGE * w @ w

    slope = [(loss(score.weights + d) - loss(score.weights - d)) / 2e-5 for d in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(slope, 0, atol=1e-4)
    assert np.linalg.norm(score.weights) > 0.01
    np.testing.assert_allclose(score(draws), phi / phi.std(axis=0) @ score.weights)


def _draws(n):
    """n responses of free text to one prompt."""
    texts = tuple(f"y{i}" for i in range(n))
    nothing = np.zeros(n, np.int64)
    return Draws(nothing, tuple((i,) for i in range(n)), texts, nothing - 1, np.zeros(n, np.bool_))
