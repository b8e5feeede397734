"""Programs run in processes of their own, with limits."""

import sys

import numpy as np
import pytest

from llm_backend import judges
from llm_backend.judges import JudgeError

TESTS = "assert add(2, 3) == 5\nassert add(-1, 1) == 0"


@pytest.mark.parametrize(
    ("program", "right"),
    [
        ("def add(a, b):\n    return a + b", 1),
        ("Here:\n```python\ndef add(a, b):\n    return a + b\n```\nDone.", 1),
        ("def add(a, b):\n    return a - b", 0),
        ("def add(a, b:", 0),
        ("", 0),
        ("import sys; sys.exit(0)", 0),
        ("import os; os._exit(0)", 0),
        ("import os; os.kill(os.getpid(), 9)", 0),
        ("def add(a, b):\n    return a + b\nprint('x' * 10 ** 6)", 1),
    ],
)
def test_programs(program, right):
    assert judges.passes(TESTS)("add two numbers", program) == right


def test_programs_have_limits():
    # CPU seconds, not memory of the suite: both end in their own process.
    assert judges.passes(TESTS, seconds=0.5)("", "while True: pass") == 0
    assert judges.passes(TESTS, seconds=0.5)("", "import time; time.sleep(60)") == 0
    hungry = "x = bytearray(1 << 30)\ndef add(a, b):\n    return a + b"
    assert judges.passes(TESTS, memory=1 << 28)("", hungry) == 0
    assert judges.passes(TESTS, memory=1 << 32)("", hungry) == 1


def test_programs_that_could_never_run_are_no_failures_of_the_model(monkeypatch):
    with pytest.raises(ValueError, match="memory >= "):
        judges.passes(TESTS, memory=1000)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="cannot run an empty program"):
        judges.passes(TESTS)


def test_programs_judge():
    judge = judges.Rule(judges.passes({"add": TESTS}), workers=2)
    good, bad = "def add(a, b): return a + b", "def add(a, b): return 0"
    np.testing.assert_array_equal(judge.prefer(["add", "add"], [good, bad], [bad, good]), [1, 0])
    with pytest.raises(JudgeError, match="KeyError: 'subtract'"):
        judge.prefer(["subtract"], [good], [bad])
