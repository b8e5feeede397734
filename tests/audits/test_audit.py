"""The audit: each probe fires on the board planted for it, is silent on a clean one, and seldom errs."""

import functools
from collections import Counter

import numpy as np
import pytest

import pgames as pg
from paper_figures.planted_boards import BOARDS, VOTES, clean, draft, lazy_annotators, tastes
from pgames.audits import audit
from pgames.audits.neighbours import separated

ALSO = {  # what else a planted fault truly is
    "connectivity": {"neighbours"},  # the halves of the ranking hang by three votes
    "self-votes": {"annotators"},  # a judge who prefers itself has a taste
    "cyclic triads": {"neighbours"},  # equals of a cycle are neighbours
    "duplicates": {"annotators", "prompts", "ties by annotator"},  # a copied vote agrees with itself
}


def findings(board, seed=0):
    return audit(board.votes, board.annotator, board.time, seed=seed, resamples=4)


@pytest.mark.parametrize("probe", BOARDS)
def test_each_probe_fires_on_its_board_and_not_on_a_clean_one(probe):
    planted = findings(BOARDS[probe](1))
    assert planted[probe].fires, planted
    assert len(planted[probe].details) >= 1 or probe in ("connectivity", "drift")
    assert {one.probe for one in planted.fired} <= {probe, *ALSO.get(probe, ())}
    assert findings(clean(1))[probe].fires is False


def test_a_clean_board_is_silent_in_all_probes():
    silent = findings(clean(0))
    assert silent.fired == () and all(one.fires is False for one in silent.findings)
    assert repr(silent).startswith("Audit: 0 of 10 probes fire")


def small(seed):
    """400 votes on a clean board of six items, twelve annotators and eight prompts."""
    return draft(seed, votes=400).vote()


@functools.cache
def fires(make, seed):
    """Whether each probe with a p-value fires on a board."""
    board = make(seed)
    found = audit(board.votes, board.annotator, board.time, seed=seed, resamples=2).findings
    return {one.probe: bool(one.fires) for one in found if one.p_value is not None}


def false_alarms(make, seeds):
    """The share of boards on which each probe with a p-value fires."""
    fired = Counter()
    for seed in range(seeds):
        fired.update(fires(make, seed))
    return {probe: count / seeds for probe, count in fired.items()}


def test_false_alarms_on_fifty_boards():
    """At .01 a probe fires on more than four of 50 with probability .0002."""
    rates = false_alarms(small, 50)
    assert set(rates) >= {"position", "ties by annotator", "annotators", "prompts", "cyclic triads", "drift"}
    assert max(rates.values()) <= 4 / 50, rates


@pytest.mark.slow
@pytest.mark.parametrize("make", [small, clean])
def test_false_alarms_on_hundreds_of_boards(make):
    """A probe passes with at most 4 of 200 boards (2 are expected), or at most 12 of 400.

    At .01 it passes with probability .9998; at .05 with .05, where 400 boards alone would let .04 pass.
    """
    rates = false_alarms(make, 200)
    if max(rates.values()) > 4 / 200:
        rates = false_alarms(make, 400)
    assert max(rates.values()) <= 12 / 400, rates
    assert 0 < sum(rates.values()) < 0.12  # the level is used, and not exceeded


@pytest.mark.parametrize("spread", [3, 6])
def test_pairs_on_which_all_agree_are_no_dependence(spread):
    """Strong items: nearly every vote of a pair says the same, whoever cast it."""
    fired = 0
    for seed in range(10):
        plan = draft(seed, votes=1200, strength=np.linspace(spread, -spread, 6))
        board = plan._replace(tie=np.zeros(1200)).vote()
        found = audit(board.votes, board.annotator, seed=seed, resamples=2)
        fired += bool(found["annotators"].fires) + bool(found["prompts"].fires)
    assert fired <= 2  # of 20 at .01


def test_power_grows_with_the_fault():
    """The taste of annotators: p-values at three sizes of the effect."""
    ps = []
    for size in (0.0, 0.15, 0.6):
        plan = draft(3)
        taste = plan.rng.normal(0, size, size=(12, 6)) if size else np.zeros((12, 6))
        board = plan._replace(
            logit=plan.logit + taste[plan.person, plan.left] - taste[plan.person, plan.right]
        ).vote()
        ps.append(findings(board)["annotators"].p_value)
    assert ps[0] > 0.01 and ps[2] <= 0.004 and ps[2] <= ps[1] + 1e-9


def test_the_clustered_bootstrap_is_wider_where_votes_depend_on_each_other():
    board = tastes(2)
    people = np.unique(board.annotator, return_inverse=True)[1]

    def scores(votes):
        return pg.ratings.bradley_terry(votes, prior=0.5, level=None)

    def width(clusters):
        return np.diff(pg.ratings.bootstrap(scores, board.votes, 60, 0, clusters=clusters).intervals).mean()

    assert width(people) > 1.7 * width(None)
    alone = np.arange(len(board.votes))  # every vote its own cluster: the plain bootstrap, but for the draws
    assert width(alone) == pytest.approx(width(None), rel=0.15)
    again = pg.ratings.bootstrap(scores, board.votes, 5, 3, clusters=people).intervals
    np.testing.assert_array_equal(
        again, pg.ratings.bootstrap(scores, board.votes, 5, 3, clusters=people).intervals
    )
    with pytest.raises(ValueError, match="clusters must be 2400 integers, one per vote"):
        pg.ratings.bootstrap(scores, board.votes, 5, clusters=people[:5])


