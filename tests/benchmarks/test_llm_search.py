"""Search against best-of-N on a language model, at a toy's size."""

import pytest

from benchmarks import llm_search
from tests.support.benchmark_rows import check_document


def test_every_way_answers_and_teaches_from_as_many_verdicts(tmp_path):
    rows = check_document(llm_search.main(toy=True, folder=tmp_path), "llm_search", tmp_path)
    answers, policies = ([row for row in rows if kind in row] for kind in ("answer", "policy"))
    assert [row["answer"] for row in answers] == ["one draw", llm_search.BEST, *llm_search.RULES]
    assert len(policies) == 4
    for row in (*answers[1:], *policies):
        assert 0 < row["verdicts"] <= llm_search.N  # responses drawn twice are judged once
        assert 0 <= row["win rate"] <= 1
    assert all(row["score"] > answers[0]["score"] for row in answers[1:])
    assert all(row["KL"] == pytest.approx(row["KL"]) for row in policies)
