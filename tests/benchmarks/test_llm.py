"""The benchmark on language models, at a toy's size: its rows come one by one and are kept."""

import json

import pytest

from benchmarks import llm
from tests.support.benchmark_rows import check_columns, check_document


def test_every_row_of_the_llm_benchmark_is_measured(tmp_path, monkeypatch):
    monkeypatch.delenv("PGAMES_TRL_PYTHON", raising=False)
    rows = check_document(llm.main(toy=True, folder=tmp_path), "llm", tmp_path)
    step, memory, gpu = rows
    check_columns([step], "ours", "tokens_per_second", "peak_mb")
    assert step["trl"] == "absent: set PGAMES_TRL_PYTHON"
    check_columns([memory], "ours", "naive")
    assert memory["gradient_difference"] < 1e-4
    assert gpu["case"] == "8B on a GPU"


def test_a_benchmark_that_is_stopped_keeps_and_shows_its_rows(tmp_path, monkeypatch, capsys):
    answers = iter([{"cpu_seconds": 0.5, "tokens_per_second": 32.0, "peak_mb": 600.0}])

    def measure_then_stop(*_):
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(llm, "_run", measure_then_stop)
    monkeypatch.delenv("PGAMES_TRL_PYTHON", raising=False)
    with pytest.raises(KeyboardInterrupt):
        llm.main(toy=True, folder=tmp_path)
    kept = json.loads((tmp_path / "llm.json").read_text())
    assert not kept["complete"]
    assert [row["ours"] for row in kept["rows"]] == [0.5]
    assert "case: lora, 2 new tokens, ours: 0.5" in capsys.readouterr().out


def test_the_peer_takes_turns_and_is_compared(monkeypatch):
    seconds = {"ours": 0.5, "peer": 1.5}
    monkeypatch.setattr(
        llm,
        "_run",
        lambda python, *_: {
            "cpu_seconds": seconds["peer" if python == "peer" else "ours"],
            "tokens_per_second": 1.0,
            "peak_mb": 1.0,
        },
    )
    row = llm._step_row("peer", *llm.CASES[0])
    assert row["ratio"] == 3 and row["ratios"] == "3.00, 3.00, 3.00"
