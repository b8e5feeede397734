"""Gauss-Newton fits in two processes are those of one: copies, a sharded base, sharded weights, sketches."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.support import ROOT

CASE = {"prompts": 3, "lora": 4, "shard": False, "kept": None, "how": {"rows": 5}, "unrowed": False}
SKETCH = 4 * 13 * 1001  # bytes: a fourth of the gradients' numbers with adapters, a tenth without
CASES: dict[str, dict] = {
    "adapters": {},
    "one prompt": {"prompts": 1},  # none for the second process
    "odd": {"prompts": 5},
    "batches": {"how": {"batch": 2, "rows": 5}},
    "all weights": {"lora": None},
    "sketch": {"kept": SKETCH},  # of rows that two processes divide unequally
    "sketch of all weights": {"lora": None, "kept": SKETCH},
}
PLAN = [(name, size, shard) for name in CASES for size, shard in ((1, False), (2, False), (2, True))]
UNROWED = [("unrowed", 2, shard) for shard in (False, True)]  # one pass does not serve, in one process


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """What each process of every fit found, by (case, processes, sharded)."""
    path, runs = tmp_path_factory.mktemp("fits") / "plan.json", PLAN + UNROWED
    cases = CASES | {"unrowed": {"unrowed": True}}
    path.write_text(json.dumps([[size, CASE | cases[name] | {"shard": shard}] for name, size, shard in runs]))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.llm_fits", path],
        capture_output=True, text=True, timeout=900,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found = dict(zip(runs, map(json.loads, ended.stdout.splitlines()), strict=True))
    for run, end in found.items():
        assert set(end["codes"]) == {0}, (run, end["err"])
        assert all(noted == end["noted"][0] for noted in end["noted"])  # bit for bit
    return {run: end["noted"][0] for run, end in found.items()}


def equal(one, two):
    """To rounding: float32 log-probabilities of about -10 are known to 1e-6 of their size, and three steps
    from there to ten times as much; a loss is a mean of squares, so it is known to 1e-5 of the first."""
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5, abs=1e-5 * one["losses"][0])
    assert two["share"] == pytest.approx(one["share"], abs=1e-5)
    np.testing.assert_allclose(two["score"], one["score"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_fit_in_two_processes_is_that_of_one(name, shard, fitted):
    one, two = fitted[name, 1, False], fitted[name, 2, shard]
    assert one["share"] > 0.999 and len(one["losses"]) > 2
    if (name, shard) != ("sketch of all weights", True):  # a sketch of shards has other signs
        equal(one, two)
    assert two["share"] == pytest.approx(one["share"], abs=1e-3)
    assert np.abs(np.subtract(two["score"], one["score"])).max() < 0.1


@pytest.mark.slow
def test_tokens_are_counted_once(fitted):
    """Two processes find a step by a backward pass of its own, as one process does with a sketch."""
    for name in CASES:
        one, *two = (
            fitted[name, size, shard]["tokens"] for size, shard in ((1, False), (2, False), (2, True))
        )
        extra = 1 if "sketch" in name else 2
        assert two[0] == extra * one
        assert two[1] == two[0] or name == "sketch of all weights"


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_all_processes_fall_back_to_single_passes_together(shard, fitted):
    equal(fitted["adapters", 1, False], fitted["unrowed", 2, shard])
