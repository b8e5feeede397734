"""The bar of a sweep is the only one on the terminal, and shows the rate."""

import io
import sys

from pgames import progress
from pgames.sweeps import sweep as module
from tests.support.sweep_cells import cell


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_cells_draw_no_bars_under_the_bar_of_the_sweep(tmp_path, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    monkeypatch.setattr(module, "POLL", 0.01)
    from pgames.solvers.oracle import Greedy

    grid = {"tau": [0.1, 0.05], "learner": [Greedy]}
    assert module.sweep(grid, cell, tmp_path / "cells").computed == 2
    assert "2/2" in screen.getvalue() and "a minute" in screen.getvalue()
    assert "Greedy" not in screen.getvalue()
