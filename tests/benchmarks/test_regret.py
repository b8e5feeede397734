"""The benchmark of learning from duels, at a toy's size."""

import pytest

from benchmarks import regret
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_regret_benchmark_is_measured(tmp_path):
    rows = check_document(regret.main(toy=True, folder=tmp_path), "regret", tmp_path)
    duels = [row for row in rows if "K" in row]
    assert [row["learner"] for row in duels] == ["SparringEXP3", "SparringEXP3", "RUCB", "DoubleThompson"]
    check_columns(duels, "duels per second")
    for row in duels[2:]:
        assert row["duelpy"] > 0 if "times duelpy" in row else row["duelpy"].startswith("does not import")
    tax = next(row for row in rows if "in kernels" in row)
    check_columns([tax], "microseconds per round", "in kernels", "ratio")
    growth = [row for row in rows if "exponent" in row]
    assert [row["cost against"] for row in growth] == ["seeds", "rounds", "K"]
    assert all(min(row["all"]) > 0 for row in growth)
    assert (tmp_path / "regret_growth.png").read_bytes()[:4] == b"\x89PNG"
    million = rows[-1]
    check_columns([million], "CPU seconds", "peak memory, MB", "regret")
    assert million["rounds"] == 1000


def test_a_kernel_that_the_learner_no_longer_calls_is_named(monkeypatch):
    from pgames.table import duel_kernels

    before = duel_kernels.drawn_pairs
    monkeypatch.setattr(regret, "ENPO_KERNELS", (*regret.ENPO_KERNELS, (duel_kernels, "binomial")))
    with pytest.raises(RuntimeError, match="ENPO never calls binomial"):
        regret.python_tax(2, 20)
    assert duel_kernels.drawn_pairs is before, "the kernels themselves are put back"
