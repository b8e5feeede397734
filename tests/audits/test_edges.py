"""The audit on boards at the edge: no probe fails, fires at nothing or misses copies in place."""

import datetime

import numpy as np
import pytest

import pgames as pg


def cast(left, right, winner, **more):
    return pg.Comparisons.from_names(list(left), list(right), list(winner), **more)


BOARDS = {
    "one vote": cast("a", "b", "a"),
    "one tie": cast(["a"], ["b"], ["tie"]),
    "all ties": cast("abc" * 20, "bca" * 20, ["tie"] * 60),
    "the left item always wins": cast("a" * 30, "b" * 30, "a" * 30),
    "two groups": cast("ac" * 20, "bd" * 20, "ad" * 20),
    "a prompt for each vote": cast("ab" * 20, "ba" * 20, "a" * 40, prompt=[str(i) for i in range(40)]),
}


@pytest.mark.parametrize("name", BOARDS)
def test_every_probe_answers_and_none_sees_a_side(name):
    votes = BOARDS[name]
    n = len(votes)
    for beside in ({}, {"annotator": ["x"] * n}, {"annotator": range(n), "time": np.arange(n)}):
        found = pg.audit(votes, **beside)
        assert len(found.findings) == 10
        assert not found["position"].fires, found["position"].line
        assert all(one.p_value is None or 0 <= one.p_value <= 1 for one in found.findings)
        assert not any("nan" in one.line for one in found.findings)


def random_board(n=400, items=6):
    rng = np.random.default_rng(2)
    first = rng.integers(items, size=n)
    second = (first + 1 + rng.integers(items - 1, size=n)) % items
    won = np.where(rng.random(n) < 0.6, first, second)
    return [[f"m{i}" for i in column] for column in (first, second, won)]


@pytest.mark.parametrize("copies", [2, 3])
def test_rows_that_stand_several_times_are_seen_and_a_sorted_file_is_not_blamed(copies):
    once = random_board()
    several = [np.repeat(column, copies).tolist() for column in once]
    found = pg.audit(cast(*several))["duplicates"]
    assert found.fires and f"every row stands {copies} times" in found.line
    assert not pg.audit(cast(*once))["duplicates"].fires
    by_row = sorted(zip(*once, strict=True))
    assert not pg.audit(cast(*zip(*by_row, strict=True)))["duplicates"].fires


VOTES = cast("ab" * 3, "ba" * 3, "aabbaa")
COLUMNS = {
    "NaN": ({"annotator": [np.nan] * 6}, "annotator is empty in row 1"),
    "one NaN": ({"annotator": [1.0, 2.0, np.nan, 1.0, 1.0, 1.0]}, "annotator is empty in row 3"),
    "None": ({"annotator": ["x", None, "x", "x", "x", "x"]}, "annotator is empty in row 2"),
    "blanks": ({"annotator": ["  "] * 6}, "annotator is empty in row 1"),
    "no time": ({"annotator": np.array(["NaT"] * 6, dtype="datetime64[s]")}, "annotator is empty in row 1"),
    "a seed": ({"seed": -1}, "seed must be a whole number"),
    "resamples": ({"resamples": 1}, "resamples must be a whole number of at least 2"),
    "self-votes": ({"dropped_self_votes": -1}, "dropped_self_votes must be a whole number"),
    "text for times": ({"time": ["2020"] * 6}, "time must be numbers or datetime64"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_gap_is_no_annotator(case):
    beside, said = COLUMNS[case]
    with pytest.raises(ValueError, match=said):
        pg.audit(VOTES, **beside)


def test_times_of_python_are_times():
    days = [datetime.datetime(2024, 1, 1 + i) for i in range(6)]
    assert pg.audit(VOTES, time=days)["drift"].fires is None
    with pytest.raises(TypeError, match="audit needs Comparisons, got PreferenceGame"):
        pg.audit(pg.games.comal3())
