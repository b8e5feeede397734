"""The benchmark of populations, at a toy's size."""

from benchmarks import league
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_league_benchmark_is_measured(tmp_path):
    rows = check_document(league.main(toy=True, folder=tmp_path), "league", tmp_path)
    check_columns(rows[:1], "pairs", "one question", "as meetings", "ratio")
    check_columns(rows[1:], "seconds")
    mixed, pure, direct, *others = rows[1:]
    assert mixed["calls"] <= pure["calls"] and max(one["gap"] for one in (mixed, pure, direct)) < 1e-12
    for row in others:
        if "note" not in row:
            assert row["gap"] < 1e-12, "OpenSpiel's populations end at the same Nash"
