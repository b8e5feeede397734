"""Pairs without a verdict are left out of steps, duels and measurements, and are never a half."""

from dataclasses import replace

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, evaluate
from llm_backend.judges import JudgeError
from llm_backend.spaces.draws import Draws
from llm_backend.verbs.verdicts import Wins, judged, wins_against, wins_among, with_verdicts
from tests.support.llm_free import MoreOfA, free_arena
from tests.support.llm_tiny import tiny_lm


class Some:
    """The verdicts of a judge on a random part of the pairs."""

    as_is = partial = True

    def __init__(self, judge, share, seed=0):
        self.judge, self.share, self.rng = judge, share, np.random.default_rng(seed)
        self.left = []

    def prefer(self, prompts, firsts, seconds):
        won = self.judge.prefer(prompts, firsts, seconds)
        out = np.where(self.rng.random(len(won)) < self.share, won, np.nan)
        if np.isnan(out).all():
            out[0] = won[0]
        self.left.append(float(np.isnan(out).mean()))
        return out


def rows(count, prompts=1):
    texts = tuple(f"text {i}" for i in range(count))
    at = np.arange(count) % prompts
    return Draws(at, ((1,),) * count, texts, np.full(count, -1), np.zeros(count, bool))


class Strength:
    """P(i > j) = sigmoid((i - j) / 4), of texts that end in a number."""

    as_is = True

    def prefer(self, prompts, firsts, seconds):
        lead = [int(a.split()[-1]) - int(b.split()[-1]) for a, b in zip(firsts, seconds, strict=True)]
        return 1 / (1 + np.exp(-np.array(lead) / 4))


def test_missing_verdicts_leave_the_win_rate_unbiased():
    draws = rows(8)

    def apart(judge, prompts, draws):
        return wins_against(judge, prompts, draws, draws)  # every row meets its own text as well

    for wins in (wins_among, apart):
        some = np.array([wins(Some(Strength(), 0.5, seed), ["p"], draws).mean for seed in range(400)])
        assert 0 < np.isnan(some).mean() < 0.1
        error = np.nanmean(some, axis=0) - wins(Strength(), ["p"], draws).mean
        assert np.abs(error).max() < 4 * np.nanstd(some, axis=0).max() / np.sqrt(400)


def test_a_half_in_place_of_a_missing_verdict_would_be_seen():
    """Negative control: the mean with 1/2 for what is missing is far from the win rate."""
    draws = rows(8)
    full = wins_among(Strength(), ["p"], draws).mean
    halves = 0.5 + (full - 0.5) / 2
    spread = 0.12 / np.sqrt(400)  # of the test above, from below
    assert np.abs(halves - full).max() > 10 * spread


def test_the_variance_of_few_verdicts_is_that_of_their_number():
    table = np.full((3, 4), np.nan)
    table[0, :2], table[1, :2] = (0, 1), (1, 0)

    class Given:
        as_is = partial = True

        def prefer(self, prompts, firsts, seconds):
            return np.array([table[int(a[-1]), int(b[-1]) - 3] for a, b in zip(firsts, seconds, strict=True)])

    def numbered(numbers):
        draws = rows(len(numbers))
        return replace(draws, texts=tuple(f"text {n}" for n in numbers))

    wins = wins_against(Given(), ["p"], numbered(range(3)), numbered(range(3, 7)))
    assert wins.mean[:2].tolist() == [0.5, 0.5] and np.isnan(wins.mean[2])
    assert wins.variance[:2] == pytest.approx([0.25, 0.25])  # squares 1 of 2 degrees, 2 verdicts each
    table[0, 1] = table[1, 1] = np.nan
    wins = wins_against(Given(), ["p"], numbered(range(3)), numbered(range(3, 7)))
    assert wins.variance[:2].tolist() == [0.25, 0.25]  # the largest that one verdict has


def test_rows_without_a_verdict_are_left_out():
    draws, weight = rows(3), np.array([0.2, 0.3, 0.5])
    kept, mass, wins = with_verdicts(draws, weight, Wins(np.array([0.1, np.nan, 0.9]), np.ones(3)))
    assert kept.texts == ("text 0", "text 2") and mass.tolist() == [0.2, 0.5]
    assert wins.mean.tolist() == [0.1, 0.9] and len(wins.variance) == 2
    same = Wins(np.ones(3), None)
    assert with_verdicts(draws, weight, same) == (draws, weight, same)


def test_only_a_judge_that_says_so_may_leave_pairs_out():
    class Broken:
        as_is = True

        def prefer(self, prompts, firsts, seconds):
            return np.full(len(prompts), np.nan)

    with pytest.raises(JudgeError, match="returned nan for item 0"):
        judged(Broken(), ["p"], rows(2).take([0]), rows(2).take([1]), some=True)
    silent = Broken()
    silent.partial = True
    with pytest.raises(JudgeError, match="has no verdict on 1 of 1 pairs: wait longer"):
        judged(silent, ["p"], rows(2).take([0]), rows(2).take([1]), some=True)


@pytest.fixture(scope="module")
def arena():
    return free_arena(tiny_lm("abc", spread=0.15))


def partly(arena, share):
    return arena.within(replace(arena.context, judge=Some(MoreOfA(), share)))


@pytest.mark.parametrize("solver", [pg.INPO(tau=0.1, eta=2.0), pg.OnlineIPO(tau=0.1)])
def test_solvers_learn_from_what_has_come_in(arena, solver):
    some = partly(arena, 0.5)
    state = pg.solve(solver, some, rounds=6)
    assert max(some.judge.left) > 0.2  # pairs were left out
    learned = evaluate.win_rate(arena, state.policy, arena.reference, 100)  # by the whole judge
    assert learned.low > 0.5


def test_a_policy_gradient_and_exact_play_need_every_verdict(arena):
    ascending = arena.within(
        replace(arena.context, judge=Some(MoreOfA(), 0.05), fit=Fit(rule="rloo", epochs=1, lr=1e-2))
    )
    with pytest.raises(JudgeError, match="policy gradient needs one on each"):
        ascending.mirror_step(ascending.reference, ascending.reference, 1.0)


def test_measurements_use_the_known_duels(arena):
    whole = evaluate.win_rate(arena, arena.reference, arena.reference, 40)
    some = evaluate.win_rate(partly(arena, 0.5), arena.reference, arena.reference, 40)
    assert abs(some.mean - whole.mean) < some.margin + whole.margin
    assert some.margin > 1.2 * whole.margin  # half of the duels


def test_the_interval_of_some_values_by_hand():
    values = np.array([[1.0, 0.0, np.nan], [1.0, np.nan, np.nan], [np.nan] * 3])
    got = evaluate.estimate(values)
    # prompts 0 and 1 have means 1/2 and 1; one degree of freedom, squares 1/2; counts 2 and 1
    from scipy.stats import t

    assert got.mean == 0.75
    assert got.margin == pytest.approx(t.ppf(0.975, 1) * np.sqrt(0.5 * (1 / 2 + 1 / 1) / 4))
    with pytest.raises(ValueError, match="2 known values for some prompt"):
        evaluate.estimate(np.array([[1.0, np.nan], [np.nan, 0.0]]))
    full = np.random.default_rng(0).random((5, 4))
    assert evaluate.estimate(full).mean == full.mean()
