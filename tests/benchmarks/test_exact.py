"""The benchmark of exact equilibria, at a toy's size."""

import sys

import pytest

from benchmarks import exact
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
    ]
    for row in rows:
        if "cpu_s" in row:
            error = row.get("exploitability", row.get("residual"))
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
