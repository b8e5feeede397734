"""Intervals of Bradley-Terry: exact coverage by enumeration, few votes, ties, anchors and weights."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import binom, chi2, multinomial

from pgames.ratings import bradley_terry
from pgames.votes.comparisons import Comparisons

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "coverage.md"
PRIOR = 0.5


def sigmoid(d):
    return 1 / (1 + np.exp(-d))


def two(won, tied, lost):
    """Votes of a against b."""
    votes = won + tied + lost
    return Comparisons([0] * votes, [1] * votes, [1] * won + [0] * tied + [-1] * lost, ["a", "b"])


def difference(won, tied, lost, **options):
    """The interval of a minus b."""
    return 2 * bradley_terry(two(won, tied, lost), prior=PRIOR, **options).intervals[0]


def coverage(votes, logits, interval=difference):
    """float64[len(logits)]: the exact probability that the interval covers the difference of two items."""
    ends = np.array([interval(k, 0, votes - k) for k in range(votes + 1)])
    chance = binom.pmf(np.arange(votes + 1), votes, sigmoid(np.asarray(logits))[:, None])
    inside = (ends[:, 0] <= np.asarray(logits)[:, None]) & (np.asarray(logits)[:, None] <= ends[:, 1])
    return (chance * inside).sum(axis=1)


def test_the_table_of_the_docs_is_the_coverage_by_enumeration():
    """Every cell, printed with three digits; at least .95, where .93 is asked."""
    rows = [line.strip("| \n").split("|") for line in DOCS.read_text().splitlines()]
    rows = [
        [float(cell) for cell in row]
        for row in rows
        if re.fullmatch(r"[\d. ]+", "".join(row)) and len(row) > 3
    ]
    head = next(line for line in DOCS.read_text().splitlines() if line.startswith("| votes"))
    logits = [float(cell) for cell in head.strip("| ").split("|")[1:]]
    assert len(rows) >= 10 and logits[:3] == [0, 0.5, 1]
    for votes, *printed in rows:
        np.testing.assert_allclose(printed, coverage(int(votes), logits), atol=5.1e-4)
        assert min(printed) >= 0.95


def test_coverage_on_a_fine_grid_and_a_negative_control():
    grid = np.linspace(0, 5, 101)
    for votes in (1, 3, 6, 12, 25):
        assert coverage(votes, grid).min() >= 0.95, votes

    def normal(won, tied, lost):  # the score and its standard error, as it was done before
        fit = bradley_terry(two(won, tied, lost), prior=PRIOR)
        half = 1.96 * np.sqrt(fit.covariance[0, 0])
        return 2 * np.array([fit.scores[0] - half, fit.scores[0] + half])

    assert coverage(12, grid, normal).min() < 0.8


@pytest.mark.parametrize("votes", [1, 2, 3, 5, 10, 20])
def test_coverage_with_ties_counted_half(votes):
    outcomes = [
        (won, votes - won - lost, lost) for won in range(votes + 1) for lost in range(votes + 1 - won)
    ]
    ends = np.array([difference(*one) for one in outcomes])
    for share, logit in itertools.product((0.1, 0.5, 0.9), (0.0, 0.5, 1.0, 2.0)):
        rate = sigmoid(logit)
        tie = min(share, 2 * (1 - rate) * 0.999)
        chance = multinomial.pmf(outcomes, votes, [rate - tie / 2, tie, 1 - rate - tie / 2])
        inside = (ends[:, 0] <= logit) & (logit <= ends[:, 1])
        assert chance @ inside >= 0.95


@pytest.mark.parametrize("anchor", [None, "0"])
@pytest.mark.parametrize("pairs", [[(0, 1), (1, 2), (0, 2)], [(0, 1), (0, 2)], [(0, 1), (1, 2), (2, 3)]])
def test_coverage_of_every_item_of_three_or_four(pairs, anchor):
    items, each = max(map(max, pairs)) + 1, 2
    cells = []
    for won in itertools.product(range(each + 1), repeat=len(pairs)):
        winner = [side for k in won for side in [1] * k + [-1] * (each - k)]
        left, right = np.array(pairs).repeat(each, axis=0).T
        fit = bradley_terry(Comparisons(left, right, winner), prior=PRIOR, anchor=anchor)
        cells.append((np.array(won), fit.intervals))
    for truth in (np.zeros(items), np.arange(items), 2.0 * (np.arange(items) == 0), 1.5 * np.arange(items)):
        score = truth - (truth.mean() if anchor is None else truth[0])
        rates = np.array([sigmoid(truth[a] - truth[b]) for a, b in pairs])
        covered = sum(
            binom.pmf(won, each, rates).prod() * ((ends[:, 0] <= score) & (score <= ends[:, 1]))
            for won, ends in cells
        )
        assert covered.min() >= 0.95


def test_an_undefeated_items_interval_does_not_shrink_as_it_wins():
    ends = [difference(wins, 0, 0) for wins in (1, 3, 10, 100)]
    widths, lows = [high - low for low, high in ends], [low for low, _ in ends]
    assert lows == sorted(lows) and lows[0] < -3
    highs = [high for _, high in ends]
    assert highs == sorted(highs) and highs[0] > 7  # more wins exclude no larger difference
    assert min(widths) > 6.9  # the lower end rises towards the width of a ratio of odds that is never seen
    later = [np.diff(difference(wins, 0, 0))[0] for wins in (10**4, 10**6)]
    assert later[1] == pytest.approx(later[0], rel=5e-3)


def test_one_vote_and_ties_alone_claim_little():
    low, high = difference(1, 0, 0)
    assert low < -3 and high > 6
    widths = [np.diff(difference(0, tied, 0))[0] for tied in (1, 4, 16, 256)]
    assert widths == sorted(widths, reverse=True) and widths[1] > 3 and widths[-1] > 0.1


@pytest.mark.parametrize(
    "won", [[(0, 1, 9, 1), (1, 2, 9, 1), (2, 3, 9, 1)], [(0, 1, 3, 0), (1, 2, 2, 2), (0, 2, 4, 1)]]
)
def test_the_ends_are_those_of_the_profile_likelihood(won):
    """Against nested numeric optimisation, without the short cuts: every other score maximised again."""
    left, right, winner = [], [], []
    for a, b, up, down in won:
        left += [a] * (up + down)
        right += [b] * (up + down)
        winner += [1] * up + [-1] * down
    votes = Comparisons(left, right, winner)
    fit = bradley_terry(votes, prior=PRIOR, robust=False)
    W, items = votes.pooled_counts.points, len(votes.items)
    cast = (W + W.T).sum(axis=1)
    cut = chi2.ppf(0.95, 1) / 2

    def likelihood(s):
        pairs = -(W * np.logaddexp(0, s[None, :] - s[:, None])).sum()
        return pairs - PRIOR * (np.logaddexp(0, s) + np.logaddexp(0, -s)).sum()

    for y in range(items):
        for side, sign in ((0, -1), (1, 1)):
            spare = W[:, y].sum() if sign > 0 else W[y].sum()
            tilt = -(W + W.T)[y] / cast[y]
            tilt[y] = 1.0
            tilt *= sign * min(0.5, spare)

            def loss(s, tilt=tilt):
                return -likelihood(s) - tilt @ s

            def fall(value, loss=loss, y=y):
                centred = {"type": "eq", "fun": lambda s: s[y] - s.mean() - value}
                found = minimize(
                    loss, np.zeros(items), constraints=[centred], options={"ftol": 1e-12, "maxiter": 500}
                )
                return found.fun

            best = minimize(loss, np.zeros(items), options={"gtol": 1e-9})
            top = best.x[y] - best.x.mean()
            end = brentq(
                lambda v, fall=fall, best=best: fall(v) - best.fun - cut, top, top + sign * 12, xtol=1e-4
            )
            # the short cut, in which the others follow along a straight line, costs little of the width
            width = np.diff(fit.intervals[y])[0]
            assert abs(fit.intervals[y, side] - end) < 0.08 * width


def test_many_votes_give_the_normal_intervals():
    rng = np.random.default_rng(0)
    left = rng.integers(6, size=60_000)
    right = (left + rng.integers(1, 6, size=60_000)) % 6
    truth = np.linspace(-1, 1, 6)
    winner = np.where(rng.random(60_000) < sigmoid(truth[left] - truth[right]), 1, -1)
    fit = bradley_terry(Comparisons(left, right, winner))
    half = 1.959964 * np.sqrt(np.diag(fit.covariance))
    np.testing.assert_allclose(fit.intervals, np.stack([fit.scores - half, fit.scores + half], 1), atol=2e-3)
    assert half.min() > 0.02  # ten times the tolerance


def test_an_anchor_is_at_0_and_the_others_are_differences_from_it():
    votes = Comparisons(
        [0, 0, 1, 2, 2, 1] * 5, [1, 1, 2, 0, 1, 0] * 5, [1, -1, 1, 1, -1, 1] * 5, ["a", "b", "c"]
    )
    plain, anchored = bradley_terry(votes), bradley_terry(votes, anchor="b")
    np.testing.assert_allclose(anchored.scores, plain.scores - plain["b"], atol=1e-12)
    assert anchored["b"] == 0 and (anchored.intervals[1] == 0).all() and (anchored.covariance[1] == 0).all()
    variance = plain.covariance
    np.testing.assert_allclose(
        np.diag(anchored.covariance), np.diag(variance) + variance[1, 1] - 2 * variance[1], atol=1e-12
    )
    np.testing.assert_allclose(anchored.win_rates, plain.win_rates, atol=1e-12)
    with pytest.raises(ValueError, match="no item is named 'd', to be the anchor: there are a, b, c"):
        bradley_terry(votes, anchor="d")


def test_two_items_of_which_one_is_the_anchor_have_the_interval_of_the_difference():
    for won, lost in ((3, 0), (4, 2)):
        anchored = bradley_terry(two(won, 0, lost), prior=PRIOR, anchor="b").intervals[0]
        np.testing.assert_allclose(anchored, difference(won, 0, lost), rtol=1e-6)


def test_weights_count_by_their_ratios_alone():
    rng = np.random.default_rng(1)
    left = rng.integers(4, size=300)
    right = (left + rng.integers(1, 4, size=300)) % 4
    votes = Comparisons(left, right, rng.integers(-1, 2, size=300))
    weights = rng.random(300)
    plain, even = bradley_terry(votes), bradley_terry(votes, weights=np.full(300, 7.0))
    np.testing.assert_allclose(even.intervals, plain.intervals, atol=1e-9)
    np.testing.assert_allclose(even.covariance, plain.covariance, atol=1e-12)
    first = bradley_terry(votes, weights=weights)
    np.testing.assert_allclose(first.scores, bradley_terry(votes, weights=3 * weights).scores, atol=1e-12)
    assert np.abs(first.scores - plain.scores).max() > 0.01  # negative control


def test_a_weight_of_0_is_a_vote_left_out_and_uneven_weights_widen():
    votes = Comparisons([0, 1, 0, 1] * 10, [1, 0, 1, 0] * 10, [1, 1, 1, -1] * 10)
    keep = np.arange(40) >= 20
    half = Comparisons(votes.left[keep], votes.right[keep], votes.winner[keep])
    weighted = bradley_terry(votes, weights=keep.astype(float))
    np.testing.assert_allclose(weighted.intervals, bradley_terry(half).intervals, atol=1e-9)
    uneven = bradley_terry(votes, weights=np.tile([1.0, 0.1], 20))
    assert np.diff(uneven.intervals[0])[0] > 1.2 * np.diff(bradley_terry(votes).intervals[0])[0]


@pytest.mark.parametrize(
    "weights", [[1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, np.nan, 1.0], [[1.0, 1.0, 1.0]]]
)
def test_bad_weights_are_refused(weights):
    votes = Comparisons([0, 1, 0], [1, 0, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="weights must be 3 finite numbers"):
        bradley_terry(votes, weights=weights)
    with pytest.raises(ValueError, match="weights belong to votes"):
        bradley_terry(votes.to_game(), weights=[1.0, 1.0, 1.0])


def test_no_level_computes_no_intervals():
    assert bradley_terry(two(2, 0, 1), level=None).intervals is None
