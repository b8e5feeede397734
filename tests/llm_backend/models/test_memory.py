"""The number of rows of a pass follows from the model, the length and the kind of device."""

import pytest

from llm_backend.models.language_model import LanguageModel
from llm_backend.models.memory import CPU_BYTES, MOST, bytes_per_token, rows_that_fit
from tests.support.llm_oracles import trained
from tests.support.llm_tiny import tiny_lm, tiny_model, tiny_tokenizer


def test_longer_rows_and_wider_models_leave_room_for_fewer():
    lm, wide = tiny_lm(), tiny_lm(layers=4, width=256)
    each = bytes_per_token(wide, True)
    assert rows_that_fit(wide, 4096, True) == CPU_BYTES // (4096 * each)
    assert rows_that_fit(wide, 8192, True) <= rows_that_fit(wide, 4096, True) // 2
    assert rows_that_fit(wide, 10**9, True) == 1
    assert rows_that_fit(lm, 1, True) == MOST
    assert bytes_per_token(lm, True) < each
    with pytest.raises(ValueError, match="at least 1 token, got 0"):
        rows_that_fit(lm, 0, True)


def test_scoring_and_checkpointing_need_less():
    tokenizer = tiny_tokenizer()
    plain, recomputing = (
        LanguageModel(tiny_model(len(tokenizer), layers=6), tokenizer, 4, checkpointing=on)
        for on in (False, True)
    )
    assert bytes_per_token(plain, False) < bytes_per_token(plain, True) / 2
    assert bytes_per_token(recomputing, True) < bytes_per_token(plain, True) / 2


def test_more_policies_do_not_change_the_number():
    lm = tiny_lm()
    before = bytes_per_token(lm, True)
    kept = [trained(lm, seed) for seed in range(3)]
    assert bytes_per_token(lm, True) == before
    assert len(kept) == 3
