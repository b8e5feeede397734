"""Shared draws of a league against a loop over its members, and its memory, at a toy's size."""

import pytest

pytest.importorskip("torch")

from benchmarks import llm_league
from tests.support.benchmark_rows import check_document


def test_shared_draws_are_those_of_a_loop_and_a_member_is_an_adapter(tmp_path):
    rows = check_document(llm_league.main(toy=True, folder=tmp_path), "llm_league", tmp_path)
    draws, memory = ([row for row in rows if row["row"].startswith(kind)] for kind in ("draws", "memory"))
    assert draws and memory
    for row in draws:
        assert row["same tokens"] and row["ratio"] > 0
    for row in memory:
        assert 0 < row["a member, kB"] < row["base, kB"]
        assert row["league, kB"] == pytest.approx(row["base, kB"] + 3 * row["a member, kB"])
