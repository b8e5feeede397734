"""The progress bar: only for people, only after a while, and gone at the end."""

import io
import sys

import pytest

from pgames import progress as module
from pgames.progress import progress, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def watch(monkeypatch, patience=-1.0):
    """A terminal in the place of the standard error; called in the test, as pytest sets its own before."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "PATIENCE", patience)
    return stream


def test_a_bar_is_drawn_after_patience_is_lost(monkeypatch):
    screen = watch(monkeypatch)
    assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    assert "counting" in screen.getvalue()
    assert screen.getvalue().endswith(("\x1b[2K", "\x1b[?25h"))  # the line is cleared, the cursor is back


def test_quick_work_and_work_that_nobody_watches_draw_nothing(monkeypatch):
    screen = watch(monkeypatch, patience=60.0)
    assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    blind = io.StringIO()
    monkeypatch.setattr(sys, "stderr", blind)
    with progress("counting", 3) as advance:
        advance(2)
    assert (screen.getvalue() + blind.getvalue()).strip() == ""


def test_the_bar_goes_when_the_work_fails(monkeypatch):
    screen = watch(monkeypatch)
    with pytest.raises(KeyboardInterrupt), progress("counting", 3) as advance:
        advance(1)
        raise KeyboardInterrupt
    assert "counting" in screen.getvalue() and "\x1b[?25h" in screen.getvalue()


def test_without_rich_there_is_no_bar(monkeypatch):
    screen = watch(monkeypatch)
    monkeypatch.setitem(sys.modules, "rich", None)
    assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    assert screen.getvalue() == ""
