"""The comparison of solvers on a language model, at a toy's size."""

from benchmarks import llm_solvers
from tests.support.benchmark_rows import check_document


def test_every_solver_trains_and_meets_the_others(tmp_path):
    rows = check_document(llm_solvers.main(toy=True, folder=tmp_path), "llm_solvers", tmp_path)
    names = [*llm_solvers.SETTINGS]
    assert [row["solver"] for row in rows] == [*names, "reference", *names, "best response to the reference"]
    trained, compared = rows[: len(names)], rows[len(names) :]
    assert all(row["verdicts"] > 0 and row["share"] <= 1 for row in trained)
    assert all(row["by"] != row["solver"] and row["margin"] > 0 for row in compared)
    wins = {row["solver"]: row["win rate"] for row in compared if "win rate" in row}
    assert len(wins) == len(names) + 1 and 0.5 < max(wins.values()) < 1
    again = llm_solvers.main(toy=True, folder=tmp_path)["rows"]  # the policies are read
    assert again == rows
