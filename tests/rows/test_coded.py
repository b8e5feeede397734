"""The text of a value is the same wherever it stands."""

import datetime
import decimal

import numpy as np
import pytest

from pgames.rows.coded import GAP, ODD, coded, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x ", "x "),
        ("", GAP),
        (None, GAP),
        (float("nan"), GAP),
        (np.float32(0.1), "0.1"),
        (1e16, "1e+16"),
        (2**70, str(2**70)),
        (np.int8(-3), "-3"),
        (True, "True"),
        (np.bool_(False), "False"),
        ([1], ODD),
        ({"a": 1}, ODD),
        (np.datetime64("NaT"), GAP),
        (np.datetime64("2024-05-13"), "2024-05-13"),
        (datetime.date(2024, 5, 13), "2024-05-13"),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("nan"), GAP),
    ],
)
def test_texts_of_values(value, text):
    assert text_of(value) == text


def test_codes_look_up_texts():
    codes, texts = coded(["b", "a", "b", ""], lambda text: text or GAP)
    assert codes.dtype == np.int32 and [texts[code] for code in codes] == ["b", "a", "b", GAP]
