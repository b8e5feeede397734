"""`python -m benchmarks` runs them all, whatever fails."""

import importlib

import pytest

from benchmarks.__main__ import BENCHMARKS, main


@pytest.fixture
def ran(monkeypatch):
    """The benchmarks that were called, in order; the second one fails."""
    calls = []
    for name in BENCHMARKS:

        def run(toy, name=name):
            calls.append((name, toy))
            if name == BENCHMARKS[1]:
                raise AttributeError("no such kernel")

        monkeypatch.setattr(importlib.import_module(f"benchmarks.{name}"), "main", run)
    return calls


def test_a_benchmark_that_fails_is_named_and_the_others_run(ran, capsys):
    assert main(toy=True) == 1
    assert ran == [(name, True) for name in BENCHMARKS]
    said = capsys.readouterr().err
    assert "no such kernel" in said
    assert said.strip().endswith(f"1 of {len(BENCHMARKS)} benchmarks failed: {BENCHMARKS[1]}")


def test_the_exit_status_is_0_when_all_ran(ran, capsys):
    assert main([BENCHMARKS[0], BENCHMARKS[2]]) == 0
    assert capsys.readouterr().err == ""
