"""A defender trained against an attacker beside one trained on fixed attacks, at a toy's size."""

from benchmarks import llm_password
from llm_backend.runs.config import Configuration
from tests.support.benchmark_rows import check_document


def test_both_defenders_meet_every_attacker_within_the_same_budget(tmp_path):
    found = check_document(llm_password.main(toy=True, folder=tmp_path), "llm_password", tmp_path)
    assert [row["defender"] for row in found] == ["the base", *llm_password.DEFENDERS.values()]
    ours, theirs = found[1:]
    recipe = Configuration.read(llm_password.RECIPE).tiny()
    most = recipe.run.rounds * 2 * recipe.roles["samples"] * recipe.roles["replies"]  # on two seeds
    for row in found:
        assert all(0 <= float(row[name].split()[0]) <= 1 for name in llm_password.ATTACKERS)
    assert all(0 < row["verdicts"] <= most for row in (ours, theirs))  # an answer drawn twice is judged once
    assert ours["of the baseline's"] >= 0
    for train in llm_password.DEFENDERS:
        assert "Transcripts of attacks: " in (tmp_path / "password" / f"{train}-0" / "page.html").read_text()
    again = llm_password.main(toy=True, folder=tmp_path)
    assert again["rows"] == found  # nothing is played twice
