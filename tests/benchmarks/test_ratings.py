"""The benchmark of ratings, at a toy's size."""

from benchmarks import ratings
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_ratings_benchmark_is_measured(tmp_path):
    rows = check_document(ratings.main(toy=True, folder=tmp_path), "ratings", tmp_path)
    check_columns(rows, "votes", "alone", "from arrays")
    assert [row["method"] for row in rows] == ["elo", "bradley_terry"]
    for row in rows:
        if row.get("evalica") != "not installed":
            assert row["relative difference"] < 1e-9
            assert row["ratio alone"] > 0
