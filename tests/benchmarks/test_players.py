"""The numbers of the design of roles, populations and search: every one is asked, at a toy's size."""

import math

import numpy as np

from benchmarks import players
from benchmarks.players_list import QUESTIONS, at_most, near, newton, products, rates
from tests.support.benchmark_rows import check_document


def test_every_question_yields_numbers_and_says_whether_they_are_met(tmp_path):
    rows = check_document(players.main(toy=True, folder=tmp_path), "players", tmp_path)
    assert len(rows) > 2 * sum(map(len, QUESTIONS.values()))
    for row in rows:
        assert {"number", "design", "ours", "met", "CPU s"} <= set(row) and row["met"] in ("yes", "no")
        assert math.isfinite(row["ours"])
    assert len({row["number"] for row in rows}) == len(rows)  # no number stands twice
    met = {row["number"]: row["met"] for row in rows}
    assert "no" in met.values()  # 60 rounds are not 6000: the toy shows that a number can fail
    assert met["disc_and_skill, seed 0: distance of six gaps from the design's"] == "yes"


def test_what_is_met_is_a_range():
    far = near("", 1.2, 1.0, 0.1), at_most("", 2.0, 1.0)
    assert not any(one.low <= one.ours <= one.high for one in far)
    assert all(one.low <= one.ours <= one.high for one in (near("", 3, 3, 0), at_most("", 1.0, 1.0)))
    for question in (newton, products, rates):
        for one in question(True):
            assert one.low <= one.ours <= one.high or one.high == 1e-15, one
            assert np.isneginf(one.low) or one.low < one.high