def test_neighbours_are_seldom_separated_wrongly():
    """All items alike: any separation is wrong, and the joint error is 5 %."""
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng([seed, 5])
        left = rng.integers(5, size=400)
        right = (left + rng.integers(1, 5, size=400)) % 5
        votes = pg.Comparisons(left, right, rng.choice([-1, 1], size=400))
        wrong += (separated(pg.ratings.bradley_terry(votes, prior=0.5, level=None), seed).p <= 0.05).any()
    assert wrong <= 19  # of 200 at .05: more with probability .003


def test_adjusted_p_values_are_those_of_the_largest_t():
    """Two items: one gap, so that the adjusted p-value is that of a normal test."""
    from scipy.stats import norm

    votes = pg.Comparisons([0] * 100, [1] * 100, [1] * 60 + [-1] * 40)
    found = separated(pg.ratings.bradley_terry(votes, prior=0.5), 0)
    assert found.p[0] == pytest.approx(2 * norm.sf(abs(found.t[0])), abs=0.012)
    with pytest.raises(ValueError, match="fit votes, not a game"):
        separated(pg.ratings.bradley_terry(votes.to_game()))


def test_unseparated_neighbours_are_named():
    found = findings(BOARDS["neighbours"](1))["neighbours"]
    assert [set(name.split(" > ")) for name, _ in found.details] == [{"C", "D"}]


def test_a_sorted_file_and_a_schedule_hold_nothing_twice():
    board = clean(4)
    v = board.votes
    for order in (np.lexsort((v.right, v.left)), np.lexsort((v.winner, v.right, v.left))):
        votes = pg.Comparisons(v.left[order], v.right[order], v.winner[order], v.items)
        assert audit(votes, resamples=2)["duplicates"].fires is False
    pairs = np.array([(i, j) for i in range(6) for j in range(6) if i != j])
    left, right = pairs[np.arange(3000) % len(pairs)].T
    lead = 0.9 * (right - left)
    winner = np.where(np.random.default_rng(0).random(3000) < 1 / (1 + np.exp(-lead)), 1, -1)
    assert audit(pg.Comparisons(left, right, winner), resamples=2)["duplicates"].fires is False


def test_the_rows_that_stand_twice_are_counted():
    found = findings(BOARDS["duplicates"](2))["duplicates"]
    assert f"{VOTES // 4:,} rows repeat the rows {3 * VOTES // 4:,} before them" in found.line


def test_repeated_answers_of_an_annotator_fire():
    board = clean(5)
    v, rng = board.votes, np.random.default_rng(0)
    rows = np.concatenate([np.arange(VOTES), rng.choice(VOTES, 200)])
    rows = rows[rng.permutation(len(rows))]  # copies stand alone, not in stretches
    votes = pg.Comparisons(v.left[rows], v.right[rows], v.winner[rows], v.items, v.prompt[rows], v.prompts)
    found = audit(votes, board.annotator[rows], board.time[rows], resamples=2)["duplicates"]
    assert found.fires and found.details[0][1] >= 200


def test_the_annotators_who_tie_are_named():
    found = findings(lazy_annotators(3))["ties by annotator"]
    assert {name for name, share in found.details[:2]} == {"person 0", "person 1"}
    assert all(share > 0.3 for _, share in found.details[:2])


def test_without_columns_probes_are_not_asked():
    board = clean(6)
    pooled = audit(board.votes.pooled(), resamples=2)
    assert pooled["annotators"].fires is None and pooled["prompts"].fires is None
    assert pooled["ties by annotator"].line == "the votes have no column of annotators."
    assert pooled["self-votes"].fires is False
    with pytest.raises(KeyError, match="no probe is named 'luck'"):
        pooled["luck"]


@pytest.mark.parametrize(
    "votes",
    [
        pg.Comparisons([0], [1], [1]),
        pg.Comparisons([0, 1], [1, 0], [0, 0]),
        pg.Comparisons([0] * 50, [1] * 50, [1] * 50),
        pg.Comparisons([0, 2] * 20, [1, 3] * 20, [1, -1] * 20),
    ],
    ids=["one vote", "ties alone", "one side", "two groups"],
)
def test_odd_boards(votes):
    people = np.arange(len(votes)) % 3
    found = audit(votes, people, np.zeros(len(votes)), resamples=2)
    assert len(found.findings) == 10
    for one in found.findings:
        assert one.p_value is None or 0 <= one.p_value <= 1
    assert found["position"].fires in (False, True)


def test_the_seed_decides_the_bits():
    board = tastes(1)
    assert findings(board, 3) == findings(board, 3)
    assert findings(board, 3)["annotators"].line != findings(board, 4)["annotators"].line


def test_dropped_self_votes_are_told():
    found = audit(clean(0).votes, dropped_self_votes=3, resamples=2)["self-votes"]
    assert found.fires and found.line.startswith("3 rows compare an item with itself")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"annotator": ["a"]}, "annotator must have one entry per vote, 2, got shape"),
        ({"annotator": np.array(["a", None], dtype=object)}, "annotator is empty in row 2"),
        ({"time": [1.0, np.nan]}, "time is empty or infinite in row 2"),
        ({"time": ["a", "b"]}, "time must be numbers or datetime64"),
        ({"time": [1.0]}, "time must have one entry per vote"),
    ],
)
def test_bad_columns_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        audit(pg.Comparisons([0, 1], [1, 0], [1, 1]), **columns)


def test_times_may_be_dates():
    board = BOARDS["drift"](1)
    dates = np.datetime64("2024-05-01") + (board.time * 1e7).astype("timedelta64[s]")
    shuffled = np.random.default_rng(0).permutation(VOTES)
    v = board.votes
    votes = pg.Comparisons(v.left[shuffled], v.right[shuffled], v.winner[shuffled], v.items)
    assert audit(votes, time=dates[shuffled], resamples=2)["drift"].fires
    assert audit(votes, resamples=2)["drift"].fires is False  # in the order of the rows there is none
