"""The benchmark of reading votes, at a toy's size."""

from benchmarks import votes
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_votes_benchmark_is_measured(tmp_path):
    rows = check_document(votes.main(toy=True, folder=tmp_path), "votes", tmp_path)
    check_columns(rows, "votes", "cpu_s", "wall_s", "peak_GB", "pyarrow_cpu_s", "ratio")
    assert [row["format"] for row in rows] == ["parquet", "csv", "jsonl"]
    for row in rows:
        assert row["ratio"] * row["pyarrow_cpu_s"] == row["cpu_s"] or row["ratio"] > 0


def test_the_files_hold_the_same_votes(tmp_path):
    from pgames.votes.comparisons import Comparisons

    seen = set()
    for end in votes.SIZES:
        votes.make(tmp_path / f"v{end}", 500)
        read = Comparisons.read(tmp_path / f"v{end}")
        seen.add((read.items, read.left.tobytes(), read.right.tobytes(), read.winner.tobytes()))
    assert len(seen) == 1
