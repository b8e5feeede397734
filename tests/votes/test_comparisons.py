"""Comparisons: counts against a slow count, algebra of votes, and the game they estimate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgames.votes import comparisons
from pgames.votes.comparisons import Comparisons

vote = st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(-1, 1), st.integers(0, 2))
votes = st.lists(vote, min_size=1, max_size=40)


def build(rows, items=5, prompts=3):
    left, shift, winner, prompt = np.array(rows).T
    return Comparisons(
        left,
        (left + shift) % items,
        winner,
        [f"item{i}" for i in range(items)],
        prompt,
        [f"prompt{x}" for x in range(prompts)],
    )


def slow_counts(c):
    wins = np.zeros((len(c.prompts), len(c.items), len(c.items)))
    ties = np.zeros_like(wins)
    for i, j, won, x in zip(c.left, c.right, c.winner, c.prompt, strict=True):
        if won == 1:
            wins[x, i, j] += 1
        elif won == -1:
            wins[x, j, i] += 1
        else:
            ties[x, i, j] += 1
            ties[x, j, i] += 1
    return wins, ties


@given(votes)
@settings(deadline=None)  # compiled on the first call
def test_counts_equal_a_slow_count(rows):
    c = build(rows)
    wins, ties = slow_counts(c)
    np.testing.assert_array_equal(c.counts.wins, wins)
    np.testing.assert_array_equal(c.counts.ties, ties)
    np.testing.assert_array_equal(c.pooled_counts.wins, wins.sum(0))
    np.testing.assert_array_equal(c.pooled_counts.ties, ties.sum(0))


@given(votes, votes)
@settings(deadline=None)
def test_counts_of_a_sum_are_the_sum_of_counts(a, b):
    first, second = build(a), build(b)
    both = first + second
    assert len(both) == len(first) + len(second)
    np.testing.assert_array_equal(both.counts.wins, first.counts.wins + second.counts.wins)
    np.testing.assert_array_equal(both.left, np.concatenate([first.left, second.left]))  # order is kept


def test_addition_matches_names():
    a = Comparisons.from_names(["x", "y"], ["y", "z"], ["left", "tie"], ["p", "q"])
    b = Comparisons.from_names(["z"], ["w"], ["right"], ["r"])
    both = a + b
    assert both.items == ("x", "y", "z", "w") and both.prompts == ("p", "q", "r")
    assert (both.items[both.left[2]], both.items[both.right[2]]) == ("z", "w")
    assert both.counts.wins[2, 3, 2] == 1


@given(votes)
@settings(deadline=None)  # compiled on the first call
def test_splitting_by_prompt_and_adding_gives_the_votes_back(rows):
    c = build(rows)
    parts = [c.subset(name) for name in c.prompts if (c.prompt == c.prompts.index(name)).any()]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    assert len(whole) == len(c)
    np.testing.assert_array_equal(whole.pooled_counts.wins, c.pooled_counts.wins)


def test_subset_keeps_the_order_asked_for_and_all_items():
    c = build([(0, 1, 1, 0), (1, 1, 0, 1), (2, 1, -1, 2), (3, 1, 1, 1)])
    part = c.subset(["prompt2", "prompt1"])
    assert part.prompts == ("prompt2", "prompt1") and part.items == c.items
    assert part.prompt.tolist() == [1, 0, 1] and part.left.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="no prompt is named 'nowhere': there are prompt"):
        c.subset("nowhere")


@given(votes, st.floats(0.01, 10), st.floats(0, 10))
@settings(deadline=None)
def test_game_is_the_documented_estimate_and_never_certain(rows, prior, pooling):
    c = build(rows)
    game = c.to_game(prior=prior, pooling=pooling)
    wins, ties = slow_counts(c)
    won = wins + ties / 2
    for x in range(3):
        for y in range(5):
            for z in range(5):
                if y == z:
                    continue
                pooled, against = won[:, y, z].sum(), won[:, z, y].sum()
                mean = (pooled + prior) / (pooled + against + 2 * prior)
                estimate = (won[x, y, z] + pooling * mean + prior) / (
                    won[x, y, z] + won[x, z, y] + pooling + 2 * prior
                )
                assert game.P[x, y, z] == pytest.approx(estimate, abs=1e-14)
    assert 0 < game.P.min() and game.P.max() < 1
    np.testing.assert_array_equal(game.skew, -game.skew.transpose(0, 2, 1))
    assert game.labels == c.items


def test_one_prompt_is_not_counted_twice_by_pooling():
    c = build([(0, 1, 1, 0), (0, 1, 1, 0), (1, 1, 0, 0)], prompts=1)
    np.testing.assert_allclose(c.to_game(pooling=7.0).P, c.to_game(pooling=0.0).P, atol=1e-15)


def test_strong_pooling_gives_every_prompt_the_pooled_game():
    c = build([(0, 1, 1, 0), (0, 1, -1, 1), (1, 1, 1, 2), (0, 1, 1, 2)])
    np.testing.assert_allclose(c.to_game(pooling=1e13).P[1], c.pooled().to_game().P[0], atol=1e-12)


def test_ties_are_dropped_only_on_request():
    c = Comparisons([0, 0, 0], [1, 1, 1], [1, 0, 0])
    assert c.to_game(prior=0).P[0, 0, 1] == pytest.approx(2 / 3)
    assert c.to_game(prior=0, ties="drop").P[0, 0, 1] == 1.0
    with pytest.raises(ValueError, match='ties must be "half" or "drop"'):
        c.to_game(ties="ignore")


def test_without_prior_unseen_pairs_are_refused():
    c = Comparisons([0, 1], [1, 2], [1, 0], ["a", "b", "c"])
    with pytest.raises(ValueError, match="1 pairs have no votes, the first is 'a' against 'c'"):
        c.to_game(prior=0)
    two = Comparisons([0, 0], [1, 1], [1, -1], prompt=[0, 1])
    assert two.to_game(prior=0, pooling=0).P[:, 0, 1].tolist() == [1.0, 0.0]
    unseen = Comparisons([0, 0, 1], [1, 2, 2], [1, -1, 0], prompt=[0, 1, 1])
    assert np.isfinite(unseen.to_game(prior=0, pooling=1.0).P).all()  # pooling fills them
    with pytest.raises(ValueError, match="3 pairs have no votes"):
        unseen.to_game(prior=0, pooling=0)


def test_a_response_without_votes_leaves_the_game_only_on_request():
    c = Comparisons([0, 1], [1, 2], [1, 1], prompt=[0, 1])
    assert c.to_game().support.all()
    game = c.to_game(prior=0, pooling=0, only_seen=True)
    assert game.support.tolist() == [[True, True, False], [False, True, True]]
    np.testing.assert_allclose(game.reference, [[0.5, 0.5, 0], [0, 0.5, 0.5]])
    skewed = c.to_game(only_seen=True, reference=[0.2, 0.3, 0.5])
    np.testing.assert_allclose(skewed.reference[0], [0.4, 0.6, 0])
    named = Comparisons([0], [1], [1], prompt=[0], prompts=["p", "q"])
    with pytest.raises(ValueError, match="prompt 'q' has no votes"):
        named.to_game(only_seen=True)


def test_prompt_weights():
    c = build([(0, 1, 1, 0), (0, 1, 1, 0), (0, 1, 1, 1), (0, 1, 1, 2)])
    np.testing.assert_allclose(c.to_game().prompt_weights, 1 / 3)
    np.testing.assert_allclose(c.to_game(prompt_weights="votes").prompt_weights, [0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match='"votes" or None'):
        c.to_game(prompt_weights="share")  # type: ignore[arg-type]


def test_bootstrap_is_a_function_of_seed_and_number():
    c = build([(i % 5, 1 + i % 4, i % 3 - 1, i % 3) for i in range(50)])
    few, many = list(c.bootstrap(3, seed=1)), list(c.bootstrap(5, seed=1))
    for a, b in zip(few, many, strict=False):
        np.testing.assert_array_equal(a.left, b.left)
        np.testing.assert_array_equal(a.winner, b.winner)
    other = next(c.bootstrap(1, seed=2))
    assert not np.array_equal(few[0].left, other.left)  # negative control
    assert len(other) == len(c) and other.items == c.items and other.prompts == c.prompts
    mean = sum(sample.counts.wins for sample in c.bootstrap(400, seed=3)) / 400
    assert np.abs(mean - c.counts.wins).max() < 5 * np.sqrt(c.counts.wins.max() / 400)


def test_rows_take_thirteen_bytes_and_cannot_be_changed():
    c = build([(0, 1, 1, 0)] * 10)
    assert sum(column.nbytes for column in (c.left, c.right, c.winner, c.prompt)) == 130
    mine = np.array([0, 1], dtype=np.int32)
    held = Comparisons(mine, [1, 2], [1, 1])
    mine[0] = 9
    assert held.left[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        held.left[0] = 1
    with pytest.raises(AttributeError):
        held.left = mine  # type: ignore[misc]
    assert not c.counts.wins.flags.writeable


def test_tables_too_large_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(comparisons, "COUNTS_LIMIT", 1000)
    c = build([(0, 1, 1, 2)])
    with pytest.raises(ValueError, match=r"counts of 3 prompts x 5 items .*pooled"):
        _ = c.counts
    assert c.pooled_counts.wins.sum() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [1, 1], [1, 1]), "row 2 compares item 1 with itself"),
        (([0, 1], [1, 0], [1, 2]), "winner in row 2 must be .* got 2"),
        (([0, 1], [1, -1], [1, 1]), "row 2 has a negative number: left 1, right -1"),
        (([0, 1], [1], [1, 1]), "one entry per vote"),
        (([], [], []), "there are no votes"),
        (([0.5], [1], [1]), "one-dimensional integers"),
        ((["a"], ["b"], ["left"]), "use Comparisons.from_names"),
        (([0], [2**40], [1]), "right in row 1 does not fit in int32: 1099511627776"),
        (([0], [1], [300]), "winner in row 1 does not fit in int8: 300"),
        (([0], [2], [1], ["a", "b"]), "items has 2 names, but the votes go up to number 2"),
        (([0], [1], [1], ["a", "a"]), "different names, got 'a' twice"),
        (([0], [1], [1], None, [3], ["p"]), "prompts has 1 names"),
    ],
)
def test_what_is_no_vote_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Comparisons(*arguments)


@pytest.mark.parametrize(("name", "value"), [("prior", -1.0), ("prior", np.inf), ("pooling", np.nan)])
def test_prior_and_pooling_are_numbers_of_votes(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number of votes"):
        build([(0, 1, 1, 0)]).to_game(**{name: value})
