"""The benchmark of exact equilibria, at a toy's size."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import exact, exact_list
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_exact_benchmark_is_measured(tmp_path, capsys):
    rows = check_document(exact.main(toy=True, folder=tmp_path), "exact", tmp_path)
    check_columns(rows, "n", "cpu_s")
    assert [row["what"] for row in rows if row["solver"] == "pgames"] == [
        "Nash",
        "Nash, batch of 8",
        "regularised Nash, tau = 0.1",
        "Nash, precision=0.001",
        "Nash, precision=0.0001",
        "Nash, precision=1e-06",
        "zero-sum, 2 rows",
    ]
    for row in rows:
        if "cpu_s" in row:
            error = next(row[key] for key in ("exploitability", "residual", "values_apart") if key in row)
            limit = 0.3 if "rounds of" in row["what"] else 1e-12 if row["solver"] == "pgames" else 1e-3
            assert abs(error) < limit
    highs = next(row for row in rows if row["solver"] == "highs")
    assert highs["ratio"] == pytest.approx(highs["cpu_s"] / rows[0]["cpu_s"])
    assert "cpu_s" in capsys.readouterr().out


def test_a_peer_that_is_not_installed_is_named_in_its_rows(tmp_path, monkeypatch):
    for peer in ("quantecon", "quantecon.optimize", "piqp"):
        monkeypatch.setitem(sys.modules, peer, None)
    rows = exact.main(toy=True, folder=tmp_path)["rows"]
    absent = {row["solver"] for row in rows if row.get("note") == "not installed"}
    assert {"quantecon", "piqp"} <= absent
    assert any("cpu_s" in row for row in rows if row["solver"] == "highs")


def test_the_list_of_games_is_solved_by_both_processes_in_turns(tmp_path, monkeypatch):
    monkeypatch.setenv("PGAMES_BEFORE", str(Path(exact.__file__).parents[1]))
    rows = check_document(exact_list.main(toy=True, folder=tmp_path), "exact_list", tmp_path)
    check_columns(rows, "n", "cpu_s", "before_s", "median", "worst")
    assert [row["what"] for row in rows] == [*exact_list.KINDS, "all"]
    assert rows[-1]["games"] == len(exact_list.KINDS) and 0 <= rows[-1]["slower"] <= rows[-1]["games"]


def test_the_list_of_games_is_left_out_without_an_older_checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("PGAMES_BEFORE", raising=False)
    (row,) = exact_list.main(toy=True, folder=tmp_path)["rows"]
    assert row["note"].startswith("left out: set PGAMES_BEFORE")


@pytest.mark.parametrize("kind", exact_list.KINDS)
def test_the_games_of_the_list_are_games(kind):
    for n in (9, 40):
        A = exact_list.KINDS[kind](np.random.default_rng(0), n)
        assert A.shape == (n, n) and np.abs(A).max() <= 0.5 and A.any()
        np.testing.assert_allclose(A, -A.T, atol=1e-16)
