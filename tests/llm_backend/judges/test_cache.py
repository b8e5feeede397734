"""The cache asks each pair once and survives a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from llm_backend import judges
from tests.support import ROOT
from tests.support.judged import assert_preference, table


class Counting:
    """A judge with random answers that counts its pairs."""

    name = "Counting"
    as_is = True

    def __init__(self):
        self.asked, self.random = 0, np.random.default_rng(0)

    def prefer(self, prompts, firsts, seconds):
        self.asked += len(prompts)
        return self.random.random(len(prompts))


def test_cache_asks_each_pair_once_and_survives(tmp_path):
    path = tmp_path / "deep" / "cache.jsonl"
    judge = judges.Cached(Counting(), path, chunk=2)
    P = table(judge)
    assert_preference(P)
    assert judge.judge.asked == 3 and len(judge) == 3
    again = judges.Cached(Counting(), path)
    np.testing.assert_array_equal(table(again), P)  # to the bit
    assert again.judge.asked == 0 and (again.hits, again.misses) == (6, 0)
    np.testing.assert_array_equal(table(judge), P)


def test_cache_of_a_torn_file(tmp_path):
    path = tmp_path / "cache.jsonl"
    P = table(judges.Cached(Counting(), path))
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):  # killed after any byte
        path.write_bytes(whole[:cut])
        judge = judges.Cached(Counting(), path)
        got = table(judge)
        assert judge.judge.asked == 3 - max(0, whole[:cut].count(b"}") - 1)
        np.testing.assert_array_equal(table(judges.Cached(Counting(), path)), got)
    np.testing.assert_array_equal(got, P)


@pytest.mark.slow
def test_cache_after_kill_9(tmp_path):
    path = tmp_path / "cache.jsonl"
    code = f"""
import time, numpy as np
from llm_backend import judges
judge = judges.Rule(lambda x, y: time.sleep(0.01) or len(y), name="slow")
cached = judges.Cached(judge, {str(path)!r}, chunk=1)
cached.prefer(["p"] * 1000, ["a" * i for i in range(1000)], ["b"] * 1000)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 120
    while (not path.exists() or path.read_bytes().count(b"\n") < 8) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    judge = judges.Cached(judges.Rule(lambda x, y: len(y), name="slow"), path)
    assert 7 <= len(judge) < 1000
    known = len(judge)
    answers = judge.prefer(["p"] * 1000, ["a" * i for i in range(1000)], ["b"] * 1000)
    np.testing.assert_array_equal(answers, (1 + np.sign(np.arange(1000) - 1.0)) / 2)
    assert judge.misses == 1000 - known


def test_cache_belongs_to_one_judge(tmp_path):
    path = tmp_path / "cache.jsonl"
    table(judges.Cached(judges.Rule(judges.rules.longer), path))
    with pytest.raises(ValueError, match=r"holds answers of Rule\(longer\), not of Rule\(shorter\)"):
        judges.Cached(judges.Rule(judges.rules.shorter), path)
    path.write_text('{"prompt": "not a cache"}\n')
    with pytest.raises(ValueError, match="does not name its judge"):
        judges.Cached(judges.Rule(judges.rules.longer), path)
    path.write_text('{"judge": "Rule(longer)"}\n{"key": "0", "p": 7}\n')
    with pytest.raises(ValueError, match=r"not an answer in \[0, 1\]"):
        judges.Cached(judges.Rule(judges.rules.longer), path)


def test_a_cache_of_a_later_format_is_refused(tmp_path):
    path = tmp_path / "c.jsonl"
    rule = judges.Rule(judges.rules.longer)
    path.write_text(json.dumps({"judge": rule.name, "format": 3}) + "\n")
    with pytest.raises(ValueError, match="has format 3, this program reads 1 and 2"):
        judges.Cached(rule, path)
